# SPDX-License-Identifier: Apache-2.0
#
# What the cases are written with. The runner sets these: MDEVFS, the program; WORK, a directory of the test's own with an
# empty directory mnt in it.
set -u -o pipefail

fail() {
  echo "FAILED: $*" >&2
  echo "  at: $(caller 0), $(caller 1)" >&2
  exit 1
}
skip() {
  echo "skipped: $*"
  exit 77
}

expect_equal() { [ "$1" = "$2" ] || fail "expected '$1', got '$2'"; }

# expect_status STATUS COMMAND...: its stdout and stderr are in $out and $err.
expect_status() {
  local wanted=$1 got
  shift
  "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null
  got=$?
  out=$(cat "$WORK/out")
  err=$(cat "$WORK/err")
  [ $got = "$wanted" ] || fail "status $got instead of $wanted of: $*: $out $err"
}

# expect_refusal STATUS TEXT COMMAND...: one line on stderr, with TEXT in it, nothing on stdout and no mount.
expect_refusal() {
  local wanted=$1 text=$2
  shift 2
  expect_status "$wanted" "$@"
  expect_equal 1 "$(wc -l < "$WORK/err")"
  expect_equal "" "$out"
  case $err in
    "mdevfs: "*"$text"*) ;;
    *) fail "stderr says '$err', without '$text'" ;;
  esac
  expect_no_mount
}

eventually() {  # for what takes a moment: up to ten seconds
  local i
  for ((i = 0; i < 500; i++)); do
    "$@" && return
    sleep 0.02
  done
  fail "this never came true: $*"
}

is_mounted() { grep -q " $WORK/mnt .* - fuse.mdevfs " /proc/self/mountinfo; }
is_not_mounted() { ! is_mounted; }
expect_no_mount() { is_not_mounted || fail "there is a mount at $WORK/mnt"; }

# The kernel's count of requests that the daemon has not answered.
requests_waiting() {
  local connection
  connection=$(awk -v at="$1" '$5 == at && / - fuse/ {split($3, device, ":"); print device[2]}' /proc/self/mountinfo)
  cat "/sys/fs/fuse/connections/$connection/waiting"
}
is_idle() { [ "$(requests_waiting "$1")" = 0 ]; }
expect_idle() { [ ! -e /sys/fs/fuse/connections ] || [ -z "$(ls /sys/fs/fuse/connections)" ] || eventually is_idle "$1"; }

living() { [ -e "/proc/$1/cwd" ] || [ -L "/proc/$1/cwd" ]; }  # not a zombie
is_gone() { ! living "$1"; }

daemon_of_mount() {  # the mount's daemon is the only process of the case that is called mdevfs
  local pid
  for pid in $(pgrep -x mdevfs); do
    grep -qzxF "MDEVFS_TEST=$MDEVFS_TEST" "/proc/$pid/environ" 2>/dev/null && living "$pid" && echo "$pid"
  done
}

# run_in_background ARGUMENT...: `mdevfs run` with these, returns when the command has made the file $WORK/ready. The
# program's processes are in $runner, $daemon and $guard.
run_in_background() {
  rm -f "$WORK/ready"
  # The shell starts background jobs with SIGINT and SIGQUIT ignored.
  MDEVFS_INSIDE=1 env --default-signal=INT,QUIT "$MDEVFS" run "$@" > "$WORK/out" 2> "$WORK/err" < /dev/null &
  runner=$!
  eventually test -e "$WORK/ready"
  guard=$(pgrep -P $runner -x mdev-run-guard)
  daemon=$(pgrep -P $runner -x mdevfs)
}

inside() {  # what is left of `mdevfs run`
  local environs
  mapfile -t environs < <(grep -lzxF MDEVFS_INSIDE=1 /proc/[0-9]*/environ 2>/dev/null)
  [ ${#environs[@]} != 0 ] && grep -qzxF "MDEVFS_TEST=$MDEVFS_TEST" "${environs[@]}" 2>/dev/null
}
nothing_inside() { ! inside; }

code_below() {  # code_below FILE TEXT: of README.md or a page in man/, the first block of code below the line with TEXT
  awk -v text="$2" 'index($0, text) {below = 1} below && /^[[:space:]]*```/ {if (inside) exit; inside = 1; next} inside' \
    "$WORK/test/$1" | sed 's/\\\\/\\/g' | grep . || fail "$1 has no code below $2"
}

needs_user_namespaces() {
  [ "$(id -u)" = 0 ] || unshare --user --mount --map-root-user true 2>/dev/null ||
    skip "user namespaces are not allowed here"
}

needs_mdevctl() {
  needs_user_namespaces
  command -v mdevctl > /dev/null || skip "mdevctl is not installed"
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
}

# make_chroot DIRECTORY...: $WORK/root, with the system's programs, $WORK itself and these directories of the host's.
make_chroot() {
  local directory
  mkdir -p "$WORK"/root/{usr,etc,proc,sys,dev,tmp,mnt}
  chmod 755 "$WORK/root" "$WORK"/root/*
  for directory in usr tmp "$@"; do mount --rbind "/$directory" "$WORK/root/$directory" || fail "set-up"; done
  for directory in bin sbin lib lib64; do cp -P "/$directory" "$WORK/root/"; done
}
remove_chroot() {
  local directory
  for directory in "$WORK"/root/{usr,etc,proc,sys,dev,tmp}; do ! mountpoint -q "$directory" || umount -l "$directory"; done
}
