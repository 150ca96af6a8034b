# SPDX-License-Identifier: Apache-2.0
#
# OpenStack Nova, as Debian has it: the mdev code of nova-compute's libvirt driver on the libvirtd of `mdevfs run --libvirt`,
# with the parents that it knows, which are PCI functions. The checks are in nova_checks.py.
# limit: 300
# as: root user
. "${BASH_SOURCE%/*}/lib.sh"
needs libvirtd mdevctl /etc/mdevctl.d udevadm /usr/lib/python3/dist-packages/nova/virt/libvirt/driver.py \
  /usr/lib/python3/dist-packages/libvirt.py

# machine TITLE OPTION... -- PARENT=TYPE...
machine() {
  local title=$1 options=()
  shift
  [[ $title == *"$wanted"* ]] || return 0
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  # Debian's python, whatever comes first in PATH.
  "$MDEVFS" run --libvirt "${options[@]}" /usr/bin/python3 "${BASH_SOURCE%/*}/nova_checks.py" "$title" "$@" 2> nova.log |
    tee nova.out
  [ "${PIPESTATUS[0]}" = 0 ] || { failed=$((failed + 1)); tail -n 20 nova.log; }
  passed=$((passed + $(grep -c ^PASS nova.out)))
}

examples=${MDEVFS%/*}/examples
printf '[parents."0000:41:00.0"]\nbackend = "nvidia"\ncard = "A16"\nnumvfs = 4\n' > virtual.toml
machine i915 --config "$examples/laptop.toml" -- 0000:00:02.0=i915-GVTg_V5_8
machine nvidia --config "$examples/server-t4.toml" -- 0000:65:00.0=nvidia-222 0000:af:00.0=nvidia-231
machine sriov --config virtual.toml -- 0000:41:00.4=nvidia-712 0000:41:00.5=nvidia-712
