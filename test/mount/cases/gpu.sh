# SPDX-License-Identifier: Apache-2.0
#
# GPUs as the tools that read PCI devices see and use them.
# shellcheck disable=SC2016

vgpu=11111111-1111-4111-8111-111111111111

# on_gpus BACKEND=CARD... -- SCRIPT: one parent of each, at 0000:65:00.0 and on, behind a bridge.
on_gpus() {
  local bus=0x65 machine=$WORK/machine.toml
  : > "$machine"
  while [ "$1" != -- ]; do
    printf '[parents."0000:%02x:00.0"]\nbackend = "%s"\ncard = "%s"\npath = "pci0000:64/0000:64:%02x.0"\n' \
      $((bus)) "${1%%=*}" "${1#*=}" $((bus - 0x64)) >> "$machine"
    bus=$((bus + 1))
    shift
  done
  "$MDEVFS" run --config "$machine" sh -euc "$2" sh $vgpu | sed '/^$/d'
}
needs() { command -v "$1" > /dev/null || skip "there is no $1"; }

root_gpu_vendor() {
  cat > "$WORK/machine.toml" <<'MACHINE'
[parents."0000:65:00.0"]
backend = "nvidia"
card = "L40S"
framework = "vendor"
MACHINE
  expect_equal "0
ID    : vGPU Name
1145
vfio0" "$("$MDEVFS" run --config "$WORK/machine.toml" sh -euc '
    cd /sys/bus/pci/devices/0000:65:00.0/virtfn0
    ls /sys/class/mdev_bus | wc -l
    head -n 1 nvidia/creatable_vgpu_types
    echo 1145 > nvidia/current_vgpu_type; cat nvidia/current_vgpu_type
    ls vfio-dev')"
}

gpu_lspci() {
  needs lspci
  expect_equal '65:00.0 0302: 10de:1eb8 (rev a1)
66:00.0 0300: 8086:5912 (rev 04)
	Kernel driver in use: nvidia
-+-[0000:00]-
 \-[0000:64]-+-01.0-[65]----00.0
             \-02.0-[66]----00.0
Endpoint
Root Port
Root Port' "$(on_gpus nvidia=T4 i915=GVTg_V5 -- '
    lspci -n -s 65:; lspci -n -s 66:
    lspci -k -s 65:00.0 2> /dev/null | grep driver
    lspci -n -t
    lspci -vvv 2> /dev/null | sed -n "s/.*Express (v2) \(.*\) (Slot.*/\1/p; s/.*Express (v2) \(Endpoint\),.*/\1/p" | sort')"
}
root_gpu_lspci() { gpu_lspci; }
user_gpu_lspci() { gpu_lspci; }

root_gpu_lshw() {
  needs lshw
  expect_equal 'configuration: driver=i915
configuration: driver=nvidia' "$(on_gpus nvidia=T4 i915=GVTg_V5 -- '
    lshw -quiet -c display | grep -o "configuration: driver=[a-z0-9]*" | sort')"
}

# Its own way of loading a module is modprobe, which it takes for granted.
root_gpu_driverctl() {
  needs driverctl
  expect_equal '0000:65:00.0 nvidia
0000:65:00.0 (none) [*]
0000:65:00.0 nvidia' "$(on_gpus nvidia=T4 -- '
    gpus() { driverctl list-devices | grep 65:00; }
    gpus
    driverctl --nosave set-override 0000:65:00.0 none; gpus
    test ! -e /sys/class/mdev_bus/0000:65:00.0
    driverctl --nosave unset-override 0000:65:00.0; gpus
    test -e /sys/class/mdev_bus/0000:65:00.0')"
}

gpu_udevadm() {
  needs udevadm
  expect_equal 'E: DEVPATH=/devices/pci0000:64/0000:64:01.0/0000:65:00.0
E: SUBSYSTEM=pci
E: DRIVER=nvidia
E: PCI_ID=10DE:1EB8
    ATTR{class}=="0x030200"
    SUBSYSTEMS=="pci"
    SUBSYSTEMS==""
mdev nvidia-vgpu-vfio' "$(on_gpus nvidia=T4 -- '
    udevadm info /sys/class/mdev_bus/0000:65:00.0 | grep -e DEVPATH= -e SUBSYSTEM= -e DRIVER= -e PCI_ID=
    udevadm info -a /sys/bus/pci/devices/0000:65:00.0 | grep -e "ATTR{class}" -e "SUBSYSTEMS=="
    echo $1 > /sys/class/mdev_bus/0000:65:00.0/mdev_supported_types/nvidia-222/create
    echo $(udevadm info -q property /sys/bus/mdev/devices/$1 | sed -n "s/^SUBSYSTEM=//p; s/^DRIVER=//p" | sort)')"
}
root_gpu_udevadm() { gpu_udevadm; }
user_gpu_udevadm() { gpu_udevadm; }
