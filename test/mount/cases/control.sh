# SPDX-License-Identifier: Apache-2.0
#
# Hardware and faults by files: kernel/config/mdevfs, kernel/debug/mdevfs, `mdevfs load` and `mdevfs unload`.

uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001

made_and_unmade_by_files() {
  expect_status 0 "$MDEVFS" mount --backend mtty "$WORK/mnt"
  cd "$WORK/mnt/kernel/config/mdevfs" || fail "no config"
  expect_equal "kernel mtty" "$(echo *)"
  mkdir card card/types 2>/dev/null
  [ -d card ] && [ ! -e card/types ] || fail "mkdir"
  echo sim > card/backend && mkdir card/types/a && echo 7 > card/max_instances && echo 1 > card/live || fail "set up"
  expect_equal card "$(cat card/parent_names)"
  expect_equal 7 "$(cat "$WORK/mnt/class/mdev_bus/card/mdev_supported_types/card-a/available_instances")"
  expect_status 1 rmdir card
  case $err in *"resource busy"*) ;; *) fail "$err" ;; esac
  expect_status 1 rmdir card/types
  expect_status 1 mkdir card/other
  echo 0 > card/live && rmdir card || fail "take away"
  expect_equal mtty "$(ls "$WORK/mnt/class/mdev_bus")"
  cd / && fusermount3 -u "$WORK/mnt" || fail "unmount"
}
root_made_and_unmade_by_files() { made_and_unmade_by_files; }
user_made_and_unmade_by_files() { made_and_unmade_by_files; }

load_and_unload() {
  needs_user_namespaces
  cat > "$WORK/inside" << 'INSIDE'
set -e
$MDEVFS load card types/small/name='Small card' types/big/weight=4 counting=pool pool=8
cat /sys/class/mdev_bus/card/mdev_supported_types/card-*/available_instances
! $MDEVFS load card 2>&1
! $MDEVFS load bad types/a/weight=0 2>&1
! $MDEVFS load bad colour=red 2>&1
! $MDEVFS load bad 2>&1
! $MDEVFS load bad/er 2>&1
! $MDEVFS load bad ../mdpy/live=0 2>&1
! $MDEVFS load bad =1 2>&1
! $MDEVFS unload bad 2>&1
$MDEVFS unload card
ls /sys/kernel/config/mdevfs
INSIDE
  expect_status 0 "$MDEVFS" run --backend mdpy sh "$WORK/inside"
  expect_equal "2
8
mdevfs: card is loaded already
mdevfs: cannot set types/a/weight of bad to '0': Invalid argument (bad: \`0' invalid for parameter \`weight')
mdevfs: bad has no key 'colour': 'mdevfs backends' lists them
mdevfs: cannot set live of bad to '1': Invalid argument (mdevfs: bad: bad has no types, or names one that is not there)
mdevfs: 'bad/er' is no name for an item
mdevfs: '../mdpy/live' is no key
mdevfs: '' is no key
mdevfs: bad is not loaded
kernel
mdpy" "$out"
}
root_load_and_unload() { load_and_unload; }
user_load_and_unload() { load_and_unload; }

load_without_a_tree() {
  expect_refusal 1 "there is no mdevfs at $WORK/mnt" "$MDEVFS" load --sys "$WORK/mnt" card
  expect_refusal 1 "there is no mdevfs at $WORK/mnt" "$MDEVFS" unload --sys "$WORK/mnt" card
}
user_load_without_a_tree() { load_without_a_tree; }

# A slow probe through one descriptor does not hold up another `>` on the same file.
faults_by_files() {
  expect_status 0 "$MDEVFS" mount --backend mtty "$WORK/mnt"
  local create=$WORK/mnt/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
  cd "$WORK/mnt/kernel/debug/mdevfs/mtty" || fail "no debug"
  cat "$create" 2> /dev/null  # the kernel knows the file before it can be slow
  echo 100 > fail_probe/probability && echo 12 > fail_probe/errno || fail "set up"
  expect_status 1 bash -c "echo $uuid > $create"
  case $err in *"annot allocate memory"*) ;; *) fail "$err" ;; esac
  echo 3600000 > probe_delay_ms || fail "set up"
  echo $uuid > "$create" &
  eventually test -e "$WORK/mnt/bus/mdev/devices/$uuid"
  echo 0 > probe_delay_ms
  expect_status 0 timeout 10 sh -c "echo 00000000-509f-382f-3c1e-e6bfe0fa1001 > $create"
  cd /
  kill -TERM "$(daemon_of_mount)"
  eventually is_not_mounted
  wait
}
root_faults_by_files() { faults_by_files; }
user_faults_by_files() { faults_by_files; }

# The daemon is told to go while a probe sleeps, a device is in use and a remove waits for its user.
ends_with_all_waiting() {
  expect_status 0 "$MDEVFS" mount --backend mtty "$WORK/mnt"
  local mtty=$WORK/mnt/class/mdev_bus/mtty daemon
  daemon=$(daemon_of_mount)
  echo $uuid > "$mtty/mdev_supported_types/mtty-1/create" || fail "create"
  exec 5< "$WORK/mnt/kernel/debug/mdevfs/vfio/0"
  echo 1 5<&- > "$mtty/$uuid/remove" &
  eventually test ! -e "$WORK/mnt/bus/mdev/devices/$uuid"
  echo 3600000 > "$WORK/mnt/kernel/debug/mdevfs/mtty/probe_delay_ms"
  echo 00000000-509f-382f-3c1e-e6bfe0fa1001 5<&- > "$mtty/mdev_supported_types/mtty-1/create" &
  eventually test -e "$WORK/mnt/bus/mdev/devices/00000000-509f-382f-3c1e-e6bfe0fa1001"
  echo 0 5<&- > "$WORK/mnt/kernel/config/mdevfs/mtty/live" &
  kill -TERM "$daemon"
  eventually is_gone "$daemon"
  exec 5<&-
  wait
  is_not_mounted || fusermount3 -uz "$WORK/mnt"
}
root_ends_with_all_waiting() { ends_with_all_waiting; }
user_ends_with_all_waiting() { ends_with_all_waiting; }

# Who uses a device is told that it is asked back.
asked_back() {
  needs_user_namespaces
  command -v perl > /dev/null || skip "there is no perl"
  cat > "$WORK/inside" << 'INSIDE'
use IO::Poll qw(POLLIN);
my $mtty = "/sys/class/mdev_bus/mtty";
sub store { my ($path, $text) = @_; open(my $f, ">", $path) or die "$path: $!"; syswrite($f, $text) or return "$!"; return "ok" }
store("$mtty/mdev_supported_types/mtty-1/create", $ENV{UUID}) eq "ok" or die;
open(my $held, "<", "/sys/kernel/debug/mdevfs/vfio/0") or die "vfio: $!";
my $poll = IO::Poll->new;
$poll->mask($held => POLLIN);
$poll->poll(0) == 0 or die "asked back too early";
my $pid = fork // die;
if (!$pid) { close $held; exit(store("$mtty/$ENV{UUID}/remove", "1") eq "ok" ? 0 : 1) }
$poll->poll(10) == 1 or die "nobody asked";
print store("/sys/kernel/config/mdevfs/mtty/live", "unload"), "\n";
close $held;
waitpid $pid, 0;
print $?, " ", store("/sys/kernel/config/mdevfs/mtty/live", "unload"), "\n";
INSIDE
  expect_status 0 env UUID=$uuid "$MDEVFS" run perl "$WORK/inside"
  expect_equal "Resource temporarily unavailable
0 ok" "$out"
}
root_asked_back() { asked_back; }
user_asked_back() { asked_back; }
