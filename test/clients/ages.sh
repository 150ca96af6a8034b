# SPDX-License-Identifier: Apache-2.0
#
# mdevctl, libvirt and the idioms of shell scripts on kernels of each age: what is the same on all of them, and what
# a tool meets on some. The script runs itself under `mdevfs run` for each $KERNEL; $MDEVFS_TEST_KERNELS may name others. Where a
# tool does not cope, the check has what it does instead, as mdevfs-ages(7) has under TOOLS.
# limit: 550
# as: root user
. "${BASH_SOURCE%/*}/lib.sh"
needs virsh libvirtd mdevctl /etc/mdevctl.d udevadm

first=11111111-1111-4111-8111-111111111111
second=22222222-2222-4222-8222-222222222222
parent=/sys/class/mdev_bus/mtty
types=$parent/mdev_supported_types
devices=/sys/bus/mdev/devices
in_libvirt=mdev_${first//-/_}_mtty

# since VERSION: is the kernel not older?
since() { [ "$(printf '%s\n' "$1" "$KERNEL" | sort -V | head -n 1)" = "$1" ]; }
counts() { echo $(cat $types/mtty-1/available_instances $types/mtty-2/available_instances); }
said() { timeout 30 "$@" 2>&1 | sed '/^$/d; s/ *$//'; }

shell_idioms() {
  echo $first > $types/mtty-1/create
  [ -L $devices/$first ] && [ -d $parent/$first ] || fail "nothing was created"
  expect_equal "$first" "$(find $devices/ -mindepth 1 -maxdepth 1 -type l -printf %f)"
  expect_equal mtty-1 "$(basename "$(readlink -f $devices/$first/mdev_type)")"
  expect_equal "$(since 5.14 && echo mtty || echo vfio_mdev)" "$(basename "$(readlink $devices/$first/driver)")"
  expect_equal "23 11" "$(counts)"
  ! { echo $first > $types/mtty-1/create; } 2> /dev/null || fail "created twice"
  echo 1 > $devices/$first/remove
  [ ! -e $parent/$first ] || fail "not removed"
  expect_equal "24 12" "$(counts)"
}

mdevctl_starts_and_stops() {
  expect_equal "$mtty_types" "$(said mdevctl types -p mtty)"
  expect_equal "" "$(said mdevctl start -u $first -p mtty --type mtty-2)"
  expect_equal "Error: Device already exists" "$(said mdevctl start -u $first -p mtty --type mtty-2)"
  expect_equal "Error: Device exists under different parent" "$(said mdevctl start -u $first -p card --type card-a)"
  expect_equal "$first mtty mtty-2 manual" "$(said mdevctl list)"
  mdevctl stop -u $first && mdevctl define -u $first -p mtty --type mtty-1 && mdevctl start -u $first
  expect_equal "$first mtty mtty-1 manual (defined)" "$(said mdevctl list)"
  mdevctl stop -u $first && mdevctl undefine -u $first
  expect_equal "" "$(said mdevctl list --defined)$(said mdevctl list)"
}

mdevctl_without_a_name() {
  expect_equal "card
  card-a
    Available instances: 4
    Device API: vfio-pci$(! since 6.1 || printf '\n    Name: a')" "$(said mdevctl types -p card)"
}

# A probe that fails leaves nothing, whatever was seen meanwhile.
mdevctl_fails() {
  local fault=/sys/kernel/debug/mdevfs/mtty/fail_probe
  echo 22 > $fault/errno; echo 1 > $fault/times; echo 100 > $fault/probability
  expect_equal "Error: Failed to create mdev $first, type mtty-1 on mtty
Caused by:
    Invalid argument (os error 22)" "$(said mdevctl start -u $first -p mtty --type mtty-1)"
  echo 0 > $fault/probability
  expect_equal "24 12" "$(counts)$(said mdevctl list)"
}

libvirt_lists() { [ "$(said virsh nodedev-list --cap "${2:-mdev_types}")" = "$1" ]; }  # libvirt_lists NAMES [CAPABILITY]

# libvirt takes one event of udev after the other and runs mdevctl for many of them, so it may be seconds behind. Where it has
# heard of a device that comes and goes now, it has heard of everything before.
libvirt_catches_up() {
  local before
  udevadm settle
  before=$(ls $devices)
  echo $second > $types/mtty-1/create
  eventually libvirt_has_heard_of $second
  echo 1 > $devices/$second/remove
  eventually libvirt_has_forgotten $second
  expect_equal "$before" "$(ls $devices)"
}
libvirt_has_heard_of() { said virsh nodedev-list --cap mdev | grep -q "${1//-/_}"; }
libvirt_has_forgotten() { ! libvirt_has_heard_of "$1"; }

libvirt_creates_and_destroys() {
  libvirt_catches_up
  expect_equal "mtty_mtty" "$(said virsh nodedev-list --cap mdev_types)"
  echo "<device><parent>mtty_mtty</parent><capability type='mdev'><type id='mtty-1'/><uuid>$first</uuid></capability></device>" \
    > "$WORK/device.xml"
  expect_equal "Node device $in_libvirt created from $WORK/device.xml" "$(said virsh nodedev-create "$WORK/device.xml")"
  expect_equal "$in_libvirt" "$(said virsh nodedev-list --cap mdev)"
  expect_equal "<name>$(since 5.14 && echo mtty || echo vfio_mdev)</name>" \
    "$(said virsh nodedev-dumpxml $in_libvirt --xpath //driver/name)"
  expect_equal "Destroyed node device '$in_libvirt'" "$(said virsh nodedev-destroy $in_libvirt)"
  expect_equal "" "$(ls $devices)"
  eventually libvirt_lists "" mdev  # it hears of it from udev, after it has answered
}

# By the parent's uevent change, and where there is none, before 5.3, by its add: mdevctl's rule has both.
udev_starts() {
  mdevctl define --auto -u $first -p mtty --type mtty-1
  (cd /sys/kernel/config/mdevfs/mtty && echo 0 > live && echo 1 > live)
  udevadm settle
  # libvirt hears of both later. If the count is below 0 by then, it drops the parent that it is told of, for good.
  libvirt_catches_up
  expect_equal "$first mtty mtty-1 auto (defined)" "$(said mdevctl list)"
  mdevctl stop -u $first && mdevctl undefine -u $first
  expect_equal "" "$(said mdevctl list --defined)$(said mdevctl list)"
}

# Before 5.14 a driver could refuse: until 5.1 the device stays, and then the refusal is not heard.
driver_refuses_to_remove() {
  local fault=/sys/kernel/debug/mdevfs/mtty/fail_remove
  if since 5.14; then
    [ ! -e $fault ] || fail "there is $fault"
    return
  fi
  echo 5 > $fault/errno; echo 1 > $fault/times; echo 100 > $fault/probability
  mdevctl start -u $first -p mtty --type mtty-1
  expect_equal "$(since 5.2 || echo "Error: Error removing device $first
Caused by:
    Device or resource busy (os error 16)")" "$(said mdevctl stop -u $first)"
  echo 0 > $fault/probability
  expect_equal "$(since 5.2 || echo "$first mtty mtty-1 manual")" "$(said mdevctl list)"
  # What the driver did not give back is lost, as there.
  since 5.2 || mdevctl stop -u $first
  expect_equal "$(since 5.2 && echo 23 11 || echo 24 12)" "$(counts)"
}

# Before 5.14 mtty has no end, and its count no floor. mdevctl refuses at 0 and goes on below it; libvirt, which reads no
# number below 0, forgets the parent.
without_end() {
  local port uuid
  for port in $(seq 10 34); do
    { echo "111111$port-1111-4111-8111-111111111111" > $types/mtty-1/create; } 2> "$WORK/refusal" || break
  done
  expect_equal "$(since 5.14 && echo 0 || echo -1) $(since 5.14 && echo 24 || echo 25)" \
    "$(cat $types/mtty-1/available_instances) $(ls $devices | wc -l)"
  expect_equal "$(since 5.14 && echo 0 || echo -1)" "$(mdevctl types -p mtty | awk '/Available/ {print $3; exit}')"
  expect_equal "$(since 5.14 && echo "Error: No available instances of mtty-1 on mtty")" \
    "$(said mdevctl start -u $second -p mtty --type mtty-1)"
  eventually libvirt_lists "$(since 5.14 && echo mtty_mtty)"
  for uuid in $(ls $devices); do mdevctl stop -u "$uuid"; done
  expect_equal "24 12" "$(counts)$(ls $devices)"
  eventually libvirt_lists mtty_mtty
}

if [ -n "${KERNEL:-}" ]; then
  check "$KERNEL: a shell script creates and removes" shell_idioms
  check "$KERNEL: mdevctl starts, lists and stops" mdevctl_starts_and_stops
  check "$KERNEL: mdevctl and a type that its driver gives no name" mdevctl_without_a_name
  check "$KERNEL: mdevctl and a driver that fails" mdevctl_fails
  check "$KERNEL: libvirt creates and destroys" libvirt_creates_and_destroys
  check "$KERNEL: udev starts what is defined" udev_starts
  check "$KERNEL: mtty when it is full" without_end
  check "$KERNEL: mdevctl and a driver that refuses to remove" driver_refuses_to_remove
  exit
fi

cat > machine.toml << 'MACHINE'
[parents.mtty]
backend = "mtty"

[units.card]
backend = "sim"
[units.card.types.a]
max_instances = 4
[parents.card]
unit = "card"
MACHINE
for kernel in ${MDEVFS_TEST_KERNELS:-4.10 4.17 4.18 5.1 5.2 5.3 5.13 5.14 5.18 6.0 6.1 6.12 7.3}; do
  KERNEL=$kernel "$MDEVFS" run --libvirt --kernel $kernel --config machine.toml bash "$0" "$wanted" &&
    passed=$((passed + 1)) || failed=$((failed + 1))
done
