# SPDX-License-Identifier: Apache-2.0
#
# `--cached` and `-o cached`: clients see every change at once all the same, and what the man page says of the rest.

type_of_mtty() { echo "$1/class/mdev_bus/mtty/mdev_supported_types/mtty-1"; }
first=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001

# What a shell does, one command after another: each sees what those before have done.
shows_changes() { # TREE
  local type i
  type=$(type_of_mtty "$1")
  for ((i = 1; i <= 24; i++)); do
    expect_equal $((25 - i)) "$(cat "$type/available_instances")"
    printf '83b8f4f2-509f-382f-3c1e-%012d\n' $i > "$type/create" || fail "create $i"
  done
  expect_equal "0 24" "$(cat "$type/available_instances") $(ls "$1/bus/mdev/devices" | wc -l)"
  for ((i = 1; i <= 24; i++)); do
    echo 1 > "$1/bus/mdev/devices/$(printf '83b8f4f2-509f-382f-3c1e-%012d' $i)/remove" || fail "remove $i"
    read -r out < "$type/available_instances"
    expect_equal $i "$out"
  done
}

# Where the superuser may open what he cannot read, he hears it then.
mounts_cached() {
  expect_status 0 "$MDEVFS" mount "$@" "$WORK/mnt"
  shows_changes "$WORK/mnt"
  expect_equal 4096 "$(stat -c %s "$(type_of_mtty "$WORK/mnt")/device_api")"
  expect_equal vfio-pci "$(cat "$(type_of_mtty "$WORK/mnt")/device_api")"
  expect_equal 9 "$(stat -c %s "$(type_of_mtty "$WORK/mnt")/device_api")"
  fusermount3 -u "$WORK/mnt"
}
root_mounts_cached() { mounts_cached -o cached; mounts_cached --cached; }
user_mounts_cached() { mounts_cached -o cached; }

# Descriptors that stay open: each read from the beginning shows the count of now.
kept_descriptor_shows_changes() {
  "$MDEVFS" mount -o cached "$WORK/mnt" || fail "no mount"
  local type
  type=$(type_of_mtty "$WORK/mnt")
  # shellcheck disable=SC2016
  expect_status 0 perl -e 'open(my $count, "<", "$ARGV[0]/available_instances") or die; $| = 1;
    for my $number (1 .. 24) {
      sysseek($count, 0, 0); sysread($count, my $text, 100); print $text;
      open(my $create, ">", "$ARGV[0]/create") or die;
      syswrite($create, sprintf("83b8f4f2-509f-382f-3c1e-%012d", $number)) or die $!; close($create);
    }' "$type"
  expect_equal "$(seq 24 -1 1)" "$out"
  fusermount3 -u "$WORK/mnt"
}
root_kept_descriptor_shows_changes() { kept_descriptor_shows_changes; }
user_kept_descriptor_shows_changes() { kept_descriptor_shows_changes; }

# What goes while it is held open, and while others read it.
gone_while_held() {
  "$MDEVFS" mount -o cached "$WORK/mnt" || fail "no mount"
  local device=$WORK/mnt/bus/mdev/devices/$first
  echo $first > "$(type_of_mtty "$WORK/mnt")/create"
  exec 3< "$device/power/runtime_status" 4< "$device/uevent"
  cat <&3 > /dev/null
  echo 1 > "$device/remove"
  expect_status 1 bash -c 'cat <&4'
  expect_equal "cat: -: No such device" "$err"
  exec 3<&- 4<&-
  expect_status 0 fusermount3 -u "$WORK/mnt"
  expect_no_mount
}
root_gone_while_held_cached() { gone_while_held; }
user_gone_while_held_cached() { gone_while_held; }

runs_cached() {
  # shellcheck disable=SC2016
  expect_status 0 "$MDEVFS" run --cached sh -euc '
    mdevctl start -u '$first' -p mtty --type mtty-1; mdevctl list
    cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances
    mdevctl stop -u '$first'; mdevctl list
    cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances'
  expect_equal "$first mtty mtty-1 manual
23
24" "$(sed '/^$/d; s/ *$//' <<< "$out")"
}
root_runs_cached() { runs_cached; }
user_runs_cached() { runs_cached; }

opening_that_means_something() {
  "$MDEVFS" mount -o cached "$WORK/mnt" || fail "no mount"
  echo $first > "$(type_of_mtty "$WORK/mnt")/create"
  expect_status 1 cat "$WORK/mnt/kernel/debug/mdevfs/vfio/0"
  expect_equal "cat: $WORK/mnt/kernel/debug/mdevfs/vfio/0: Operation not supported" "$err"
  fusermount3 -u "$WORK/mnt"
}
root_opening_that_means_something() { opening_that_means_something; }
