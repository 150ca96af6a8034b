# SPDX-License-Identifier: Apache-2.0
#
# `mdevfs capture`: a capture of our own mount is the same machine again, and what is no sysfs does no harm.

captured_machine() {  # captured_machine NAME: the machine file of that name
  case $1 in
    samples)
      cat << 'MACHINE'
[parents.mtty]
backend = "mtty"
[parents.mdpy]
backend = "mdpy"
count = 7
[parents.mbochs]
backend = "mbochs"
count = 130
MACHINE
      ;;
    laptop)
      cat << 'MACHINE'
[units.i915.types]
GVTg_V5_4 = { low_gm_size = 128, high_gm_size = 512 }
GVTg_V5_8 = { low_gm_size = 64, high_gm_size = 384, resolution = "1024x768", weight = 2 }
[parents."0000:00:02.0"]
backend = "i915"
vendor = 0x8086
device = 0x5917
link_width = 0
irq = 129
bars = "0=16M,mem64 2=256M,mem64,pref 4=64,io"
MACHINE
      ;;
    gpus)
      cat << 'MACHINE'
[units.nvidia.types]
222 = { name = "GRID T4-1B", max_instances = 16, framebuffer = 1024 }
223 = { name = "GRID T4-2B", max_instances = 8, framebuffer = 2048, frl_config = 45 }
63 = { name = "GRID P40-1Q", max_instances = 24, num_heads = 1 }
[parents."0000:65:00.0"]
backend = "nvidia"
vendor = 0x10de
device = 0x1eb8
class = 0x030200
types = ["222", "223"]
path = "pci0000:64/0000:64:00.0"
iommu_group = "both"
[parents."0000:af:00.0"]
backend = "nvidia"
vendor = 0x10de
device = 0x1b38
numa_node = 1
local_cpulist = "8-15,24-31"
link_speed = "8.0 GT/s PCIe"
link_width = 8
framebuffer = 8192
iommu_group = "both"
MACHINE
      ;;
    functions)
      cat << 'MACHINE'
[units.nvidia.types]
709 = { name = "NVIDIA A16-1B", max_instances = 16 }
710 = { name = "NVIDIA A16-2B", max_instances = 8, framebuffer = 2048 }
[parents."0000:41:00.0"]
backend = "nvidia"
path = "pci0000:40/0000:40:01.1"
vendor = 0x10de
device = 0x25b6
sriov_totalvfs = 16
sriov_offset = 4
sriov_stride = 2
sriov_vf_device = 0x25b7
numvfs = 4
bars = "0=16M,mem 1=16G,mem64,pref 7=256K,mem 8=1G,mem64,pref"
MACHINE
      ;;
    vendor)
      cat << 'MACHINE'
[units.nvidia.types]
1147 = { name = "NVIDIA L40S-1Q", max_instances = 32 }
1145 = { name = "NVIDIA L40S-1B", max_instances = 32 }
1150 = { name = "NVIDIA L40S-48Q", framebuffer = 49152 }
[parents."0000:c1:00.0"]
backend = "nvidia"
framework = "vendor"
vendor = 0x10de
device = 0x26b9
sriov_totalvfs = 3
MACHINE
      ;;
    described)
      cat << 'MACHINE'
[units.card]
backend = "sim"
class = "cards"
driver = "card_mdev"
module = "card_module"
device_api = "vfio-ap"
counting = "pool"
pool = 24
types.small = { name = "Small \"card\"", description = "one\ntwo\\n\tü" }
types.large = { has_name = false, weight = 2 }
attributes.color = { value = "red", mode = 0o644 }
attributes.size = { group = "numbers" }
parameters.speed = { value = "9", mode = 0o644 }

[units.function]
backend = "sim"
bus = "pci"
parent_driver = "fpga"
counting = "type"
types.a = { max_instances = 3 }
types.b = { max_instances = 5 }
types.other = { sysfs_name = "a", max_instances = 2 }
parent_attributes.temperature = { value = "40", mode = 0o644 }
parent_attributes.secret = { mode = 0o200 }
parent_attributes.slot = { group = "where", value = "first\n\nslot", parent = "0000:0b:00.0" }

[units.subchannel]
backend = "sim"
bus = "channel"
parent_driver = "vfio_channel"
max_instances = 1
types.io = { name = "I/O subchannel (Non-QDIO)" }
parent_attributes.type = { value = "0" }

[parents]
card0 = { unit = "card" }
card1 = { unit = "card", types = ["small"], device_name = "card10" }
"0000:0b:00.0" = { unit = "function", types = ["a", "b"], vendor = 0x1172, class = 0x120000, iommu_group = "none" }
"0000:0c:00.0" = { unit = "function", types = ["other"], vendor = 0x1172, link_width = 0 }
"0.0.0313" = { unit = "subchannel", above = "channel0", modalias = "css:t0" }
"0.0.0314" = { unit = "subchannel", above = "channel0" }
MACHINE
      ;;
    mainframe)
      cat << 'MACHINE'
[units.vfio_ap]
aqmask = "-0x10"
control_domains = "0004 00ff"
max_adapter = 63
interrupts = false
ap_config = true
cards.05 = { type = "CEX8C", domains = "0004 00ab" }
cards.0a = { type = "CEX5P", domains = "0010", depth = 4 }
[parents]
"0.0.0010" = { backend = "vfio_ccw", dev_busid = "0.0.1234", pimpampom = "c0 c0 ff" }
"0.0.0011" = { backend = "vfio_ccw", chpids = "51 50 00 00 00 00 00 00" }
MACHINE
      ;;
    equal)
      cat << 'MACHINE'
[units.one]
backend = "sim"
max_instances = 4294967295
types.a = {}
types.b = { description = "of as many" }
[units.two]
backend = "sim"
counting = "type"
types.none = { max_instances = 0 }
types.seven = { max_instances = 7 }
[parents]
one = { unit = "one" }
two = { unit = "two" }
MACHINE
      ;;
  esac
}

# Everything that the tree at $1 shows but for what people did to it.
listing() {
  cd "$1" || fail "no tree"
  find . \( -path ./kernel/config/mdevfs -o -path ./kernel/debug/mdevfs/log \) -prune -o \
    -printf '%P %y %m %s %l\n' | sort
  find . \( -path ./kernel/config/mdevfs -o -path ./kernel/debug/mdevfs/log \) -prune -o \
    -type f -perm /444 -print0 | sort -z | xargs -0 grep -aH '' 2>&1
  cd "$WORK" || fail "no way back"
}

# expect_same_again FILE: a capture of the machine is the machine.
expect_same_again() {
  expect_status 0 "$MDEVFS" mount --config "$1" "$WORK/mnt"
  listing "$WORK/mnt" > "$WORK/first"
  "$MDEVFS" capture --root "$WORK/mnt" > "$WORK/captured.toml" || fail "no capture of $1"
  expect_status 0 fusermount3 -u "$WORK/mnt"
  expect_status 0 "$MDEVFS" check "$WORK/captured.toml"
  expect_status 0 "$MDEVFS" mount --config "$WORK/captured.toml" "$WORK/mnt"
  listing "$WORK/mnt" > "$WORK/second"
  "$MDEVFS" capture --root "$WORK/mnt" > "$WORK/again.toml" || fail "no capture of the capture of $1"
  expect_status 0 fusermount3 -u "$WORK/mnt"
  [ -s "$WORK/first" ] || fail "an empty tree of $1"
  diff "$WORK/first" "$WORK/second" > "$WORK/difference" || fail "$1: $(head -40 "$WORK/difference")
$(cat "$WORK/captured.toml")"
  diff "$WORK/captured.toml" "$WORK/again.toml" || fail "$1 is captured in two ways"
}

captures_are_the_machine() {
  local name
  for name in samples laptop gpus functions vendor described mainframe equal; do
    captured_machine $name > "$WORK/$name.toml"
    expect_same_again "$name.toml"
  done
}
root_captures_are_the_machine() { captures_are_the_machine; }
user_captures_are_the_machine() { captures_are_the_machine; }

# The machines that come with the program.
captures_of_examples() {
  local file
  for file in "$WORK"/bin/examples/*.toml; do
    expect_same_again "$file"
  done
}
root_captures_of_examples() { captures_of_examples; }

create_on() {  # create_on PARENT TYPE NUMBER: a device in the tree at mnt
  echo "83b8f4f2-509f-382f-3c1e-e6bfe0fa10$3" > "$WORK/mnt/class/mdev_bus/$1/mdev_supported_types/$2/create" ||
    fail "no device of $2 on $1"
}

create_some() {
  case $1 in
    samples)
      create_on mtty mtty-1 01
      create_on mtty mtty-2 02
      create_on mdpy mdpy-hd 03
      create_on mbochs mbochs-medium 04
      ;;
    laptop) create_on 0000:00:02.0 i915-GVTg_V5_8 01 ;;
    gpus)
      create_on 0000:65:00.0 nvidia-223 01
      create_on 0000:65:00.0 nvidia-223 02
      ;;
    functions) create_on 0000:41:00.4 nvidia-709 01 ;;
    vendor) echo 1145 > "$WORK/mnt/bus/pci/devices/0000:c1:00.2/nvidia/current_vgpu_type" ;;
    described)
      create_on card0 cards-small 01
      create_on card0 cards-large 02
      create_on 0000:0b:00.0 fpga-b 03
      create_on 0.0.0313 vfio_channel-io 04
      echo blue > "$WORK/mnt/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/vendor/color"
      ;;
    equal) create_on two two-seven 01 ;;
  esac
}

without_comments() { grep -v -e '^#' -e '^$' "$1"; }

# Devices that live are no part of the file, nor is what they have taken.
devices_live_at_capture() {
  local name
  for name in samples laptop gpus functions vendor equal described; do
    captured_machine $name > "$WORK/$name.toml"
    expect_status 0 "$MDEVFS" mount --config "$name.toml" "$WORK/mnt"
    "$MDEVFS" capture --root "$WORK/mnt" > "$WORK/idle.toml"
    create_some $name
    "$MDEVFS" capture --root "$WORK/mnt" > "$WORK/live.toml"
    expect_status 0 fusermount3 -u "$WORK/mnt"
    expect_status 0 "$MDEVFS" check "$WORK/live.toml"
    [ $name = vendor ] || grep -q '^#   83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 of the type ' live.toml || fail "no list of devices"
    # With one type left on it, a function of the vendor's says nothing of the others that it could be.
    [ $name != vendor ] || grep -q '^# left out: 0000:c1:00.2 had a device of the type 1145' live.toml || fail "$(cat live.toml)"
    case $name in
      vendor) ;;
      described) expect_equal 'color = { mode = 0o644, value = "blue" }' "$(grep ^color live.toml)"
        diff <(without_comments idle.toml | grep -v '^driver') \
          <(without_comments live.toml | grep -v -e '^driver' -e '^color' -e '^size' -e '\.attributes\]$') || fail "$name" ;;
      *) diff <(without_comments idle.toml) <(without_comments live.toml) || fail "$name" ;;
    esac
  done
  expect_status 0 "$MDEVFS" mount --config live.toml "$WORK/mnt"
  create_on card0 cards-small 01
  expect_equal "blue  " "$(cat "$WORK"/mnt/bus/mdev/devices/*/{vendor/color,numbers/size} | tr '\n' ' ')"
  expect_status 0 fusermount3 -u "$WORK/mnt"
}
user_devices_live_at_capture() { devices_live_at_capture; }

run_and_capture() {
  needs_user_namespaces
  captured_machine functions > functions.toml
  expect_status 0 "$MDEVFS" run --config functions.toml "$MDEVFS" capture
  cp out captured.toml
  expect_status 0 "$MDEVFS" check captured.toml
  expect_equal 'numvfs = 4' "$(grep ^numvfs captured.toml)"
}
user_run_and_capture() { run_and_capture; }

no_sysfs_at_all() {
  mkdir -p empty file/class
  : > file/class/mdev_bus
  local root
  for root in empty file none; do
    expect_refusal 1 "there are no mediated devices in $root: class/mdev_bus: " "$MDEVFS" capture --root $root
  done
  mkdir -p bare/class/mdev_bus
  expect_status 0 "$MDEVFS" capture --root bare
  expect_equal "" "$err"
  cp out bare.toml
  expect_status 0 "$MDEVFS" check bare.toml
  # shellcheck disable=SC2016
  expect_status 1 bash -c '"$0" capture --root bare > /dev/full' "$MDEVFS"
  case $err in *"cannot write to stdout: No space left on device") ;; *) fail "$err" ;; esac
}
user_no_sysfs_at_all() { no_sysfs_at_all; }

odd_tree() {
  mkdir -p odd/class/mdev_bus "odd/devices/virtual/c/good/mdev_supported_types/c-"{a,b,"c 'd'"} odd/bus/mdev/drivers \
    odd/devices/pci0000:00/{wrong,0000:00:03.0}/mdev_supported_types/x-1 odd/devices/virtual/c/none
  cd odd/class/mdev_bus || fail "no tree"
  ln -s ../../devices/virtual/c/{good,none} ../../devices/pci0000:00/{wrong,0000:00:03.0} .
  ln -s ../../devices/dangling dangling
  ln -s loop loop
  ln -s ../../../../../../../etc out
  ln -s /etc/passwd absolute
  : > file
  cd ../../devices/virtual/c/good || fail "no tree"
  mkfifo fifo mdev_supported_types/c-a/name
  echo many > mdev_supported_types/c-a/available_instances
  printf 'not \xff UTF-8\n' > mdev_supported_types/c-b/description
  head -c 100000 /dev/zero | tr '\0' x > mdev_supported_types/c-b/name
  mkdir mdev_supported_types/c-b/device_api
  echo secret > "mdev_supported_types/c-c 'd'/description"
  chmod 000 "mdev_supported_types/c-c 'd'/description"
  cd "$WORK/odd/devices/pci0000:00/0000:00:03.0" || fail "no tree"
  printf 'abc' > config
  echo "0xqq" > vendor
  echo 99999999999999999999 > irq
  printf '\0' > zero
  ln -s ../../../.. physfn
  ln -s nowhere driver
  cd "$WORK" || fail "no way back"
}

odd_trees() {
  odd_tree
  expect_status 0 timeout 20 "$MDEVFS" capture --root odd
  expect_equal "" "$err"
  cp out odd.toml
  local line
  for line in "class/mdev_bus/dangling: what it points to is no directory" \
    "class/mdev_bus/loop: what it points to is no directory" "class/mdev_bus/out: it points out of the tree" \
    "class/mdev_bus/absolute: it points out of the tree" "devices/pci0000:00/wrong: its name is no PCI address" \
    "devices/virtual/c/none: it has no types" "devices/virtual/c/good/fifo: it is no plain file" \
    "devices/virtual/c/good/mdev_supported_types/c-a/name: it is no plain file" \
    "devices/virtual/c/good/mdev_supported_types/c-a/available_instances: it is no number" \
    "devices/virtual/c/good/mdev_supported_types/c-b/name: it is larger than 65536 bytes" \
    "devices/virtual/c/good/mdev_supported_types/c-c 'd'/description: Permission denied"; do
    grep -qF "# could not read $line" odd.toml || fail "no '$line' in: $(cat odd.toml)"
  done
  grep -qF '# left out, as a machine file cannot say it: description is not \xff UTF-8' odd.toml || fail "$(cat odd.toml)"
  grep -qF '# left out, as a machine file cannot say it: vendor is 0xqq' odd.toml || fail "$(cat odd.toml)"
  grep -qF 'sysfs_name = "c '"'d'"'"' odd.toml || fail "$(cat odd.toml)"
  expect_status 0 "$MDEVFS" check odd.toml
}
user_odd_trees() { odd_trees; }

# A kernel without mdev has no class of parents.
vendor_without_mdev() {
  captured_machine vendor > vendor.toml
  expect_status 0 "$MDEVFS" mount --config vendor.toml "$WORK/mnt"
  mkdir copy
  cp -dR "$WORK/mnt/bus" "$WORK/mnt/devices" copy 2> /dev/null
  expect_status 0 fusermount3 -u "$WORK/mnt"
  chmod -R u+rwX copy
  expect_status 0 "$MDEVFS" capture --root copy
  cp out copy.toml
  grep -q '^framework = "vendor"' copy.toml || fail "$(cat copy.toml)"
  expect_status 0 "$MDEVFS" check copy.toml
}
user_vendor_without_mdev() { vendor_without_mdev; }

functions_switched_off() {
  captured_machine functions | sed 's/^numvfs.*/numvfs = 0/' > functions.toml
  expect_status 0 "$MDEVFS" mount --config functions.toml "$WORK/mnt"
  "$MDEVFS" capture --root "$WORK/mnt" > off.toml || fail "no capture"
  expect_status 0 fusermount3 -u "$WORK/mnt"
  grep -qF "# could not read devices/pci0000:40/0000:40:01.1/0000:41:00.0: it has no virtual functions now" off.toml ||
    fail "$(cat off.toml)"
  expect_status 0 "$MDEVFS" check off.toml
}
user_functions_switched_off() { functions_switched_off; }

# Drivers that describe their types in another way: the parents are sim's, or what differs is said.
other_descriptions() {
  captured_machine gpus > gpus.toml
  captured_machine laptop > laptop.toml
  local name
  for name in gpus laptop; do
    expect_status 0 "$MDEVFS" mount --config "$name.toml" "$WORK/mnt"
    mkdir $name
    # A copy, with what is not to be read left out.
    cp -dR "$WORK/mnt/class" "$WORK/mnt/bus" "$WORK/mnt/devices" $name 2> /dev/null
    expect_status 0 fusermount3 -u "$WORK/mnt"
    chmod -R u+rwX $name
    expect_status 0 "$MDEVFS" capture --root $name
    cp out $name.same
    expect_equal "$name" "$(grep -q 'backend = "sim"' out || echo $name)"
  done
  local types="gpus/devices/pci0000:64/0000:64:00.0/0000:65:00.0/mdev_supported_types"
  sed -i 's/$/, placement=0/' "$types/nvidia-222/description"
  expect_status 0 "$MDEVFS" capture --root gpus
  case $out in *"# its description is made of these values; it was: num_heads="*"placement=0"*) ;; *) fail "$out" ;; esac
  echo "a large one" > "$types/nvidia-222/description"
  echo "a small one" > laptop/devices/pci0000:00/0000:00:02.0/mdev_supported_types/i915-GVTg_V5_8/description
  for name in gpus laptop; do
    expect_status 0 "$MDEVFS" capture --root $name
    cp out $name.other
    grep -q 'backend = "sim"' $name.other || fail "$(cat $name.other)"
    expect_status 0 "$MDEVFS" check $name.other
  done
  grep -q 'description = "a large one"' gpus.other || fail "$(cat gpus.other)"
  grep -q 'bus = "pci"' laptop.other || fail "$(cat laptop.other)"
}
user_other_descriptions() { other_descriptions; }
