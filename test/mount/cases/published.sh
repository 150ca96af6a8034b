# SPDX-License-Identifier: Apache-2.0
#
# Machines from the sample data that mdevctl and libvirt publish with their own tests, as mdevctl sees them here: what
# it lists of them is what their authors expect of the real ones.
# shellcheck disable=SC2016

# mdevctl's tests/types: a subchannel and a GPU. (Its third parent has types without a driver's name before them, which
# no kernel has.)
published_types() {
  needs_mdevctl
  cat > "$WORK/machine.toml" << 'MACHINE'
[units.css]
backend = "sim"
bus = "css"
parent_driver = "vfio_ccw"
device_api = "vfio_mdev"
types.io = { name = "name", description = "description" }
[units.gpu]
backend = "sim"
bus = "pci"
parent_driver = "nvidia"
counting = "type"
types.155 = { name = "GRID M10-2B", max_instances = 4 }
types.36 = { name = "GRID M10-0Q", max_instances = 16 }
[parents."0.0.26ab"]
unit = "css"
[parents."0000:00:03.0"]
unit = "gpu"
MACHINE
  expect_equal '0.0.26ab
  vfio_ccw-io
    Available instances: 4
    Device API: vfio_mdev
    Name: name
    Description: description
0000:00:03.0
  nvidia-155
    Available instances: 4
    Device API: vfio-pci
    Name: GRID M10-2B
  nvidia-36
    Available instances: 16
    Device API: vfio-pci
    Name: GRID M10-0Q' "$("$MDEVFS" run --config "$WORK/machine.toml" mdevctl types | sed '/^$/d')"
}
root_published_types() { published_types; }
user_published_types() { published_types; }

# libvirt's tests/nodedevmdevctldata/mdevctl-list-multiple.json: the matrix device's definition, taken as it stands, and
# what libvirt's nodedevschemadata/ap_matrix_mdev_types.xml has of its parent.
published_matrix() {
  needs_mdevctl
  cat > "$WORK/matrix.json" << 'DEFINITION'
{ "mdev_type": "vfio_ap-passthrough", "start": "manual", "attrs": [
  { "assign_adapter": "5" }, { "assign_adapter": "6" }, { "assign_domain": "0xab" },
  { "assign_control_domain": "0xab" }, { "assign_domain": "4" }, { "assign_control_domain": "4" } ] }
DEFINITION
  expect_equal '../../devices/vfio_ap/matrix
vfio_ap-passthrough VFIO AP Passthrough Device vfio-ap 65536
05.0004 05.00ab 06.0004 06.00ab
0004 00ab
5 6 0xab 0xab 4 4' "$("$MDEVFS" run --backend vfio_ap sh -euc '
    readlink /sys/class/mdev_bus/matrix
    cd /sys/class/mdev_bus/matrix/mdev_supported_types/vfio_ap-passthrough
    echo "$(basename "$PWD") $(cat name) $(cat device_api) $(cat available_instances)"
    device=783e6dbb-ea0e-411f-94e2-717eaad438bf
    mdevctl define -u $device -p matrix --jsonfile "$1"
    mdevctl start -u $device
    cd /sys/bus/mdev/devices/$device
    echo $(cat matrix); echo $(cat control_domains)
    echo $(mdevctl list -d -u $device --dumpjson | sed -n "s/.*\"assign[a-z_]*\": \"\(.*\)\".*/\1/p")' sh "$WORK/matrix.json")"
}
root_published_matrix() { published_matrix; }
user_published_matrix() { published_matrix; }

# The GVT-g devices of the same file: with more memory than a laptop has, as two of V5_4 are there beside one of V5_8.
root_published_gvt() {
  needs_mdevctl
  printf '[parents."0000:00:02.0"]\nbackend = "i915"\naperture_size = 512\n' > "$WORK/machine.toml"
  expect_equal '200f228a-c80a-4d50-bfb7-f5a0e4e34045 0000:00:02.0 i915-GVTg_V5_4 manual
435722ea-5f43-468a-874f-da34f1217f13 0000:00:02.0 i915-GVTg_V5_8 manual
de807ffc-1923-4d5f-b6c9-b20ecebc6d4b 0000:00:02.0 i915-GVTg_V5_4 manual' "$(
    "$MDEVFS" run --config "$WORK/machine.toml" sh -euc '
    mdevctl start -u 200f228a-c80a-4d50-bfb7-f5a0e4e34045 -p 0000:00:02.0 --type i915-GVTg_V5_4
    mdevctl start -u de807ffc-1923-4d5f-b6c9-b20ecebc6d4b -p 0000:00:02.0 --type i915-GVTg_V5_4
    mdevctl start -u 435722ea-5f43-468a-874f-da34f1217f13 -p 0000:00:02.0 --type i915-GVTg_V5_8
    mdevctl list | sort' | sed '/^$/d')"
}
