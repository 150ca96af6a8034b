# SPDX-License-Identifier: Apache-2.0
#
# What goes wrong while clients watch: each time the run ends, says why, and leaves nothing.
# shellcheck disable=SC2016

uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
create=/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create

# With --udev where there is one: udevd is one process more to be ended.
needs_clients() {
  needs_user_namespaces
  udev=()
  [ ! -e /lib/systemd/systemd-udevd ] || udev=(--udev)
}
# A client that watches, one that waits for a probe that takes for ever, and one that reads.
watching="
  udevadm monitor > $WORK/heard 2>&1 &
  cat /sys/kernel/debug/mdevfs/vfio/* > /dev/null 2>&1 &
  echo 100000 > /sys/kernel/debug/mdevfs/mtty/probe_delay_ms
  (echo $uuid > $create; echo \"created \$?\" > $WORK/created) 2> /dev/null &
  until [ -e /sys/class/mdev_bus/mtty/$uuid ]; do :; done
  touch $WORK/ready
  while ls -R /sys/class/mdev_bus/mtty/ > /dev/null; do :; done; exit 4"

daemon_dies() {
  needs_clients
  run_in_background "${udev[@]}" --backend mtty sh -c "$watching"
  kill -9 "$daemon"
  wait $runner
  case $? in 1 | 4) ;; *) fail "status $?" ;; esac  # 4 where the command has noticed it first
  grep -q "^mdevfs: the daemon was killed by signal 9 (Killed)" "$WORK/err" || fail "stderr says $(cat "$WORK/err")"
  eventually nothing_inside
}
root_daemon_dies_while_clients_watch() { daemon_dies; }
user_daemon_dies_while_clients_watch() { daemon_dies; }

# What the command itself gets of it, where nobody kills it: errors, at once. It may end well in spite of them: the run
# does not.
daemon_dies_with_errors() {
  needs_clients
  local status command
  for status in 4 0; do
    rm -f created
    run_in_background "${udev[@]}" --backend mtty sh -c "${watching%exit 4}exit $status"
    command=$(pgrep -P $runner -x sh)
    kill -STOP $runner "$guard"
    kill -9 "$daemon"
    eventually test -s created
    eventually has_ended "$command"
    expect_equal "created 1" "$(cat created)"
    kill -CONT "$guard" $runner
    wait $runner
    expect_equal $((status == 0 ? 1 : status)) $?
    grep -q "^mdevfs: the daemon was killed by signal 9 (Killed)" "$WORK/err" || fail "stderr says $(cat "$WORK/err")"
    eventually nothing_inside
  done
}
has_ended() { grep -q '^State:.Z' "/proc/$1/status"; }  # its parent stands still
root_daemon_dies_with_errors() { daemon_dies_with_errors; }
user_daemon_dies_with_errors() { daemon_dies_with_errors; }

command_is_killed() {
  needs_clients
  rm -f ready
  MDEVFS_INSIDE=1 perl -e 'system(@ARGV); exit($? & 127)' "$MDEVFS" run "${udev[@]}" --backend mtty \
    sh -c "echo \$\$ > $WORK/pid; $watching" 2> "$WORK/err" &
  runner=$!
  eventually test -e ready
  kill -9 "$(cat pid)"
  wait $runner
  expect_equal 9 $?
  expect_equal "" "$(cat "$WORK/err")"
  eventually nothing_inside
}
root_command_is_killed() { command_is_killed; }
user_command_is_killed() { command_is_killed; }

all_but_the_guard_are_killed() {
  needs_clients
  run_in_background "${udev[@]}" --backend mtty sh -c "$watching"
  kill -9 $runner "$daemon"
  eventually nothing_inside
}
root_all_but_the_guard_are_killed() { all_but_the_guard_are_killed; }
user_all_but_the_guard_are_killed() { all_but_the_guard_are_killed; }

# Each has its own tree; one of ten has an udevd too.
many_at_once() {
  needs_clients
  local i runs=()
  export MDEVFS_INSIDE=1
  for ((i = 0; i < 50; i++)); do
    local more=()
    [ $((i % 10)) != 0 ] || more=("${udev[@]}")
    "$MDEVFS" run "${more[@]}" --backend mtty sh -ec "echo $uuid > $create; ls /sys/bus/mdev/devices; sleep 1000 & exit $i" > out.$i 2>&1 &
    runs+=($!)
  done
  unset MDEVFS_INSIDE
  for ((i = 0; i < 50; i++)); do
    wait "${runs[i]}"
    expect_equal "$i $uuid" "$? $(cat out.$i)"
  done
  eventually nothing_inside
}
root_fifty_runs_at_once() { many_at_once; }
user_fifty_runs_at_once() { many_at_once; }

# udevd itself stands still: it holds up nobody, and not the end either.
udevd_stands_still() {
  needs_clients
  [ ${#udev[@]} != 0 ] || skip "there is no systemd-udevd"
  MDEVFS_INSIDE=1 expect_status 3 "$MDEVFS" run --udev --backend mtty sh -c "
    pkill -STOP -x systemd-udevd -P \$PPID || exit 99
    for i in \$(seq 300); do echo $uuid > $create && echo 1 > /sys/bus/mdev/devices/$uuid/remove || exit 98; done
    exit 3"
  expect_equal "" "$err"
  eventually nothing_inside
}
root_udevd_stands_still() { udevd_stands_still; }
user_udevd_stands_still() { udevd_stands_still; }

# Interrupted before there is a command: by a terminal, or by who has lost patience. A rule holds up the start.
interrupted_start() {
  needs_clients
  [ ${#udev[@]} != 0 ] || skip "there is no systemd-udevd"
  mkdir rules && echo "SUBSYSTEM==\"mtty\", RUN+=\"/bin/sh -c 'touch $WORK/starts; exec sleep 20'\"" > rules/10-slow.rules
  local signal caller
  for signal in INT TERM; do
    rm -f starts
    MDEVFS_INSIDE=1 env --default-signal=INT,QUIT perl -e 'system(@ARGV); print STDERR $? & 127' \
      "$MDEVFS" run --udev-rules rules --backend mtty touch "$WORK/command" 2> "$WORK/err" &
    caller=$!
    eventually test -e starts
    kill -$signal "$(pgrep -P $caller -x mdevfs)"
    wait $caller
    expect_equal "$(kill -l $signal)" "$(cat "$WORK/err")"
    [ ! -e command ] || fail "the command was started"
  done
  eventually nothing_inside
}
root_interrupted_start() { interrupted_start; }
user_interrupted_start() { interrupted_start; }
