# SPDX-License-Identifier: Apache-2.0
#
# Uevents and the kernel log: who hears them, who does not, and what is said where they are refused.
# shellcheck disable=SC2016

uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
no_uevents="mdevfs: there will be no uevents:"

# In Perl, what udevd does. The function hears until an event comes whose head is its argument, and prints each head with
# what a look at the path then says: whether it is there.
# shellcheck disable=SC2034
hearing='
  use Socket;
  sub listener { my $s; socket($s, 16, 3, 15) && bind($s, pack("SSLL", 16, 0, 0, 1)) or die "no listener: $!"; $s }
  sub hear {
    my ($s, $last) = @_;
    while (recv($s, my $message, 8192, 0)) {
      my ($head) = split /\0/, $message;
      my ($action, $path) = split /@/, $head;
      next unless $path =~ m{^/devices/virtual/(mtty|vfio)};  # root hears the host'"'"'s as well
      print "$head ", (-e "/sys$path" ? "there" : "gone"), "\n";
      return if $head eq $last;
    }
  }
  sub put { my ($text, $path) = @_; my $f; open($f, ">", $path) && syswrite($f, $text) or die "$path: $!" }
  my $uuid = $ENV{UUID};
  my $parent = "/devices/virtual/mtty/mtty";
  my $create = "/sys$parent/mdev_supported_types/mtty-1/create";
  alarm 30;
'

heard_under_run() {
  needs_user_namespaces
  expect_status 0 env UUID=$uuid "$MDEVFS" run --uevents --backend mtty perl -e "$hearing"'
    my $s = listener();
    put($uuid, $create);
    hear($s, "bind@" . "$parent/$uuid");
    put("1", "/sys$parent/$uuid/remove");
    hear($s, "remove@" . "$parent/$uuid");'
  expect_equal "" "$err"
  local device=/devices/virtual/mtty/mtty/$uuid
  expect_equal "add@$device there
add@/devices/virtual/vfio/0 there
add@$device/vfio-dev/vfio0 there
bind@$device there
remove@$device/vfio-dev/vfio0 gone
remove@/devices/virtual/vfio/0 gone
unbind@$device gone
remove@$device gone" "$out"
}
root_uevents_are_heard_under_run() { heard_under_run; }
user_uevents_are_heard_under_run() { heard_under_run; }

# Who hears of the end of a device and looks at once finds it gone, though the kernel had it in its caches.
gone_when_heard() {
  needs_user_namespaces
  expect_status 0 env UUID=$uuid "$MDEVFS" run --uevents --backend mtty perl -e "$hearing"'
    my $s = listener();
    for (1 .. 100) {
      put($uuid, $create);
      stat "/sys$_/$uuid" or die "$_: $!" for $parent, "/bus/mdev/devices";
      if (!fork) { put("1", "/sys$parent/$uuid/remove"); exit }
      hear($s, "remove@" . "$parent/$uuid");
      -e "/sys$_/$uuid" and die "$_/$uuid is there" for $parent, "/bus/mdev/devices";
      wait;
    }'
  expect_equal "" "$(grep "^remove.*there" <<< "$out")"
}
root_gone_when_heard() { gone_when_heard; }
user_gone_when_heard() { gone_when_heard; }

heard_by_udevadm() {
  needs_user_namespaces
  command -v udevadm > /dev/null || skip "there is no udevadm"
  cat > monitor.sh << 'END'
stdbuf -oL udevadm monitor --kernel > heard & monitor=$!
i=0
until grep -q '^KERNEL.*change.*/devices/virtual/mtty/mtty ' heard; do
  echo change > /sys/devices/virtual/mtty/mtty/uevent  # until it listens
  sleep 0.02
  i=$((i + 1))
  [ $i -lt 500 ] || break
done
kill $monitor
END
  expect_status 0 "$MDEVFS" run --uevents --backend mtty sh monitor.sh
  grep -q '^KERNEL.*change.*/devices/virtual/mtty/mtty (mtty)' heard || fail "udevadm heard: $(cat heard)"
}
root_uevents_are_heard_by_udevadm() { heard_by_udevadm; }
user_uevents_are_heard_by_udevadm() { heard_by_udevadm; }

# The command has a network of its own with its own loopback, unless it wants no uevents.
network_of_the_command() {
  needs_user_namespaces
  local outside
  outside=$(readlink /proc/self/ns/net)
  [ "$outside" != "$("$MDEVFS" run readlink /proc/self/ns/net)" ] || fail "it is the host's network"
  expect_equal "$outside" "$("$MDEVFS" run --no-uevents readlink /proc/self/ns/net)"
  [ "$outside" != "$("$MDEVFS" run --uevents readlink /proc/self/ns/net)" ] || fail "it is the host's network"
  expect_status 0 "$MDEVFS" run --uevents perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "listen: $!";
    IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $s->sockport) or die "connect: $!";'
}
root_network_of_the_command() { network_of_the_command; }
user_network_of_the_command() { network_of_the_command; }

# A listener outside hears its own tree's events, which come last, and none of what is done under run.
root_nobody_outside_hears_run() {
  mkdir other
  expect_status 0 unshare --net env UUID=$uuid MDEVFS="$MDEVFS" perl -e "$hearing"'
    my $s = listener();
    system($ENV{MDEVFS}, "run", "--uevents", "sh", "-c", "echo $uuid > $create") == 0 or die "no run";
    system($ENV{MDEVFS}, "run", "sh", "-c", "echo $uuid > $create") == 0 or die "no run";
    system($ENV{MDEVFS}, "mount", "--uevents", "other") == 0 or die "no mount";
    put("change", "other$parent/uevent");
    hear($s, "change@" . $parent);
    system("umount", "other");'
  expect_equal "change@/devices/virtual/mtty/mtty gone" "$out"
}

refused_to_a_user() {
  needs_user_namespaces
  expect_status 0 "$MDEVFS" mount --uevents "$WORK/mnt"
  expect_equal "$no_uevents only root of the network namespace may have the kernel send them" "$err"
  echo $uuid > "$WORK/mnt/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create" || fail "no create"
  expect_status 0 fusermount3 -u "$WORK/mnt"
}
user_uevents_refused_to_a_user() { refused_to_a_user; }

refused_network() {
  needs_user_namespaces
  expect_status 7 unshare --user --map-root-user --mount sh -c "echo 0 > /proc/sys/user/max_net_namespaces &&
    exec $MDEVFS run --uevents sh -c 'echo $uuid > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create && exit 7'"
  expect_equal "$no_uevents the kernel refuses a network namespace (No space left on device)" "$err"
}
user_uevents_refused_network() { refused_network; }

# One that listens and never takes anything loses it, and holds up nobody.
deaf_listener() {
  needs_user_namespaces
  expect_status 0 env UUID=$uuid "$MDEVFS" run --uevents perl -e "$hearing"'
    my $s = listener();
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4096);
    for (1 .. 300) {
      put($uuid, $create);
      put("1", "/sys$parent/$uuid/remove");
    }'
}
root_deaf_listener() { deaf_listener; }
user_deaf_listener() { deaf_listener; }

log_of_run() {
  needs_user_namespaces
  local create=/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
  expect_status 0 "$MDEVFS" run --backend mtty --log log sh -c "echo $uuid > $create"
  expect_equal "" "$out$err"
  expect_equal "<6> mtty $uuid: Adding to iommu group 0" "$(tail -n 1 log)"
  grep -qx '<6> mtty mtty: MDEV: Registered' log || fail "the log is: $(cat log)"
  expect_status 0 "$MDEVFS" run --backend mtty --log - sh -c "echo $uuid > $create"
  expect_equal "$(cat log)" "$err"
  expect_refusal 1 "cannot write the log to none/log: No such file or directory" "$MDEVFS" run --log none/log true
}
root_log_of_run() { log_of_run; }
user_log_of_run() { log_of_run; }

has_line() { grep -qxF "$1" "$2"; }

log_of_mount() {
  local daemon
  "$MDEVFS" mount --backend mtty --log log mnt || fail "no mount"
  echo $uuid > mnt/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
  expect_equal "<6> mtty $uuid: Adding to iommu group 0" "$(tail -n 1 log)"
  fusermount3 -u mnt
  "$MDEVFS" mount -f --backend mtty "$WORK/mnt" 2> "$WORK/err" &
  daemon=$!
  eventually has_line '<6> mtty mtty: MDEV: Registered' "$WORK/err"
  eventually is_mounted
  kill $daemon
  wait $daemon
  expect_equal 0 $?
  expect_refusal 1 "cannot write the log to none/log" "$MDEVFS" mount --log none/log "$WORK/mnt"
}
root_log_of_mount() { log_of_mount; }
user_log_of_mount() { log_of_mount; }
