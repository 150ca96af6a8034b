# SPDX-License-Identifier: Apache-2.0
"""Drives the mdev code of nova-compute's libvirt driver, as nova itself does, over a connection to the libvirtd of
`mdevfs run --libvirt`. Prints a line for each check; nova.sh runs it.

  nova_checks.py TITLE PARENT=TYPE [PARENT=TYPE]     PARENT as in class/mdev_bus, TYPE as in its mdev_supported_types
"""
import nova.monkey_patch  # as nova's programs do, first of all

import os
import sys
import time
import traceback
import uuid

import libvirt
import nova.conf
import nova.conf.devices
import nova.privsep
from nova import exception
from nova.compute import provider_tree
from nova.virt.libvirt import driver, utils

title = sys.argv[1]
wanted = dict(argument.split("=") for argument in sys.argv[2:])
first = next(iter(wanted))

CONF = nova.conf.CONF
CONF([], project="nova", default_config_files=[], default_config_dirs=[])
types = list(dict.fromkeys(wanted.values()))
CONF.set_override("enabled_mdev_types", types, group="devices")
if len(types) > 1:  # then Nova wants to be told which of its parents are to have which
    nova.conf.devices.register_dynamic_opts(CONF)
    for type in types:
        parents = [parent for parent in wanted if wanted[parent] == type]
        CONF.set_override("device_addresses", parents, group="mdev_" + type)
nova.privsep.sys_admin_pctxt.set_client_mode(False)  # what needs root is done here, and not by a daemon of root's

compute = driver.LibvirtDriver(virtapi=None)
compute._host.initialize()


class Skipped(Exception):
    pass


def libvirt_name(parent):
    return "pci_" + parent.replace(":", "_").replace(".", "_")


def read(*path):
    with open(os.path.join("/sys/class/mdev_bus", *path)) as file:
        return file.read().strip()


def available(parent):
    return int(read(parent, "mdev_supported_types", wanted[parent], "available_instances"))


def living():
    return set(os.listdir("/sys/bus/mdev/devices"))


def remove(device):
    with open(f"/sys/bus/mdev/devices/{device}/remove", "w") as file:
        file.write("1")


def equal(expected, got):
    assert expected == got, f"expected {expected}, got {got}"


def known():
    """The devices that libvirt knows, as nova sees them."""
    return {device["uuid"]: device for device in compute._get_mediated_devices()}


def until_libvirt_knows(devices):
    """It hears of them from udev. Nova lists names and looks each up, one of which may have gone by then."""
    deadline = time.time() + 20
    while time.time() < deadline:
        try:
            if set(known()) == set(devices):
                return
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NODE_DEVICE:
                raise
        time.sleep(0.05)
    equal(set(devices), set(known()))


def claim(parent, count):
    """Devices for an instance to which placement has allocated `count` of this parent's."""
    tree = provider_tree.ProviderTree()
    root = tree.new_root("host", str(uuid.uuid4()))
    child = tree.new_child("host_" + libvirt_name(parent), root)
    compute.provider_tree = tree
    return compute._allocate_mdevs({child: {"resources": {"VGPU": count}}})


def lists_types():
    shown = {device["dev_id"]: device for device in compute._get_mdev_capable_devices()}
    equal({libvirt_name(parent) for parent in os.listdir("/sys/class/mdev_bus")}, set(shown))
    for parent in os.listdir("/sys/class/mdev_bus"):
        device = shown[libvirt_name(parent)]
        equal(int(read(parent, "vendor"), 0), device["vendor_id"])
        equal(set(os.listdir(f"/sys/class/mdev_bus/{parent}/mdev_supported_types")), set(device["types"]))
        for type, seen in device["types"].items():
            directory = os.path.join(parent, "mdev_supported_types", type)
            equal({"name": read(directory, "name"), "deviceAPI": read(directory, "device_api"),
                   "availableInstances": int(read(directory, "available_instances"))}, seen)


def counts_inventory():
    inventories = compute._get_gpu_inventories()
    for parent in wanted:
        equal(available(parent), inventories[libvirt_name(parent)]["total"])


def creates():
    before = available(first)
    created = compute._create_new_mediated_device(libvirt_name(first))
    equal({created}, living())
    equal(before - 1, available(first))
    until_libvirt_knows({created})
    group = os.path.basename(os.readlink(f"/sys/bus/mdev/devices/{created}/iommu_group"))
    equal({"dev_id": f"mdev_{created}_{first}".translate(str.maketrans("-:.", "___")), "uuid": created,
           "parent": libvirt_name(first), "type": wanted[first], "iommu_group": int(group)}, known()[created])
    equal(before, compute._get_gpu_inventories()[libvirt_name(first)]["total"])


def finds_by_uuid_alone():
    [created] = living()
    equal(created, compute._get_mediated_device_information(utils.mdev_uuid2name(created))["uuid"])
    equal({created}, compute._get_existing_mdevs_not_assigned(libvirt_name(first)))


def claims():
    """What is there and nobody's comes first, and then new ones are made."""
    [there] = living()
    if available(first) == 0:
        equal([there], claim(first, 1))
        return
    claimed = claim(first, 2)
    assert there in claimed, f"{there} is not in {claimed}"
    equal(living(), set(claimed))
    until_libvirt_knows(claimed)


def claims_of_another_parent():
    before = living()
    second = list(wanted)[1]
    [claimed] = claim(second, 1)
    assert claimed not in before
    until_libvirt_knows(living())
    equal((libvirt_name(second), wanted[second]), (known()[claimed]["parent"], known()[claimed]["type"]))


def spares_what_guests_have():
    [has, *_] = [device for device in living() if known()[device]["parent"] == libvirt_name(first)]
    domain = f"""<domain type='qemu'><name>guest</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os>
      <devices><hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{has}'/></source></hostdev>
      </devices></domain>"""
    try:
        guest = compute._host.get_connection().defineXML(domain)
    except libvirt.libvirtError as error:
        if not os.path.exists("/usr/bin/qemu-system-x86_64"):
            raise Skipped("there is no QEMU for a guest")
        # libvirt sets groups before it tries QEMU out, which an ordinary user's namespace forbids.
        with open("/proc/self/setgroups") as file:
            assert file.read().strip() == "deny" and "cannot set supplemental groups" in str(error), error
        return
    equal({has: guest.UUIDString()}, compute._get_all_assigned_mediated_devices())
    assert has not in compute._get_existing_mdevs_not_assigned(libvirt_name(first))
    compute._recreate_assigned_mediated_devices()  # what is there is left alone
    assert has in living()
    guest.undefine()


def fills_up():
    unclaimed = len([device for device in known().values() if device["parent"] == libvirt_name(first)])
    all = available(first) + unclaimed
    equal(all, len(claim(first, all)))
    equal(0, available(first))
    until_libvirt_knows(living())
    try:
        claim(first, all + 1)
        raise AssertionError("claimed one that is not there")
    except exception.ComputeResourcesUnavailable:
        pass


def creates_again():
    """As after a reboot: a device of this UUID."""
    [lost, *_] = [device for device in living() if known()[device]["parent"] == libvirt_name(first)]
    remove(lost)
    until_libvirt_knows(living())
    equal(lost, compute._create_new_mediated_device(libvirt_name(first), uuid=lost))
    until_libvirt_knows(living())
    equal(wanted[first], known()[lost]["type"])


def knows_no_other_parents():
    """Nova 26 takes every parent for a PCI function."""
    item = "/sys/kernel/config/mdevfs/mtty"
    os.mkdir(item)
    for key, value in (("backend", "mtty"), ("live", "1")):
        with open(os.path.join(item, key), "w") as file:
            file.write(value)
    deadline = time.time() + 20
    while "mtty_mtty" not in compute._host.list_mdev_capable_devices() and time.time() < deadline:
        time.sleep(0.05)
    try:
        compute._get_mdev_capable_devices()
        raise AssertionError("nova knows mtty by now")
    except AttributeError as error:
        assert "pci_capability" in str(error) or "vendor_id" in str(error), error


failed = 0
checks = [lists_types, counts_inventory, creates, finds_by_uuid_alone, claims]
if len(wanted) > 1:
    checks.append(claims_of_another_parent)
checks += [spares_what_guests_have, fills_up, creates_again, knows_no_other_parents]
for check in checks:
    name = f"{title}: {check.__name__.replace('_', ' ')}"
    try:
        check()
        print("PASS", name)
    except Skipped as reason:
        print(f"skipped: {reason} ({name})")
    except BaseException:
        failed += 1
        print("FAIL", name)
        print("     " + traceback.format_exc().replace("\n", "\n     "))
    sys.stdout.flush()
os._exit(1 if failed else 0)  # the driver has threads of its own
