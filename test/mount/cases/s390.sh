# SPDX-License-Identifier: Apache-2.0
#
# An IBM Z machine's parents as its own tools use them, and the control files that switch them.
# shellcheck disable=SC2016

# on_z SCRIPT: its stdout, on a machine with both; $1 is the program.
on_z() { "$MDEVFS" run --backend vfio_ap --backend vfio_ccw sh -euc "$1" sh "$MDEVFS"; }

# As tools of such machines do it: masks that move queues, driver_override, bind and unbind; and all of it goes and comes.
z_drivers() {
  needs_user_namespaces
  expect_equal "vfio_ap cex4queue
4/4 (complete)
vfio_ccw io_subchannel vfio_ccw
0.0.0000 0.0.0313
gone
0.0.0001" "$(on_z '
    driver() { readlink "/sys/bus/$1/devices/$2/driver" | sed "s,.*/,,"; }
    before=$(driver ap 05.0004); echo +4 > /sys/bus/ap/aqmask; echo $before $(driver ap 05.0004)
    cat /sys/bus/ap/bindings
    cd /sys/bus/css
    before=$(driver css 0.0.0000)
    echo 0.0.0000 > drivers/vfio_ccw/unbind; echo 0.0.0000 > drivers_probe; between=$(driver css 0.0.0000)
    echo vfio_ccw > devices/0.0.0000/driver_override
    echo 0.0.0000 > drivers/io_subchannel/unbind; echo 0.0.0000 > drivers_probe
    echo $before $between $(driver css 0.0.0000)
    mkdir /sys/kernel/config/mdevfs/vfio_ccw/parents/0.0.0313
    echo 1 > /sys/kernel/config/mdevfs/vfio_ccw/parents/0.0.0313/live
    echo $(ls drivers/vfio_ccw | grep ^0 | sort)
    cd /
    $1 unload vfio_ap; $1 unload vfio_ccw
    ls -d /sys/bus/ap /sys/bus/css /sys/devices/ap /sys/devices/css0 2> /dev/null || echo gone
    $1 load vfio_ccw parents/0.0.0001/dev_busid=0.0.26ab
    ls /sys/class/mdev_bus')"
}
root_z_drivers() { z_drivers; }
user_z_drivers() { z_drivers; }
