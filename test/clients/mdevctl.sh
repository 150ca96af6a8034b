# SPDX-License-Identifier: Apache-2.0
#
# The client that most of the others stand on: Debian's own mdevctl (1.2.0), all of its commands, under `mdevfs run`. What
# is expected is what it says and does on a kernel.
# limit: 240
# as: root user container debian debian-user
# shellcheck disable=SC2016
. "${BASH_SOURCE%/*}/lib.sh"
needs mdevctl /etc/mdevctl.d

# prints EXPECTED SCRIPT [OPTION...]: under `mdevfs run OPTION...` the script says this, on stdout and stderr; without empty
# lines, which mdevctl ends its lists with.
prints() {
  local expected=$1 script=$2
  shift 2
  expect_equal "$expected" "$("$MDEVFS" run "$@" bash -uc "$beginning$script" 2>&1 < /dev/null | sed '/^$/d')"
}
beginning='
  u=11111111-1111-4111-8111-111111111111 v=22222222-2222-4222-8222-222222222222 w=33333333-3333-4333-8333-333333333333
  device=/sys/bus/mdev/devices
  refused() { "$@" && echo "not refused: $*"; }
  available() { cat "/sys/class/mdev_bus/$1/mdev_supported_types/$2/available_instances"; }
'
u=11111111-1111-4111-8111-111111111111
v=22222222-2222-4222-8222-222222222222

types_of_all() {
  prints 'mbochs
  mbochs-large
    Available instances: 4
    Device API: vfio-pci
    Name: mbochs-large
    Description: virtual display, 64 MB video memory
  mbochs-medium
    Available instances: 16
    Device API: vfio-pci
    Name: mbochs-medium
    Description: virtual display, 16 MB video memory
  mbochs-small
    Available instances: 64
    Device API: vfio-pci
    Name: mbochs-small
    Description: virtual display, 4 MB video memory
mdpy
  mdpy-hd
    Available instances: 4
    Device API: vfio-pci
    Name: mdpy-hd
    Description: virtual display, 1920x1080 framebuffer
  mdpy-vga
    Available instances: 4
    Device API: vfio-pci
    Name: mdpy-vga
    Description: virtual display, 640x480 framebuffer
  mdpy-xga
    Available instances: 4
    Device API: vfio-pci
    Name: mdpy-xga
    Description: virtual display, 1024x768 framebuffer
'"$mtty_types" 'mdevctl types'
}
check "types: all, with what is available" types_of_all

types_of_one() {
  prints '0000:00:02.0
  i915-GVTg_V5_4
    Available instances: 1
    Device API: vfio-pci
    Name: GVTg_V5_4
    Description: low_gm_size: 128MB, high_gm_size: 512MB, fence: 4, resolution: 1920x1200, weight: 4
  i915-GVTg_V5_8
    Available instances: 2
    Device API: vfio-pci
    Name: GVTg_V5_8
    Description: low_gm_size: 64MB, high_gm_size: 384MB, fence: 4, resolution: 1024x768, weight: 2
then
[]
[
  {
    "matrix": [
      {
        "vfio_ap-passthrough": {
          "available_instances": 65536,
          "device_api": "vfio-ap",
          "name": "VFIO AP Passthrough Device"
        }
      }
    ]
  }
]' '
    mdevctl types -p 0000:00:02.0
    echo then; mdevctl types --parent nosuch; mdevctl types -p nosuch --dumpjson
    mdevctl types -p matrix --dumpjson' --backend i915 --backend vfio_ap
}
check "types: of one parent, with a description, as JSON" types_of_one

counts() {
  prints '24 12
21 10
24 12' '
    counts() { echo "$(available mtty mtty-1)" "$(available mtty mtty-2)"; }
    counts
    mdevctl start -u $u -p mtty --type mtty-1; mdevctl start -u $v -p mtty --type mtty-2; counts
    mdevctl stop -u $v; mdevctl stop -u $u; counts'
}
check "start and stop: counts go and come" counts

lists() {
  prints "transient
$u mtty mtty-1 manual
defined
$v mdpy mdpy-hd auto
both
$u mtty mtty-1 manual
$v mdpy mdpy-hd auto (defined)
$v mdpy mdpy-hd auto (active)
of mtty
$u mtty mtty-1 manual
of nobody
of $v
$v mdpy mdpy-hd auto (defined)
by its other name
$u mtty mtty-1 manual
$v mdpy mdpy-hd auto (defined)" '
    echo transient; mdevctl start -u $u -p mtty --type mtty-1; mdevctl list
    echo defined; mdevctl define --auto -u $v -p mdpy --type mdpy-hd; mdevctl list -d
    echo both; mdevctl start -u $v; mdevctl list | sort; mdevctl list --defined
    echo of mtty; mdevctl list -p mtty; mdevctl list -d -p mtty
    echo of nobody; mdevctl list -p nosuch; mdevctl list -u $w
    echo of $v; mdevctl list -u $v
    echo by its other name; lsmdev | sort'
}
check "list: active, defined, of a parent, of a device" lists

lists_as_json() {
  prints '[
  {
    "mdpy": [
      {
        "22222222-2222-4222-8222-222222222222": {
          "mdev_type": "mdpy-vga",
          "start": "manual",
          "attrs": []
        }
      }
    ],
    "mtty": [
      {
        "11111111-1111-4111-8111-111111111111": {
          "mdev_type": "mtty-1",
          "start": "manual",
          "attrs": []
        }
      }
    ]
  }
]
{
  "mdev_type": "mtty-1",
  "start": "manual",
  "attrs": []
}
defined
[]
[
  {
    "mtty": [
      {
        "11111111-1111-4111-8111-111111111111": {
          "mdev_type": "mtty-2",
          "start": "auto",
          "attrs": [
            {
              "power/control": "on"
            }
          ]
        }
      }
    ]
  }
]' '
    mdevctl start -u $u -p mtty --type mtty-1; mdevctl start -u $v -p mdpy --type mdpy-vga
    mdevctl list --dumpjson; mdevctl list --dumpjson -u $u
    mdevctl stop -u $u
    echo defined; mdevctl list -d --dumpjson
    mdevctl define --auto -u $u -p mtty --type mtty-2; mdevctl modify -u $u --addattr power/control --value on
    mdevctl list -d --dumpjson'
}
check "list: as JSON" lists_as_json

definitions() {
  prints "$u mtty mtty-2 manual
$u mtty mtty-2 auto
$u mtty mtty-2 auto (defined)
$u mtty mtty-1 manual
$u mtty mtty-2 manual
then
$v mtty mtty-1 manual
$v mtty mtty-1 manual (active)
$v mtty mtty-1 manual" '
    mdevctl define -u $u -p mtty --type mtty-2; mdevctl list -d
    mdevctl modify -u $u --auto; mdevctl list -d
    mdevctl start -u $u; mdevctl list
    mdevctl modify -u $u --manual --type mtty-1; mdevctl list -d  # the device is as it was
    mdevctl undefine -u $u; mdevctl list; mdevctl stop -u $u
    echo then
    mdevctl start -u $v -p mtty --type mtty-1; mdevctl list
    mdevctl define -u $v; mdevctl list -d  # of a device that is there
    mdevctl undefine -u $v -p mtty; mdevctl list; mdevctl list -d'
}
check "define, modify, undefine" definitions

same_uuid_twice() {
  prints "Error: Multiple definitions found for device $u. Please specify a parent.
$u mtty mtty-1 manual
$u mdpy mdpy-hd manual
Error: Device exists under different parent
$u mdpy mdpy-hd manual
then" '
    mdevctl define -u $u -p mtty --type mtty-1; mdevctl define -u $u -p mdpy --type mdpy-hd
    refused mdevctl start -u $u; mdevctl list -d | sort -r
    mdevctl start -u $u -p mtty; refused mdevctl start -u $u -p mdpy; mdevctl stop -u $u
    mdevctl undefine -u $u -p mtty; mdevctl list -d
    mdevctl define -u $u -p mtty --type mtty-1; mdevctl undefine -u $u
    echo then; mdevctl list -d'
}
check "define: one UUID on two parents" same_uuid_twice

made_up_uuid() {
  prints 'same
24
mtty mtty-2 manual' '
    made=$(mdevctl start -p mtty --type mtty-1)
    [ "$made" = "$(ls $device)" ] && echo same; mdevctl stop -u $made; available mtty mtty-1
    made=$(mdevctl define -p mtty --type mtty-2)
    mdevctl list -d -u $made | cut -d " " -f 2-'
}
check "start and define: without a UUID they make one" made_up_uuid

attributes() {
  prints "$u matrix vfio_ap-passthrough manual
  Attrs:
    @{0}: {\"assign_adapter\":\"5\"}
    @{1}: {\"assign_adapter\":\"0x6\"}
    @{2}: {\"assign_domain\":\"4\"}
    @{3}: {\"assign_control_domain\":\"4\"}
    @{4}: {\"unassign_domain\":\"4\"}
Error: Attribute index 9 is invalid
05.0004 06.0004
05.0004 06.0004
0004
then
06.0004" '
    mdevctl define -u $u -p matrix --type vfio_ap-passthrough
    for attribute in assign_adapter=5 assign_domain=4 assign_control_domain=4 unassign_domain=4; do
      mdevctl modify -u $u --addattr ${attribute%=*} --value ${attribute#*=}
    done
    mdevctl modify -u $u --index 1 --addattr assign_adapter --value 0x6; mdevctl list -dv
    refused mdevctl modify -u $u --delattr --index 9
    mdevctl modify -u $u --delattr --index 4; mdevctl start -u $u
    cd $device/$u; echo $(cat matrix); echo $(cat guest_matrix); cat control_domains; cd /
    echo then
    mdevctl modify -u $u --delattr --index 0; mdevctl stop -u $u; mdevctl start -u $u
    cat $device/$u/matrix' --backend vfio_ap
}
check "modify: attributes are written in their order when the device starts" attributes

attribute_errors() {
  prints "Error: Invalid attribute 'nosuch'
Error: Failed to write 0x999 to attribute assign_adapter
Caused by:
    No such device (os error 19)
Error: Failed to write 4 to attribute assign_domain
Caused by:
    Address already in use (os error 98)
$v" '
    attribute() { mdevctl modify -u $1 --addattr $2 --value $3; }
    mdevctl define -u $u -p matrix --type vfio_ap-passthrough; attribute $u nosuch 1; refused mdevctl start -u $u
    mdevctl modify -u $u --delattr --index 0; attribute $u assign_adapter 0x999; refused mdevctl start -u $u
    ls $device
    mdevctl modify -u $u --delattr --index 0; attribute $u assign_adapter 5; attribute $u assign_domain 4
    mdevctl start -u $v -p matrix --type vfio_ap-passthrough; echo 5 > $device/$v/assign_adapter; echo 4 > $device/$v/assign_domain
    refused mdevctl start -u $u; ls $device' --backend vfio_ap
}
check "start: where an attribute cannot be set no device is left" attribute_errors

json_in() {
  cat > "$WORK/vgpu.json" << 'DEFINITION'
{ "mdev_type": "nvidia-223", "start": "auto", "attrs": [ { "nvidia/vgpu_params": "frame_rate_limiter=0\n" } ] }
DEFINITION
  prints "$u 0000:65:00.0 nvidia-223 auto
  Attrs:
    @{0}: {\"nvidia/vgpu_params\":\"frame_rate_limiter=0
\"}
frame_rate_limiter=0
8 then 6
the same
Error: Unable to read jsonfile \"nosuch.json\"
Caused by:
    No such file or directory (os error 2)
Error: EOF while parsing an object at line 2 column 0
Error: invalid json
Error: Parent 0000:65:00.0 does not support mdev type none" '
    cd '"$WORK"'; parent=0000:65:00.0; before=$(available $parent nvidia-223)
    mdevctl define -u $u -p $parent --jsonfile vgpu.json; mdevctl list -dv
    mdevctl start -u $u; cat $device/$u/nvidia/vgpu_params
    mdevctl start -u $v -p $parent --jsonfile /dev/stdin < vgpu.json; echo "$before then $(available $parent nvidia-223)"
    mdevctl list -d -u $u --dumpjson > again.json; mdevctl undefine -u $u
    mdevctl define -u $u -p $parent --jsonfile again.json; mdevctl list -d -u $u --dumpjson | cmp - again.json && echo the same
    refused mdevctl define -u $w -p $parent --jsonfile nosuch.json
    echo "{" > wrong.json; refused mdevctl define -u $w -p $parent --jsonfile wrong.json
    echo "{}" > wrong.json; refused mdevctl start -u $w -p $parent --jsonfile wrong.json
    echo "{\"mdev_type\": \"none\", \"start\": \"auto\"}" > wrong.json; refused mdevctl start -u $w -p $parent --jsonfile wrong.json
    ' --backend nvidia
}
check "JSON in and out, from a file and from stdin" json_in

refusals() {
  prints "Error: Unable to find parent device 'nosuch'
Error: Unable to find parent device 'MTTY'. Did you mean 'mtty'?
Error: Parent mtty does not support mdev type mtty-9
Error: Device is insufficiently specified
Error: Device is insufficiently specified
Error: Device already exists
Error: Device exists under different parent
Error: Device exists with different type
Error: Mediated device $v is not defined
Error: No devices match the specified uuid
Error: Error removing device $v
Caused by:
    No such file or directory (os error 2)
Error: No available instances of mdpy-vga on mdpy" '
    start() { refused mdevctl start -u "$@"; }
    start $u -p nosuch --type mtty-1; start $u -p MTTY --type mtty-1; start $u -p mtty --type mtty-9
    start $u; start $u -p mtty
    mdevctl start -u $u -p mtty --type mtty-1; start $u -p mtty --type mtty-1; start $u -p mdpy --type mdpy-hd
    start $u -p mtty --type mtty-2
    refused mdevctl modify -u $v --auto; refused mdevctl undefine -u $v; refused mdevctl stop -u $v
    for i in 4 5 6 7; do mdevctl start -p mdpy --type mdpy-hd > /dev/null; done
    start $v -p mdpy --type mdpy-vga'
}
check "refusals say why" refusals

fails_in_the_kernel() {
  prints "Error: Failed to create mdev $u, type mtty-1 on mtty
Caused by:
    Cannot allocate memory (os error 12)
24
$u mtty mtty-1 manual" '
    cd /sys/kernel/debug/mdevfs/mtty/fail_probe; echo 100 > probability; echo 12 > errno; echo 1 > times
    refused mdevctl start -u $u -p mtty --type mtty-1; available mtty mtty-1
    mdevctl start -u $u -p mtty --type mtty-1; mdevctl list'
}
check "start: a probe that fails, and the next that does not" fails_in_the_kernel

# What mdevctl tells its scripts: a callout of the device's type, of which one says that it is not its own (2), and
# everybody else.
callouts() {
  mkdir -p "$WORK/definitions/scripts.d/callouts" "$WORK/definitions/scripts.d/notifiers"
  cat > "$WORK/definitions/scripts.d/callouts/serial" << 'CALLOUT'
#!/bin/sh
config=$(tr -d ' \n')
case "$2" in mtty-*) ;; *) exit 2 ;; esac
echo "$4 $6 $8 $config" >> "$LOG"
case "$4" in
  get) echo '[{"power/control":"on"}]' ;;
  "$FAIL") echo "not with me" >&2; exit 1 ;;
esac
CALLOUT
  printf '#!/bin/sh\ncat > /dev/null; echo "$4 $6 $8 $2" >> "$LOG"\n' > "$WORK/definitions/scripts.d/notifiers/everything"
  chmod 755 "$WORK"/definitions/scripts.d/*/*
  LOG=$WORK/log FAIL='' prints "pre define none {\"mdev_type\":\"mtty-1\",\"start\":\"manual\",\"attrs\":[]}
post define success {\"mdev_type\":\"mtty-1\",\"start\":\"manual\",\"attrs\":[]}
notify define success mtty-1
pre modify none {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
post modify success {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
notify modify success mtty-1
serial: not with me
Error: callout script \"/etc/mdevctl.d/scripts.d/callouts/serial\" failed with return code 1
pre start none {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
notify start none mtty-1
24
serial: not with me
pre start none {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
post start success {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
notify start success mtty-1
23
pre stop none {\"mdev_type\":\"mtty-1\",\"start\":\"manual\",\"attrs\":[]}
post stop success {\"mdev_type\":\"mtty-1\",\"start\":\"manual\",\"attrs\":[]}
notify stop success mtty-1
pre undefine none {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
post undefine success {\"mdev_type\":\"mtty-1\",\"start\":\"auto\",\"attrs\":[]}
notify undefine success mtty-1
notify start success mdpy-hd" '
    said() { cat "$LOG"; rm "$LOG"; }
    mdevctl define -u $u -p mtty --type mtty-1; mdevctl modify -u $u --auto; said
    FAIL=pre; refused mdevctl start -u $u; said; available mtty mtty-1
    FAIL=post; mdevctl start -u $u; said; available mtty mtty-1
    FAIL=; mdevctl stop -u $u; mdevctl undefine -u $u; said
    mdevctl start -u $u -p mdpy --type mdpy-hd; said' --mdevctl-dir "$WORK/definitions"
  rm "$WORK/definitions/scripts.d/notifiers/everything"
  LOG=$WORK/log FAIL='' prints "$u mtty mtty-1 manual
  Attrs:
    @{0}: {\"power/control\":\"on\"}
$u mtty mtty-1 manual (active)
  Attrs:
    @{0}: {\"power/control\":\"on\"}
get" '
    mdevctl start -u $u -p mtty --type mtty-1; mdevctl list -v
    mdevctl define -u $u; mdevctl list -d -v
    grep -o ^get "$LOG" | sort -u' --mdevctl-dir "$WORK/definitions"
}
check "callouts and notifiers, and one that fails" callouts

autostart() {
  prints "mtty
$u mtty mtty-1 auto (defined)
once more
WARN  mdevctl] Device already exists
$u mtty mtty-1 auto (defined)
a wrong one does not hold up the others
$u mtty mtty-1 auto (defined)" '
    mdevctl define --auto -u $u -p mtty --type mtty-1; mdevctl define -u $v -p mtty --type mtty-1
    mdevctl define --auto -u $w -p mdpy --type mdpy-hd
    echo mtty; mdevctl start-parent-mdevs mtty; mdevctl list
    echo once more; mdevctl start-parent-mdevs mtty 2>&1 | cut -d " " -f 2-
    mdevctl start-parent-mdevs nosuch; mdevctl list
    echo a wrong one does not hold up the others; mdevctl stop -u $u
    mdevctl modify -u $v --auto --type mtty-9; mdevctl start-parent-mdevs mtty 2> /dev/null; mdevctl list'
}
check "autostart: start-parent-mdevs" autostart

parent_comes_and_goes() {
  prints "$u 0000:00:02.0 i915-GVTg_V5_8 auto
$u 0000:00:02.0 i915-GVTg_V5_8 auto (active)
Error: Unable to find parent device '0000:00:02.0'
$u 0000:00:02.0 i915-GVTg_V5_8 auto
$u 0000:00:02.0 i915-GVTg_V5_8 auto (active)" '
    mdevctl define --auto -u $u -p 0000:00:02.0 --type i915-GVTg_V5_8; mdevctl list -d
    mdevctl start -u $u; mdevctl list -d
    echo 0000:00:02.0 > /sys/bus/pci/drivers/i915/unbind; mdevctl list; refused mdevctl start -u $u; mdevctl list -d
    echo 0000:00:02.0 > /sys/bus/pci/drivers_probe; mdevctl start-parent-mdevs 0000:00:02.0; mdevctl list -d' --backend i915
}
check "a definition outlives its parent's driver" parent_comes_and_goes

gpu() {
  prints '16 8 1 then 0 7 0
Error: No available instances of nvidia-222 on 0000:65:00.0
frame_rate_limiter=
16 8 1' '
    parent=0000:65:00.0
    counts() { echo $(available $parent nvidia-222) $(available $parent nvidia-223) $(available $parent nvidia-229); }
    before=$(counts); mdevctl start -u $u -p $parent --type nvidia-223; echo "$before then $(counts)"
    refused mdevctl start -u $v -p $parent --type nvidia-222
    mdevctl stop -u $u
    # mdevctl writes no newline, and the driver does without the last character.
    mdevctl define -u $v -p $parent --type nvidia-222
    mdevctl modify -u $v --addattr nvidia/vgpu_params --value frame_rate_limiter=0
    mdevctl start -u $v; cat $device/$v/nvidia/vgpu_params; mdevctl stop -u $v; counts' --backend nvidia
}
check "an NVIDIA GPU has one type at a time" gpu

gpu_functions() {
  printf '[parents."0000:65:00.0"]\nbackend = "nvidia"\ncard = "A16"\n' > "$WORK/a16.toml"
  prints "16
0
2 0000:65:00.4 0000:65:00.5
$u 0000:65:00.5 nvidia-709 manual" '
    cd /sys/bus/pci/devices/0000:65:00.0
    mdevctl types | grep -c ^0000; echo 0 > sriov_numvfs; ls /sys/class/mdev_bus | wc -l
    echo 2 > sriov_numvfs; echo $(cat sriov_numvfs; ls /sys/class/mdev_bus)
    mdevctl start -u $u -p 0000:65:00.5 --type nvidia-709; mdevctl list
    echo 0 > sriov_numvfs; mdevctl list' --config "$WORK/a16.toml"
}
check "virtual functions as parents, and without them no device" gpu_functions

channel() {
  prints "0.0.0000
  vfio_ccw-io
    Available instances: 1
    Device API: vfio-ccw
    Name: I/O subchannel (Non-QDIO)
$u 0.0.0000 vfio_ccw-io manual
0
Error: No available instances of vfio_ccw-io on 0.0.0000
1" '
    mdevctl types; mdevctl start -u $u -p 0.0.0000 --type vfio_ccw-io; mdevctl list; available 0.0.0000 vfio_ccw-io
    refused mdevctl start -u $v -p 0.0.0000 --type vfio_ccw-io; mdevctl stop -u $u; available 0.0.0000 vfio_ccw-io
    ' --backend vfio_ccw
}
check "a subchannel has one device" channel
