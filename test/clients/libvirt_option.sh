# SPDX-License-Identifier: Apache-2.0
#
# `mdevfs run --libvirt` itself: what is written about it, what it leaves alone, and how it fails.
# limit: 180
# as: root user container
# shellcheck disable=SC2016
. "${BASH_SOURCE%/*}/lib.sh"
needs virsh libvirtd mdevctl /etc/mdevctl.d udevadm

readme_is_true() { expect_transcript "$(code_of README.md 'With libvirt')" "$MDEVFS" run --libvirt; }
check "README.md, With libvirt" readme_is_true

manual_is_true() {
  code_of mdevfs.1.scd 'WITH LIBVIRT' > example.sh
  PATH=${MDEVFS%/*}:$PATH expect_status 0 bash -e example.sh
  expect_equal "" "$err"
  expect_equal mtty_mtty "$(head -n 1 out)"
  grep -q '<availableInstances>24</availableInstances>' out || fail "$out"
  expect_equal mdev_83b8f4f2_509f_382f_3c1e_e6bfe0fa1001_mtty "$(sed '/^$/d' out | tail -n 1)"
}
check "man mdevfs, WITH LIBVIRT" manual_is_true

# Neither the caller's choice of a hypervisor nor the host's configuration count.
talks_to_its_own() {
  expect_equal qemu:///system "$(LIBVIRT_DEFAULT_URI=xen:///system VIRSH_DEFAULT_CONNECT_URI=lxc:///system \
    "$MDEVFS" run --libvirt virsh uri | sed '/^$/d')"
  expect_equal mtty_mtty "$("$MDEVFS" run --libvirt virsh -c nodedev:///system nodedev-list --cap mdev_types | sed '/^$/d')"
}
check "clients that name no hypervisor talk to it" talks_to_its_own

hosts_files() { find /etc/libvirt /var/{lib,cache,log}/libvirt /run/libvirt* /etc/mdevctl.d /etc/passwd /etc/group /run/udev -printf '%p %i %C@\n' 2>&1 | sort; }
leaves_the_host_alone() {
  hosts_files > before
  "$MDEVFS" run --libvirt sh -euc '
    echo "<network><name>here</name></network>" > network.xml
    virsh net-define network.xml
    echo "<device><parent>mtty_mtty</parent><capability type=\"mdev\"><type id=\"mtty-1\"/></capability></device>" > device.xml
    virsh nodedev-define device.xml; virsh nodedev-create device.xml
    ls /etc/libvirt/qemu/networks/here.xml /run/libvirt/libvirt-sock > /dev/null
    test ! -e /run/libvirtd.pid' > said 2>&1 || fail "$(cat said)"
  hosts_files > after
  expect_equal "" "$(diff before after)"
}
check "nothing of the host's changes" leaves_the_host_alone

says_what_is_missing() {
  expect_refusal 2 "need the uevents" "$MDEVFS" run --libvirt --no-uevents true
  [ "$WHO" = root ] || return 0
  local program
  for program in /usr/sbin/libvirtd:libvirt-daemon /usr/bin/mdevctl:mdevctl; do
    : > nothing
    chmod 644 nothing
    mount --bind nothing "${program%:*}"
    expect_refusal 1 "install the package ${program#*:}" "$MDEVFS" run --libvirt true
    umount "${program%:*}"
  done
}
check "one line says what is missing" says_what_is_missing

# The line is libvirtd's own last one.
says_why_it_does_not_start() { expect_refusal 1 "before it was ready: " env LIBVIRT_LOG_OUTPUTS=nonsense "$MDEVFS" run --libvirt true; }
check "one line says why libvirtd does not start" says_why_it_does_not_start

# The daemon dies while libvirtd and a client of it watch: who asks gets errors at once, and all ends. The runner, which
# would kill the command, is stopped until the command has seen that.
daemon_is_killed() {
  run_in_background --libvirt sh -c '
    virsh nodedev-event --event lifecycle --loop > events 2>&1 & virsh nodedev-list > listed; : > ready
    while cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/name 2> first; do sleep 0.02; done
    timeout 20 virsh nodedev-dumpxml mtty_mtty > second 2>&1; echo $? > status; : > done
    exec sleep 1000'
  kill -STOP "$runner"
  kill -KILL "$daemon"
  eventually test -e done
  # ENOTCONN, or ECONNABORTED of whom the death surprises in the middle of a request.
  grep -qE 'Transport endpoint is not connected|Software caused connection abort' first || fail "$(cat first)"
  [ "$(cat status)" != 124 ] || fail "virsh waits"
  kill -CONT "$runner"
  local status
  wait "$runner"
  status=$?
  expect_equal 1 $status
  expect_equal "mdevfs: the daemon was killed by signal 9 (Killed), so the command was killed" "$(cat err)"
  eventually nothing_inside
}
check "the daemon is killed while libvirtd watches" daemon_is_killed

libvirtd_is_killed() {
  expect_status 3 "$MDEVFS" run --libvirt sh -c '
    kill -KILL "$(cat /run/libvirt/libvirtd.pid)"
    while virsh uri > /dev/null 2>&1; do sleep 0.02; done
    cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances; exit 3'
  expect_equal 24 "$out"
  case $err in "mdevfs: libvirtd was killed by signal 9 (Killed)"*) ;; *) fail "$err" ;; esac
  expect_equal 1 "$(wc -l < err)"
}
check "libvirtd is killed, and the command goes on" libvirtd_is_killed
