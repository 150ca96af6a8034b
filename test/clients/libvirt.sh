# SPDX-License-Identifier: Apache-2.0
#
# Debian's libvirtd and virsh under `mdevfs run --libvirt`: each kind of parent that libvirt knows, the life of devices
# below it, and what a client hears that listens. The script runs itself under `mdevfs run` for each machine, with
# $MACHINE, $parent (its name in libvirt), $address (its name in class/mdev_bus) and $type.
# limit: 550
# as: root user
. "${BASH_SOURCE%/*}/lib.sh"
needs virsh libvirtd mdevctl /etc/mdevctl.d udevadm

uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
other=83b8f4f2-509f-382f-3c1e-e6bfe0fa1002

virsh() { timeout 30 virsh "$@" | sed '/^$/d'; }  # libvirt itself would wait 60 s for an event that does not come
listed() { virsh nodedev-list --cap mdev "$@"; }
in_sysfs() { ls /sys/bus/mdev/devices; }
available() { cat "/sys/class/mdev_bus/$address/mdev_supported_types/$type/available_instances"; }
device_name() { echo "mdev_${1}_$address" | tr '.:-' _; }

describe() {  # describe UUID [MORE]: a device in $WORK/device.xml
  echo "<device><parent>$parent</parent><capability type='mdev'>
    <type id='$type'/><uuid>$1</uuid>${2:-}</capability></device>" > "$WORK/device.xml"
}

types_in_sysfs() {
  local directory
  for directory in "/sys/class/mdev_bus/$address/mdev_supported_types"/*; do
    echo "${directory##*/}" "$(cat "$directory/name")" "$(cat "$directory/device_api")" \
      "$(cat "$directory/available_instances")"
  done | sort
}
types_in_libvirt() {
  virsh nodedev-dumpxml "$parent" | awk -F "[<>']" '
    /<type id=/ {type = $3; next}
    /<\/type>/ {print type; type = ""}
    type != "" {type = type " " $3}' | sort
}

shows_parents() {
  expect_equal "$parents" "$(echo $(virsh nodedev-list --cap mdev_types))"
  expect_equal "<path>$(readlink -f "/sys/class/mdev_bus/$address")</path>" "$(virsh nodedev-dumpxml "$parent" --xpath '//path')"
  [ -n "$(types_in_sysfs)" ] || fail "there are no types"
  expect_equal "$(types_in_sysfs)" "$(types_in_libvirt)"
}

creates() {
  local before
  before=$(available)
  describe $uuid
  expect_equal "Node device $name created from $WORK/device.xml" "$(virsh nodedev-create "$WORK/device.xml")"
  expect_equal "$name $uuid" "$(listed) $(in_sysfs)"
  expect_equal $((before - 1)) "$(available)"
  expect_equal "$(types_in_sysfs)" "$(types_in_libvirt)"
}

shows_device() {
  local device=/sys/bus/mdev/devices/$uuid
  expect_equal "<path>$(readlink -f $device)</path>
<parent>$parent</parent>
<name>$(basename "$(readlink $device/driver)")</name>
<type id=\"$(basename "$(readlink $device/mdev_type)")\"/>
<uuid>$uuid</uuid>
<parent_addr>$address</parent_addr>
<iommuGroup number=\"$(basename "$(readlink $device/iommu_group)")\"/>" "$(virsh nodedev-dumpxml "$name" --xpath \
    '/device/path | /device/parent | /device/driver/name | /device/capability/*')"
}

refuses_second() {
  describe $uuid
  ! timeout 30 virsh nodedev-create "$WORK/device.xml" > "$WORK/said" 2>&1 || fail "created twice"
  grep -q 'Device already exists' "$WORK/said" || fail "$(cat "$WORK/said")"
  expect_equal "$name $uuid" "$(listed --all) $(in_sysfs)"
}

# What libvirt itself starts and destroys it lists by udev's events all the same, and may have answered before.
destroys() {
  expect_equal "Destroyed node device '$name'" "$(virsh nodedev-destroy "$name")"
  expect_equal "" "$(in_sysfs)"
  eventually expect_all_listed ""
  eventually told_last "$name: Deleted"  # it tells of it when it has also run mdevctl, and of what is defined meanwhile before
}

state() { virsh nodedev-info "$name" | awk '/^(Active|Persistent|Autostart)/ {printf "%s%s", separator, $2; separator = " "}'; }

# It looks at mdevctl's files when they change, by a thread of its own, which may be a step behind its answers.
expect_state() { [ "$(state)" = "$1" ]; }

defines() {
  describe $uuid
  expect_equal "Node device '$name' defined from '$WORK/device.xml'" "$(virsh nodedev-define "$WORK/device.xml")"
  expect_equal "$name" "$(listed --inactive)"
  expect_equal "" "$(listed)$(in_sysfs)"
  eventually expect_state "no yes no"
}

starts() {
  expect_equal "Device $name started" "$(virsh nodedev-start "$name")"
  expect_equal "$uuid" "$(in_sysfs)"
  eventually expect_listed "$name"
  eventually expect_state "yes yes no"
}

marks_for_autostart() {
  expect_equal "Device $name marked as autostarted" "$(virsh nodedev-autostart "$name")"
  eventually expect_state "yes yes yes"
  expect_equal "$uuid $address $type auto (active)" "$(mdevctl list --defined | sed '/^$/d; s/ *$//')"
}

undefines() {
  expect_equal "Undefined node device '$name'" "$(virsh nodedev-undefine "$name")"
  eventually expect_state "yes no no"
  expect_equal "$uuid" "$(in_sysfs)"
}

# What comes and goes without libvirt, as nova's devices do.
sees_others_changes() {
  echo $other > "/sys/class/mdev_bus/$address/mdev_supported_types/$type/create"
  eventually expect_listed "$(device_name $other)"
  echo 1 > /sys/bus/mdev/devices/$other/remove
  eventually expect_listed ""
}
expect_listed() { [ "$(listed)" = "$1" ]; }
expect_all_listed() { [ "$(listed --all)" = "$1" ]; }

# The listener is known to listen when it has told of a device that is defined and undefined for it.
start_listening() {
  : > "$WORK/heard"
  command virsh nodedev-event --event lifecycle --loop >> "$WORK/heard" &
  listener=$!
  describe $other
  eventually hears_undefined
  : > "$WORK/heard"
}
hears_undefined() {
  virsh nodedev-define "$WORK/device.xml" > /dev/null
  virsh nodedev-undefine "$(device_name $other)" > /dev/null
  eventually expect_all_listed ""
  told_last ": Undefined"  # perhaps all that it has heard yet
}
told_last() { [[ $(tail -n 1 "$WORK/heard") == *"$1" ]]; }

heard() { sed 's/.*node device //' "$WORK/heard"; }
has_heard() { [ "$(heard | grep -c "$1")" = "$2" ]; }  # has_heard TEXT TIMES

heard_it_all() {
  eventually has_heard Deleted 3
  expect_equal "$(printf '%s\n' "$name: Created" "$name: Deleted" "$name: Defined" "$name: Created" \
    "$name: Undefined" "$name: Deleted" "$(device_name $other): Created" "$(device_name $other): Deleted")" "$(heard)"
}

# What is particular to one kind of parent.

# Of the classes in devices/virtual libvirt looks for parents in mtty alone, on a kernel too.
knows_one_sample_alone() {
  expect_equal "mbochs mdpy mtty" "$(echo $(ls /sys/class/mdev_bus))"
  describe $other
  sed -i 's/mtty_mtty/mdpy_mdpy/; s/mtty-1/mdpy-hd/' "$WORK/device.xml"
  expect_error "invalid parent device 'mdpy_mdpy'" nodedev-create "$WORK/device.xml"
  echo $other > /sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-hd/create
  eventually expect_listed "mdev_${other//-/_}_mdpy"
  expect_equal "<parent>computer</parent>" "$(virsh nodedev-dumpxml "mdev_${other//-/_}_mdpy" --xpath /device/parent)"
  expect_equal "Destroyed node device 'mdev_${other//-/_}_mdpy'" "$(virsh nodedev-destroy "mdev_${other//-/_}_mdpy")"
  expect_equal "" "$(in_sysfs)"
}
expect_error() {  # expect_error TEXT ARGUMENT...: of virsh
  local text=$1
  shift
  ! timeout 30 virsh "$@" > "$WORK/said" 2>&1 || fail "this went well: $*"
  grep -qF "$text" "$WORK/said" || fail "$(cat "$WORK/said")"
}

refuses_what_is_not_there() {
  describe $other
  sed -i s/mtty-1/mtty-3/ "$WORK/device.xml"
  expect_error "Parent mtty does not support mdev type mtty-3" nodedev-create "$WORK/device.xml"
  sed -i s/mtty-3/mtty-2/ "$WORK/device.xml"
  local count
  for ((count = 0; count < 12; count++)); do
    cat /proc/sys/kernel/random/uuid > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2/create
  done
  expect_error "No available instances of mtty-2" nodedev-create "$WORK/device.xml"
  local device
  for device in /sys/bus/mdev/devices/*; do echo 1 > "$device/remove"; done
}

# A parent that goes and comes back, and with it the device that starts by itself.
starts_by_itself() {
  : > "$WORK/heard"
  describe $uuid
  virsh nodedev-define "$WORK/device.xml" > /dev/null
  virsh nodedev-autostart "$name" > /dev/null
  echo 0 > /sys/kernel/config/mdevfs/mtty/live
  eventually has_heard "mtty_mtty: Deleted" 1
  expect_equal "" "$(virsh nodedev-list --cap mdev_types)"
  echo 1 > /sys/kernel/config/mdevfs/mtty/live
  eventually has_heard "mtty_mtty: Created" 1
  eventually expect_listed "$name"
  eventually expect_state "yes yes yes"
  eventually has_heard "$name: Created" 1
  virsh nodedev-undefine "$name" > /dev/null
  virsh nodedev-destroy "$name" > /dev/null
}

also_mtty() {
  check "mtty: the other samples are no parents, their devices are the computer's" knows_one_sample_alone
  check "mtty: an unknown type and a full one" refuses_what_is_not_there
  check "mtty: the parent goes and returns, and a device starts by itself" starts_by_itself
}

unbinds_and_binds() {
  local driver=/sys/bus/pci/drivers/nvidia
  echo "$address" > $driver/unbind
  eventually expect_parents pci_0000_af_00_0
  expect_equal "" "$(virsh nodedev-dumpxml "$parent" | grep -E '<driver>|mdev_types')"
  echo "$address" > $driver/bind
  eventually expect_parents "$parents"
  expect_equal "<name>nvidia</name>" "$(virsh nodedev-dumpxml "$parent" --xpath //driver/name)"
  expect_equal "$(types_in_sysfs)" "$(types_in_libvirt)"
}
expect_parents() { [ "$(echo $(virsh nodedev-list --cap mdev_types))" = "$1" ]; }

# What libvirt has of a PCI function beside what makes it a parent.
shows_pci_function() {
  local function=/sys/bus/pci/devices/$address
  expect_equal "<class>$(cat $function/class)</class>
<domain>0</domain>
<bus>101</bus>
<slot>0</slot>
<function>0</function>
<iommuGroup number=\"$(basename "$(readlink $function/iommu_group)")\">
<numa node=\"$(cat $function/numa_node)\"/>
<link validity=\"sta\" speed=\"$(sed 's|.0 GT/s.*||' $function/current_link_speed)\" width=\"$(cat $function/current_link_width)\"/>" \
    "$(virsh nodedev-dumpxml "$parent" --xpath '//class | //domain | //bus | //slot | //function | //iommuGroup | //numa |
      //link[@validity="sta"]' | grep -v -e '<address' -e '</iommuGroup')"
  expect_equal "$(cat $function/vendor) $(cat $function/device)" "$(virsh nodedev-dumpxml "$parent" \
    --xpath '//vendor/@id | //product/@id' | cut -d '"' -f 2 | tac | paste -sd ' ')"
}

also_nvidia() {
  check "nvidia: the PCI function" shows_pci_function
  check "nvidia: the driver is unbound and bound" unbinds_and_binds
}

physical=pci_0000_41_00_0
virtual_functions() { virsh nodedev-dumpxml $physical --xpath '//capability[@type="virt_functions"]/address' | grep -c .; }

takes_virtual_functions_away_and_brings_some() {
  expect_equal 4 "$(virtual_functions)"
  expect_equal '<address domain="0x0000" bus="0x41" slot="0x00" function="0x0"/>' "$(virsh nodedev-dumpxml "$parent" \
    --xpath '//capability[@type="phys_function"]/address')"
  : > "$WORK/heard"
  echo 0 > /sys/bus/pci/devices/0000:41:00.0/sriov_numvfs
  eventually has_heard Deleted 4
  expect_equal "" "$(virsh nodedev-list --cap mdev_types)"
  expect_equal ' maxCount="16"' "$(virsh nodedev-dumpxml $physical --xpath '//capability[@type="virt_functions"]/@maxCount')"
  echo 2 > /sys/bus/pci/devices/0000:41:00.0/sriov_numvfs
  eventually expect_parents "pci_0000_41_00_4 pci_0000_41_00_5"
  expect_equal 2 "$(virtual_functions)"
}

also_sriov() {
  check "sriov: physical and virtual functions, and fewer of them" takes_virtual_functions_away_and_brings_some
}

assigns_attributes() {
  describe $uuid "<attr name='assign_adapter' value='5'/><attr name='assign_domain' value='0x4'/>"
  virsh nodedev-create "$WORK/device.xml" > /dev/null
  expect_equal 05.0004 "$(cat /sys/bus/mdev/devices/$uuid/matrix)"
  describe $other "<attr name='assign_adapter' value='5'/><attr name='assign_domain' value='0x4'/>"
  expect_error "Failed to write 0x4 to attribute assign_domain" nodedev-create "$WORK/device.xml"
  expect_equal "$uuid" "$(in_sysfs)"
  virsh nodedev-define "$WORK/device.xml" > /dev/null
  virsh nodedev-destroy "$name" > /dev/null
  name=$(device_name $other)
  expect_equal "Device $name started" "$(virsh nodedev-start "$name")"
  expect_equal 05.0004 "$(cat /sys/bus/mdev/devices/$other/matrix)"
  eventually expect_listed "$name"
  expect_equal '<attr name="assign_adapter" value="5"/>
<attr name="assign_domain" value="0x4"/>' "$(virsh nodedev-dumpxml "$name" --xpath //attr)"
  virsh nodedev-destroy "$name" > /dev/null
  virsh nodedev-undefine "$name" > /dev/null
}

# libvirt's tests/nodedevschemadata/ap_matrix_mdev_types.xml, to which the driver is added where there is one.
is_as_published() {
  expect_equal "<device>
  <name>ap_matrix</name>
  <path>/sys/devices/vfio_ap/matrix</path>
  <parent>computer</parent>
  <driver>
    <name>vfio_ap</name>
  </driver>
  <capability type='ap_matrix'>
    <capability type='mdev_types'>
      <type id='vfio_ap-passthrough'>
        <name>VFIO AP Passthrough Device</name>
        <deviceAPI>vfio-ap</deviceAPI>
        <availableInstances>65536</availableInstances>
      </type>
    </capability>
  </capability>
</device>" "$(virsh nodedev-dumpxml ap_matrix)"
  expect_equal "ap_05_0004 ap_05_00ab ap_06_0004 ap_06_00ab" "$(echo $(virsh nodedev-list --cap ap_queue))"
  expect_equal "ap_card05 ap_card06" "$(echo $(virsh nodedev-list --cap ap_card))"
}

also_vfio_ap() {
  check "vfio_ap: the matrix is as libvirt publishes it, with its cards and queues" is_as_published
  check "vfio_ap: attributes" assigns_attributes
}

# libvirt's tests/nodedevschemadata/css_0_0_fffe_mdev_types_channel_dev_addr.xml.
is_as_published_subchannel() {
  expect_equal "<device>
  <name>css_0_0_fffe</name>
  <path>/sys/devices/css0/0.0.fffe</path>
  <parent>computer</parent>
  <driver>
    <name>vfio_ccw</name>
  </driver>
  <capability type='css'>
    <cssid>0x0</cssid>
    <ssid>0x0</ssid>
    <devno>0xfffe</devno>
    <channel_dev_addr>
      <cssid>0x0</cssid>
      <ssid>0x0</ssid>
      <devno>0x0815</devno>
    </channel_dev_addr>
    <capability type='mdev_types'>
      <type id='vfio_ccw-io'>
        <name>I/O subchannel (Non-QDIO)</name>
        <deviceAPI>vfio-ccw</deviceAPI>
        <availableInstances>1</availableInstances>
      </type>
    </capability>
  </capability>
</device>" "$(virsh nodedev-dumpxml css_0_0_fffe)"
}

also_vfio_ccw() {
  check "vfio_ccw: the subchannel is as libvirt publishes it" is_as_published_subchannel
}

checks_of_all_machines() {
  check "$MACHINE: parents and types are as in sysfs" shows_parents
  start_listening
  check "$MACHINE: nodedev-create" creates
  check "$MACHINE: nodedev-dumpxml of the device" shows_device
  check "$MACHINE: a second one of the same UUID is refused" refuses_second
  check "$MACHINE: nodedev-destroy" destroys
  check "$MACHINE: nodedev-define" defines
  check "$MACHINE: nodedev-start" starts
  check "$MACHINE: nodedev-autostart" marks_for_autostart
  check "$MACHINE: nodedev-undefine of what is active" undefines
  check "$MACHINE: nodedev-destroy of what was defined" destroys
  check "$MACHINE: devices that others make" sees_others_changes
  check "$MACHINE: nodedev-event tells it all, in order" heard_it_all
}

if [ -n "${MACHINE:-}" ]; then
  name=$(device_name $uuid)
  checks_of_all_machines
  ! declare -F "also_$MACHINE" > /dev/null || "also_$MACHINE"
  kill $listener
  exit
fi

# machine NAME PARENTS ADDRESS TYPE OPTION...
machine() {
  local MACHINE=$1 parents=$2 address=$3 type=$4
  shift 4
  case $wanted in '' | "$MACHINE"*) ;; *) return 0 ;; esac
  MACHINE=$MACHINE parents=$parents parent=${parents%% *} address=$address type=$type \
    "$MDEVFS" run --libvirt "$@" bash "$0" "$wanted" && passed=$((passed + 1)) || failed=$((failed + 1))
}

examples=${MDEVFS%/*}/examples
# libvirt reads all of all types for each list, and again for each event.
printf '[parents."0000:41:00.0"]\nbackend = "nvidia"\ncard = "A16"\nnumvfs = 4\n' > virtual.toml
printf '[parents."0.0.fffe"]\nbackend = "vfio_ccw"\ndev_busid = "0.0.0815"\n' > subchannel.toml
machine mtty mtty_mtty mtty mtty-1
machine i915 pci_0000_00_02_0 0000:00:02.0 i915-GVTg_V5_4 --config "$examples/laptop.toml"
machine nvidia 'pci_0000_65_00_0 pci_0000_af_00_0' 0000:65:00.0 nvidia-222 --config "$examples/server-t4.toml"
machine sriov "$(echo pci_0000_41_00_{4..7})" 0000:41:00.4 nvidia-712 --config virtual.toml
machine vfio_ap ap_matrix matrix vfio_ap-passthrough --backend vfio_ap
machine vfio_ccw css_0_0_fffe 0.0.fffe vfio_ccw-io --config subchannel.toml
