# SPDX-License-Identifier: Apache-2.0
#
# `mdevfs mount`: it is there when the command returns, and gone when it is told to go.

expect_tree() {
  expect_equal "bus class devices kernel module" "$(ls "$1" | tr '\n' ' ' | sed 's/ $//')"
  [ -d "$1/class/mdev_bus" ] || fail "no class/mdev_bus"
}

mount_and_unmount() {
  expect_status 0 "$MDEVFS" mount "$WORK/mnt"
  expect_equal "" "$out$err"
  expect_tree "$WORK/mnt"
  expect_idle "$WORK/mnt"
  expect_status 0 fusermount3 -u "$WORK/mnt"
  expect_no_mount
}
root_mount_and_unmount() { mount_and_unmount; }
user_mount_and_unmount() { mount_and_unmount; }

# The first look after the command's return: no waiting, no retry.
answers_at_return() {
  local i
  for ((i = 0; i < 20; i++)); do
    "$MDEVFS" mount "$WORK/mnt" && [ -d "$WORK/mnt/class/mdev_bus" ] || fail "attempt $i"
    fusermount3 -u "$WORK/mnt" || fail "unmount $i"
  done
}
root_answers_at_return() { answers_at_return; }
user_answers_at_return() { answers_at_return; }

ends_on_signal() {
  local signal daemon
  for signal in TERM INT HUP; do
    "$MDEVFS" mount "$WORK/mnt" || fail "no mount"
    daemon=$(daemon_of_mount)
    kill -$signal "$daemon"
    eventually is_not_mounted
    eventually is_gone "$daemon"
  done
}
root_ends_on_signal() { ends_on_signal; }
user_ends_on_signal() { ends_on_signal; }

foreground_ends_on_signal() {
  local signal daemon
  for signal in TERM INT HUP; do
    "$MDEVFS" mount -f --log /dev/null "$WORK/mnt" 2> "$WORK/err" &
    daemon=$!
    eventually is_mounted
    eventually test -d "$WORK/mnt/class"
    kill -$signal $daemon
    wait $daemon
    expect_equal 0 $?
    expect_no_mount
    expect_equal "" "$(cat "$WORK/err")"
  done
}
root_foreground_ends_on_signal() { foreground_ends_on_signal; }
user_foreground_ends_on_signal() { foreground_ends_on_signal; }

# Somebody's working directory in it does not keep the daemon.
root_ends_while_in_use() {
  local daemon
  "$MDEVFS" mount "$WORK/mnt" || fail "no mount"
  daemon=$(daemon_of_mount)
  (cd "$WORK/mnt/class" && kill -TERM "$daemon" && eventually is_gone "$daemon") || exit 1
  expect_no_mount
}

# Who waits for a pipe to close, as a shell's $(...) does, must not wait for the daemon.
keeps_no_pipe() {
  expect_equal "" "$(timeout 20 "$MDEVFS" mount "$WORK/mnt" 2>&1 3>&1)"
  expect_equal "" "$(ls -l "/proc/$(daemon_of_mount)/fd" | grep pipe)"
  fusermount3 -u "$WORK/mnt"
}
root_keeps_no_pipe() { keeps_no_pipe; }
user_keeps_no_pipe() { keeps_no_pipe; }

# Flags, type, source and options as /proc/self/mountinfo has them.
mount_flags() {
  sed -n "s,^[0-9]* [0-9]* [0-9:]* / $WORK/mnt \\([^ ]*\\) .*- \\(.*\\)$,\\1 \\2,p" /proc/self/mountinfo
}

root_default_options() {
  "$MDEVFS" mount "$WORK/mnt"
  expect_equal "rw,nosuid,nodev,noexec,relatime fuse.mdevfs mdevfs rw,user_id=0,group_id=0,default_permissions,allow_other" \
    "$(mount_flags)"
  setpriv --reuid=65534 --regid=65534 --clear-groups ls "$WORK/mnt/class" > /dev/null || fail "nobody may not look"
  fusermount3 -u "$WORK/mnt"
}

user_default_options() {
  "$MDEVFS" mount "$WORK/mnt"
  expect_equal \
    "rw,nosuid,nodev,noexec,relatime fuse.mdevfs mdevfs rw,user_id=$(id -u),group_id=$(id -g),default_permissions" \
    "$(mount_flags)"
  fusermount3 -u "$WORK/mnt"
}

backends_shown() { ls "$WORK/mnt/class/mdev_bus"; }

chosen_backends() {
  "$MDEVFS" mount --backend mtty "$WORK/mnt"
  expect_equal mtty "$(backends_shown)"
  fusermount3 -u "$WORK/mnt"
  "$MDEVFS" mount -o backend=mdpy,noatime,backend=mtty "$WORK/mnt"
  expect_equal $'mdpy\nmtty' "$(backends_shown | LC_ALL=C sort)"
  fusermount3 -u "$WORK/mnt"
}
root_chosen_backends() { chosen_backends; }

# The ways in which mount(8) comes to call the program.
root_mount_helper_by_name() {
  ln -s "$MDEVFS" "$WORK/mount.mdevfs"
  expect_status 0 "$WORK/mount.mdevfs" somewhere "$WORK/mnt" -n -o rw,noauto,x-systemd.automount,backend=mtty
  expect_equal mtty "$(backends_shown)"
  expect_equal "fuse.mdevfs somewhere" "$(mount_flags | cut -d' ' -f2,3)"
  umount "$WORK/mnt"
}

root_mount_helper_of_fuse() {
  [ -x /sbin/mount.fuse3 ] || skip "there is no mount.fuse3"
  mount -t tmpfs none /usr/local/sbin && ln -s "$MDEVFS" /usr/local/sbin/mdevfs || fail "cannot set it up"
  expect_status 0 mount -t fuse.mdevfs none "$WORK/mnt" -o backend=mtty,backend=mbochs,nofail
  expect_tree "$WORK/mnt"
  expect_equal "rw,nosuid,nodev,noexec,relatime fuse.mdevfs none" "$(mount_flags | cut -d' ' -f1-3)"
  umount "$WORK/mnt"
}

root_fstab() {
  [ -x /sbin/mount.fuse3 ] || skip "there is no mount.fuse3"
  mount -t tmpfs none /usr/local/sbin && ln -s "$MDEVFS" /usr/local/sbin/mdevfs || fail "cannot set it up"
  echo "mdevfs $WORK/mnt fuse.mdevfs noauto,user,backend=mtty 0 0" > "$WORK/fstab"
  expect_status 0 mount --fstab "$WORK/fstab" "$WORK/mnt"
  expect_tree "$WORK/mnt"
  umount "$WORK/mnt"
}

root_options() {
  local option
  for option in ro noatime sync dirsync allow_root allow_other auto_unmount defaults,user=x,_netdev; do
    expect_status 0 "$MDEVFS" mount -o $option "$WORK/mnt"
    expect_tree "$WORK/mnt"
    [ $option != ro ] || expect_equal ro "$(mount_flags | cut -d, -f1)"
    expect_status 0 fusermount3 -u "$WORK/mnt"
    eventually is_not_mounted
  done
}

# Without a daemon to answer it, the mount goes too: by a fusermount3 that libfuse starts.
has_one_daemon() { [ "$(daemon_of_mount | wc -l)" = 1 ]; }
root_auto_unmount() {
  "$MDEVFS" mount -o auto_unmount "$WORK/mnt"
  eventually has_one_daemon
  kill -9 "$(daemon_of_mount)"
  eventually is_not_mounted
}
