# SPDX-License-Identifier: Apache-2.0
#
# What cannot be: one line that says what is wrong, exit 2 for how it was called and 1 for how the world is.

root_usage_errors() {
  expect_refusal 2 "which subcommand?" "$MDEVFS"
  expect_refusal 2 "unknown subcommand 'mnt'" "$MDEVFS" mnt "$WORK/mnt"
  expect_refusal 2 "--wrong" "$MDEVFS" --wrong
  expect_refusal 2 "--wrong" "$MDEVFS" mount --wrong "$WORK/mnt"
  expect_refusal 2 "MOUNTPOINT" "$MDEVFS" mount
  expect_refusal 2 "another" "$MDEVFS" mount "$WORK/mnt" another
  expect_refusal 2 "unknown mount option 'wrong'" "$MDEVFS" mount -o ro,wrong "$WORK/mnt"
  expect_refusal 2 "either --shell or a command, not both" "$MDEVFS" run --shell true
  expect_refusal 2 "--udev and --libvirt need the uevents that --no-uevents forbids" "$MDEVFS" run --udev --no-uevents true
  expect_refusal 2 "'a/b' is no name for a run" "$MDEVFS" run --keep a/b true
  expect_refusal 2 "'.' is no name for a run" "$MDEVFS" enter . true
  expect_refusal 2 "enter what?" "$MDEVFS" enter
  expect_refusal 2 "unknown option --no of enter" "$MDEVFS" enter --no
  expect_refusal 2 "--wrong" "$MDEVFS" run --wrong true
  expect_refusal 2 "more" "$MDEVFS" backends more
}

root_unknown_backend() {
  expect_refusal 2 "unknown backend 'nosuch': there are " "$MDEVFS" mount --backend nosuch "$WORK/mnt"
  expect_refusal 2 "mtty" "$MDEVFS" mount -o backend=nosuch "$WORK/mnt"
  expect_refusal 2 "unknown backend ''" "$MDEVFS" mount --backend '' "$WORK/mnt"
  expect_refusal 2 "unknown backend 'nosuch'" "$MDEVFS" run --backend nosuch true
}

mountpoint_errors() {
  expect_refusal 1 "does not exist: make it with 'mkdir -p $WORK/none'" "$MDEVFS" mount "$WORK/none"
  touch "$WORK/file"
  expect_refusal 1 "is not a directory" "$MDEVFS" mount "$WORK/file"
  expect_refusal 1 "is not a directory" "$MDEVFS" mount "$WORK/file/below"
  expect_refusal 1 "/proc is already a mount point" "$MDEVFS" mount /proc
}
root_mountpoint_errors() { mountpoint_errors; }
user_mountpoint_errors() { mountpoint_errors; }

mounted_already() {
  "$MDEVFS" mount "$WORK/mnt"
  expect_status 1 "$MDEVFS" mount "$WORK/mnt"
  expect_equal "mdevfs: $WORK/mnt is already a mount point: unmount it with 'fusermount3 -u $WORK/mnt', or choose another directory" "$err"
  fusermount3 -u "$WORK/mnt"
}
root_mounted_already() { mounted_already; }
user_mounted_already() { mounted_already; }

mount_of_a_dead_daemon() {
  "$MDEVFS" mount "$WORK/mnt"
  kill -9 "$(daemon_of_mount)"
  eventually has_no_daemon
  expect_status 1 "$MDEVFS" mount "$WORK/mnt"
  expect_equal "mdevfs: $WORK/mnt is a mount whose daemon is gone: unmount it with 'fusermount3 -u $WORK/mnt'" "$err"
  fusermount3 -u "$WORK/mnt"
}
has_no_daemon() { ! ls "$WORK/mnt" > /dev/null 2>&1; }
root_mount_of_a_dead_daemon() { mount_of_a_dead_daemon; }
user_mount_of_a_dead_daemon() { mount_of_a_dead_daemon; }

user_not_your_directory() {
  expect_refusal 1 "choose a directory of your own" "$MDEVFS" mount /usr
  expect_refusal 1 "allow_other" "$MDEVFS" mount -o allow_other "$WORK/mnt"
}

# The test's own namespace is where these things are missing.
root_no_fuse_device() {
  mkdir "$WORK/dev"
  mount -t tmpfs none "$WORK/dev" && mknod -m 666 "$WORK/dev/null" c 1 3 && mount --move "$WORK/dev" /dev || fail "set-up"
  rmdir "$WORK/dev"
  expect_refusal 1 "/dev/fuse does not exist: load FUSE with 'modprobe fuse'" "$MDEVFS" mount "$WORK/mnt"
  expect_refusal 1 "/dev/fuse does not exist: load FUSE with 'modprobe fuse'" "$MDEVFS" run true
}

root_no_permission_on_fuse_device() {
  touch "$WORK/secret" && chmod 600 "$WORK/secret" && mount --bind "$WORK/secret" /dev/fuse || fail "set-up"
  chown 65534 "$WORK" "$WORK"/*
  local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  chown 0 "$WORK/secret"
  expect_refusal 1 "chmod 666 /dev/fuse" "${nobody[@]}" "$MDEVFS" mount "$WORK/mnt"
  if "${nobody[@]}" unshare --user --mount true 2> /dev/null; then
    expect_refusal 1 "chmod 666 /dev/fuse" "${nobody[@]}" "$MDEVFS" run true
  fi
}

root_no_fusermount() {
  mount --bind /dev/null "$(command -v fusermount3)" || fail "set-up"
  chown 65534 "$WORK" "$WORK"/*
  mkdir "$WORK/dev" && mount -t tmpfs none "$WORK/dev" && mknod -m 666 "$WORK/dev/fuse" c 10 229 &&
    mount --bind "$WORK/dev/fuse" /dev/fuse && umount -l "$WORK/dev" && rmdir "$WORK/dev" || fail "set-up"
  expect_refusal 1 "install the package fuse3" setpriv --reuid=65534 --regid=65534 --clear-groups "$MDEVFS" mount "$WORK/mnt"
  expect_status 0 "$MDEVFS" mount "$WORK/mnt"  # root needs none
  umount "$WORK/mnt"
}

root_no_mtab() {
  make_chroot proc
  mknod -m 666 "$WORK/root/dev/fuse" c 10 229 && mknod -m 666 "$WORK/root/dev/null" c 1 3 || fail "set-up"
  cp /etc/ld.so.cache "$WORK/root/etc/" && chown 65534 "$WORK/mnt" || fail "set-up"
  expect_refusal 1 "ln -s /proc/self/mounts /etc/mtab" chroot --userspec=65534:65534 "$WORK/root" "$MDEVFS" mount "$WORK/mnt"
  remove_chroot
}

# Root without CAP_SYS_ADMIN, as in most containers.
root_not_permitted() {
  local powerless=(setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin)
  expect_refusal 1 "cannot mount on $WORK/mnt" "${powerless[@]}" "$MDEVFS" mount "$WORK/mnt"
  expect_refusal 1 "start the container with --cap-add SYS_ADMIN" "${powerless[@]}" "$MDEVFS" mount "$WORK/mnt"
  unshare --user --map-root-user true 2> /dev/null || skip "user namespaces are not allowed here"
  # shellcheck disable=SC2016
  expect_refusal 1 "sysctl user.max_user_namespaces" unshare --user --map-root-user sh -c '
    echo 0 > /proc/sys/user/max_user_namespaces
    exec setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"' sh "$MDEVFS" run true
}

# without_call CALL ERROR COMMAND...: as under a container engine's filter, that call fails in this way.
without_call() {
  # shellcheck disable=SC2016
  perl -e '
    my %numbers = (x86_64 => {prctl => 157, mount => 165, unshare => 272}, aarch64 => {prctl => 167, mount => 40, unshare => 97});
    chomp(my $machine = `uname -m`);
    my $number = $numbers{$machine} or exit 77;
    my ($call, $error) = splice(@ARGV, 0, 2);
    my $filter = pack("SCCL" x 4, 0x20, 0, 0, 0, 0x15, 0, 1, $number->{$call}, 0x06, 0, 0, 0x50000 | $error, 0x06, 0, 0, 0x7fff0000);
    my $program = pack("Sx6P", 4, $filter);
    syscall($number->{prctl}, 22, 2, $program) == 0 or die "prctl: $!";
    exec @ARGV' "$@"
}

# Docker's filter lets only root with CAP_SYS_ADMIN make namespaces.
root_no_namespaces_by_a_filter() {
  without_call unshare 1 true || skip "there is no filter for this processor"
  local cure
  for cure in "--cap-add SYS_ADMIN --device /dev/fuse" "--security-opt seccomp=unconfined"; do
    expect_refusal 1 "$cure" without_call unshare 1 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$MDEVFS" run true
  done
}

# Docker's profile for AppArmor denies mounts, whatever the capabilities.
root_no_mounts_by_a_profile() {
  without_call mount 13 true || skip "there is no filter for this processor"
  local cure="start the container with --security-opt apparmor=unconfined"
  expect_refusal 1 "$cure" without_call mount 13 "$MDEVFS" run true
  expect_refusal 1 "$cure" without_call mount 13 "$MDEVFS" mount "$WORK/mnt"
}

# Ubuntu's restriction: a user namespace can be made, and nothing can be done in it.
root_no_user_namespaces_by_a_switch() {
  without_call mount 13 true || skip "there is no filter for this processor"
  local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  "${nobody[@]}" unshare --user --mount true 2> /dev/null || skip "user namespaces are not allowed here"
  mount -t tmpfs none /proc/sys/kernel || fail "set-up"
  echo 1 > /proc/sys/kernel/apparmor_restrict_unprivileged_userns
  expect_refusal 1 "'sysctl kernel.apparmor_restrict_unprivileged_userns=0' allows them" \
    without_call mount 13 "${nobody[@]}" "$MDEVFS" run true
  expect_refusal 1 "'sysctl kernel.apparmor_restrict_unprivileged_userns=0' allows them" \
    without_call unshare 1 "${nobody[@]}" "$MDEVFS" run true
  rm /proc/sys/kernel/apparmor_restrict_unprivileged_userns
  echo 0 > /proc/sys/kernel/unprivileged_userns_clone
  expect_refusal 1 "'sysctl kernel.unprivileged_userns_clone=1' allows them" \
    without_call unshare 1 "${nobody[@]}" "$MDEVFS" run true
  umount /proc/sys/kernel
}

root_bad_mdevctl_directory() {
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
  expect_refusal 1 "$WORK/none" "$MDEVFS" run --mdevctl-dir "$WORK/none" true
}
