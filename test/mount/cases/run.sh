# SPDX-License-Identifier: Apache-2.0
#
# `mdevfs run`: what the command sees, how it ends, and that nothing stays.
# shellcheck disable=SC2016

status_of_the_command() {
  needs_user_namespaces
  expect_status 0 "$MDEVFS" run true
  expect_equal "" "$out$err"
  expect_status 3 "$MDEVFS" run sh -c 'exit 3'
  expect_status 4 "$MDEVFS" run -- sh -c 'exit 4'
  expect_status 127 "$MDEVFS" run no-such-command
  expect_equal "mdevfs: cannot run no-such-command: No such file or directory" "$err"
  expect_status 126 "$MDEVFS" run /etc/passwd
  expect_equal "mdevfs: cannot run /etc/passwd: Permission denied" "$err"
}
root_status_of_the_command() { status_of_the_command; }
user_status_of_the_command() { status_of_the_command; }

# Perl's $? tells a death by signal from an exit status above 128.
death_of_the_command() {
  needs_user_namespaces
  local signal
  for signal in 9 15 2 6; do
    expect_status 0 perl -e 'system(@ARGV[1..$#ARGV]); exit(($? & 127) == $ARGV[0] ? 0 : 1)' $signal \
      "$MDEVFS" run sh -c "kill -$signal \$\$"
  done
}
root_death_of_the_command() { death_of_the_command; }
user_death_of_the_command() { death_of_the_command; }

arguments_and_streams() {
  needs_user_namespaces
  expect_equal $'-l\n--backend\n--\nx y' "$("$MDEVFS" run --backend mtty printf '%s\n' -l --backend -- 'x y')"
  expect_equal $'--\nx' "$("$MDEVFS" run -- printf '%s\n' -- x)"
  expect_equal "through" "$(echo through | "$MDEVFS" run cat)"
  expect_equal "descriptor 5" "$("$MDEVFS" run sh -c 'cat <&5' 5<<< "descriptor 5")"
  expect_equal "to stderr" "$("$MDEVFS" run sh -c 'echo to stderr >&2' 2>&1 > /dev/null)"
  expect_equal "$(pwd)" "$("$MDEVFS" run pwd)"
}
root_arguments_and_streams() { arguments_and_streams; }
user_arguments_and_streams() { arguments_and_streams; }

sys_beside_the_hosts() {
  needs_user_namespaces
  expect_equal "$( (ls /sys; echo bus; echo class; echo devices; echo kernel; echo module) | sort -u)" "$("$MDEVFS" run ls /sys | sort)"
  expect_equal "$(ls /sys/class/net)" "$("$MDEVFS" run --no-uevents ls /sys/class/net)"
  expect_equal lo "$("$MDEVFS" run ls /sys/class/net)"
  expect_equal "$(cat /sys/class/net/lo/address)" "$("$MDEVFS" run cat /sys/class/net/lo/address)"
  expect_equal "$(cat /sys/devices/system/cpu/online)" "$("$MDEVFS" run cat /sys/devices/system/cpu/online)"
  expect_equal "$(cat /sys/module/fuse/parameters/max_user_bgreq)" "$("$MDEVFS" run cat /sys/module/fuse/parameters/max_user_bgreq)"
  expect_equal "$(cat /sys/kernel/cpu_byteorder)" "$("$MDEVFS" run cat /sys/kernel/cpu_byteorder)"
  expect_equal "$(ls /sys/fs/cgroup)" "$("$MDEVFS" run ls /sys/fs/cgroup)"
  expect_equal mtty "$("$MDEVFS" run --backend mtty ls /sys/class/mdev_bus)"
  expect_equal /sys/devices/virtual/mtty/mtty "$("$MDEVFS" run readlink -f /sys/class/mdev_bus/mtty)"
  expect_equal "$(cat /sys/devices/system/cpu/online)" "$(cd /sys/devices/system && "$MDEVFS" run cat cpu/online)"
  expect_status 0 "$MDEVFS" run sh -c 'cd /sys/class && ls mdev_bus net > /dev/null && ls -lR /sys/class /sys/bus > /dev/null'
  expect_equal "$(ls -a /mnt)" "$("$MDEVFS" run ls -a /mnt)"
  expect_equal 0 "$("$MDEVFS" run printenv SYSTEMD_DEVICE_VERIFY_SYSFS)"
}
root_sys_beside_the_hosts() { sys_beside_the_hosts; }
user_sys_beside_the_hosts() { sys_beside_the_hosts; }

# From a directory in /sys, the command starts in the same one of the tree.
root_working_directory_in_sys() {
  expect_equal "/sys/class mdev_bus" "$(cd /sys/class && "$MDEVFS" run sh -c 'echo "$PWD" "$(ls -d mdev_bus)"')"
}

# Nor does it write into the host's /etc/mdevctl.d because it started there.
root_working_directory_in_mdevctl_directory() {
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
  (cd /etc/mdevctl.d && "$MDEVFS" run touch stray) || fail "no run"
  [ ! -e /etc/mdevctl.d/stray ] || fail "it is the host's"
  mkdir -p "$WORK/definitions/mtty" && mount --bind "$WORK/definitions" /etc/mdevctl.d || fail "set-up"
  expect_status 1 sh -c "cd /etc/mdevctl.d/mtty && exec $MDEVFS run true"
  expect_equal "mdevfs: the working directory /etc/mdevctl.d/mtty is not there under the command" "$err"
}

inside_itself() {
  needs_user_namespaces
  expect_equal $'mtty\nmdpy' "$("$MDEVFS" run --backend mtty sh -c "ls /sys/class/mdev_bus; $MDEVFS run --backend mdpy ls /sys/class/mdev_bus")"
}
root_inside_itself() { inside_itself; }
user_inside_itself() { inside_itself; }

private_mdevctl_directory() {
  needs_user_namespaces
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
  local before
  before=$(ls -R /etc/mdevctl.d)
  expect_status 0 "$MDEVFS" run sh -c 'ls /etc/mdevctl.d && ls -d /etc/mdevctl.d/scripts.d/callouts &&
    mkdir /etc/mdevctl.d/parent && echo x > /etc/mdevctl.d/scripts.d/callouts/y'
  expect_equal "$before" "$(ls -R /etc/mdevctl.d)"
  mkdir "$WORK/mdevctl.d"
  expect_status 0 "$MDEVFS" run --mdevctl-dir mdevctl.d mkdir /etc/mdevctl.d/parent
  expect_equal "parent scripts.d" "$(ls "$WORK/mdevctl.d" | paste -sd ' ')"
  expect_equal "$(ls -R /etc/mdevctl.d/scripts.d | tail -n +2)" "$(ls -R "$WORK/mdevctl.d/scripts.d" | tail -n +2 |
    sed "s,$WORK/,/etc/,")"
  expect_refusal 1 "there is no directory none: make it with 'mkdir none'" "$MDEVFS" run --mdevctl-dir none true
  expect_equal "$before" "$(ls -R /etc/mdevctl.d)"
}
root_private_mdevctl_directory() { private_mdevctl_directory; }
user_private_mdevctl_directory() { private_mdevctl_directory; }

root_callouts_are_there() {
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
  mount -t tmpfs none /etc/mdevctl.d && mkdir -p /etc/mdevctl.d/scripts.d/callouts /etc/mdevctl.d/mtty || fail "set-up"
  printf '#!/bin/sh\necho called\n' > /etc/mdevctl.d/scripts.d/callouts/c.sh
  chmod 755 /etc/mdevctl.d/scripts.d/callouts/c.sh
  expect_equal called "$("$MDEVFS" run /etc/mdevctl.d/scripts.d/callouts/c.sh)"
  expect_equal scripts.d "$("$MDEVFS" run ls /etc/mdevctl.d)"
}

passes_signals_on() {
  needs_user_namespaces
  local signal
  for signal in TERM INT HUP USR1 QUIT; do
    run_in_background sh -c "trap 'exit 9' $signal; touch $WORK/ready; while :; do sleep 0.02; done"
    kill -$signal $runner
    wait $runner
    expect_equal 9 $?
  done
  eventually nothing_inside
}
root_passes_signals_on() { passes_signals_on; }
user_passes_signals_on() { passes_signals_on; }

# The terminal's own signals reach the whole foreground group: the command gets one, not two.
root_interrupt_from_a_terminal() {
  cat > count.sh << 'END'
trap 'echo interrupted' INT
touch ready
for i in 1 2 3 4 5 6 7 8; do sleep 0.1; done
END
  expect_equal 1 "$( (eventually test -e ready; printf '\003'; sleep 2) |
    script -qec "$MDEVFS run sh $WORK/count.sh" /dev/null | grep -c interrupted)"
}

stops_and_continues() {
  needs_user_namespaces
  run_in_background sh -c "touch $WORK/ready; sleep 0.5; exit 5"
  kill -STOP $runner
  sleep 0.1
  kill -CONT $runner
  wait $runner
  expect_equal 5 $?
}
root_stops_and_continues() { stops_and_continues; }

ends_what_the_command_left() {
  needs_user_namespaces
  MDEVFS_INSIDE=1 expect_status 0 "$MDEVFS" run sh -c 'sleep 1000 & setsid sleep 1000 & (cd /sys/class; sleep 1000) & true'
  eventually nothing_inside
}
root_ends_what_the_command_left() { ends_what_the_command_left; }
user_ends_what_the_command_left() { ends_what_the_command_left; }

# A process that made itself a further mount namespace holds the tree there.
root_ends_what_went_to_other_namespaces() {
  MDEVFS_INSIDE=1 expect_status 0 "$MDEVFS" run sh -c 'setsid unshare --mount sleep 1000 & sleep 0.2'
  eventually nothing_inside
}

busy_command="sleep 1000 & setsid sleep 1000 & while :; do ls -R /sys/class/mdev_bus/ > /dev/null; touch"

kill_runner() {
  needs_user_namespaces
  run_in_background sh -c "$busy_command $WORK/ready; done"
  kill -9 $runner
  eventually nothing_inside
}
root_kill_runner() { kill_runner; }
user_kill_runner() { kill_runner; }

kill_daemon() {
  needs_user_namespaces
  run_in_background sh -c "$busy_command $WORK/ready; done"
  kill -9 "$daemon"
  wait $runner
  expect_equal 1 $?
  expect_equal "mdevfs: the daemon was killed by signal 9 (Killed), so the command was killed" "$(tail -n 1 "$WORK/err")"
  eventually nothing_inside
}
root_kill_daemon() { kill_daemon; }
user_kill_daemon() { kill_daemon; }

kill_both() {
  needs_user_namespaces
  run_in_background sh -c "$busy_command $WORK/ready; done"
  kill -9 $runner "$daemon"
  eventually nothing_inside
  run_in_background sh -c "$busy_command $WORK/ready; done"
  kill -9 "$daemon" $runner
  eventually nothing_inside
}
root_kill_both() { kill_both; }
user_kill_both() { kill_both; }

kill_guard() {
  needs_user_namespaces
  run_in_background sh -c "touch $WORK/ready; sleep 0.5; sleep 1000 & exit 6"
  kill -9 "$guard"
  wait $runner
  expect_equal 6 $?
  eventually nothing_inside
}
root_kill_guard() { kill_guard; }

kill_process_group() {
  needs_user_namespaces
  set -m
  run_in_background sh -c "$busy_command $WORK/ready; done"
  set +m
  kill -9 -- -$runner
  eventually nothing_inside
}
root_kill_process_group() { kill_process_group; }
user_kill_process_group() { kill_process_group; }

# (In a /tmp of its own: other tests use the machine's.)
nothing_is_left() {
  needs_user_namespaces
  local before after status
  mkdir -p "tmp/${WORK##*/}" && mount --bind "$WORK" "tmp/${WORK##*/}" && mount --rbind tmp /tmp
  before=$(cat /proc/self/mountinfo; ls -a /mnt /tmp /etc/mdevctl.d 2>/dev/null)
  "$MDEVFS" run sh -c 'ls -R /sys/class > /dev/null'
  status=$?
  after=$(cat /proc/self/mountinfo; ls -a /mnt /tmp /etc/mdevctl.d 2>/dev/null)
  umount -R /tmp && umount "tmp/${WORK##*/}"
  expect_equal 0 $status
  expect_equal "$before" "$after"
}
root_nothing_is_left() { nothing_is_left; }

# In a chroot whose root is not a mount of its own.
root_inside_a_chroot() {
  make_chroot proc sys dev etc
  mount --make-rshared /
  local before
  before=$(cat /proc/self/mountinfo)
  expect_equal mtty "$(chroot root "$MDEVFS" run --backend mtty ls /sys/class/mdev_bus)"
  expect_equal "$before" "$(cat /proc/self/mountinfo)"
  mount --make-rprivate /
  remove_chroot
}

# The kernel's count of unanswered requests is back at nothing after work from several processes.
root_no_request_is_left_waiting() {
  mountpoint -q /sys/fs/fuse/connections || skip "the FUSE control filesystem is not mounted"
  export -f eventually is_idle requests_waiting fail
  expect_status 0 "$MDEVFS" run bash -c 'for i in 1 2 3 4; do ls -lR /sys/class/mdev_bus/ > /dev/null & done
    wait; eventually is_idle /sys'
}
