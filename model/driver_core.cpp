// SPDX-License-Identifier: Apache-2.0
//
// What the driver core does for mdev (drivers/base/dd.c, bus.c) and vfio with it: attaching a driver to a
// device and releasing it, under the device's lock; the bus's and the drivers' files.
#include <fmt/format.h>

#include <algorithm>

#include "core.h"
#include "text.h"
#include "uevent.h"

namespace mdevfs::model {

// The driver's probe (or create), with what was asked for by fault injection before it. Where the core does
// not count, drivers do that for which it does later.
Result<void> Core::probe(Device& device) {
  Parent& parent = *device.type->parent;
  Fault& fault = parent.device->fault;
  const std::string_view call = age_.driver_call == DriverCall::as_probe ? "probe" : "create";
  trace(device, fmt::format("{} enter", call));
  if (!age_.core_counts) {
    const Lock lock(mdev_list_lock);
    if (!take_place(parent)) {
      trace(device, fmt::format("{} refuses", call));
      return fail(parent.driver->info.full_errno);
    }
  }
  pause(std::chrono::milliseconds(fault.probe_delay_ms));
  Result<void> probed;
  if (const auto injected = fault.fail_probe.should_fail()) {
    probed = std::unexpected(*injected);
  } else {
    try {
      if (parent.driver->info.waits) announce_wait();
      probed = device.driver().probe(device);
    } catch (...) {
      // It has failed like any other: the parent's unreg_sem must be let go and the UUID freed.
      probed = fail(EIO);
    }
  }
  if (!probed && !age_.core_counts) {
    const Lock lock(mdev_list_lock);
    give_back_place(parent);
  }
  trace(device,
        probed ? fmt::format("{} leave", call) : fmt::format("{} fails {}", call, probed.error().value));
  return probed;
}

// call_driver_probe. A driver that says that the device is not its own has not failed, nor one that waits.
void Core::print_probe_failure(std::string_view driver, std::string_view device, int error) {
  if (error == ENODEV || error == ENXIO || error == kProbeDeferred) return;
  if (age_.driver_prints_probe_failure) {
    log_.print(Level::warning, fmt::format("{}: probe of {} failed with error {}", driver, device, -error));
  } else {
    log_.print(Level::error, fmt::format("{} {}: probe with driver {} failed with error {}", driver, device,
                                         driver, -error));
  }
}

// The driver's remove, likewise. An error: it refuses, which only some ages' drivers can.
Result<void> Core::call_remove(Device& device) {
  Parent& parent = *device.type->parent;
  Fault& fault = parent.device->fault;
  trace(device, "remove enter");
  pause(std::chrono::milliseconds(fault.remove_delay_ms));
  if (age_.driver_may_refuse_remove) {
    if (const auto refused = fault.fail_remove.should_fail()) {
      trace(device, fmt::format("remove refuses {}", refused->value));
      return std::unexpected(*refused);
    }
  }
  if (parent.driver->info.waits) announce_wait();
  if (age_.driver_call != DriverCall::as_probe) device.driver().begin_remove(device);
  device.driver().remove(device);
  if (!age_.core_counts) {
    const Lock lock(mdev_list_lock);
    give_back_place(parent);
  }
  trace(device, "remove leave");
  return {};
}

void Core::trace(const Device& device, std::string_view what) {
  if (!device.driver().info.traces) return;
  const auto line = fmt::format("{}: {}", device.driver().name(), what);
  if (age_.driver_call == DriverCall::as_probe) {
    device.print(Level::info, line);
  } else {
    log_.print(Level::info, line);
  }
}

// really_probe. Whoever comes second finds a driver and has nothing to do.
Result<void> Core::attach_driver(Device& device) {
  const Lock lock(device.device_lock);
  if (device.has_driver || device.dead) return {};
  if (age_.vfio_mdev_binds && !has_vfio_mdev_) return {};
  device.has_driver = true;
  tree_.appear(device, {Device::kDriverLinks});
  if (!age_.vfio_mdev_binds) {
    if (const auto probed = probe(device); !probed) {
      tree_.vanish(device, {Device::kDriverLinks});
      device.has_driver = false;
      print_probe_failure(device.driver().name(), device.name(), probed.error().value);
      return probed;
    }
  }
  if (device.bus_driver().info.uses_vfio) appear_with_vfio(device);
  if (!age_.vfio_mdev_binds) tree_.appear(device, {Device::kGroups});
  announce_binding({&device, Slot::device_directory}, "bind");
  return {};
}

// bus_probe_device, where the bus has a driver for its devices.
void Core::attach_by_bus(Device& device) {
  if (age_.vfio_mdev_binds && root_->drivers_autoprobe) std::ignore = attach_driver(device);
}

// device_release_driver. Whoever comes second finds no driver and has nothing to do.
void Core::release_driver(Device& device) {
  const Lock lock(device.device_lock);
  if (!device.has_driver) return;
  tree_.vanish(device, {Device::kDriverLinks});
  if (!age_.vfio_mdev_binds) {
    tree_.vanish(device, {Device::kGroups});
    if (device.driver().info.waits) announce_wait();
    device.driver().begin_remove(device);
  }
  if (device.bus_driver().info.uses_vfio) release_vfio(device);
  if (!age_.vfio_mdev_binds) std::ignore = call_remove(device);
  device.has_driver = false;
  announce_binding({&device, Slot::device_directory}, "unbind");
}

// vfio_register_emulated_iommu_dev, at the end of the driver's probe.
void Core::appear_with_vfio(Device& device) {
  {
    const Lock lock(mdev_list_lock);
    device.vfio.iommu_group = iommu_numbers_.take();
  }
  {
    const Lock lock(vfio_lock);
    device.vfio_going = false;
  }
  device.print(Level::info, fmt::format("Adding to iommu group {}", device.vfio.iommu_group));
  if (age_.mdev_prints_groups)
    device.print(Level::info, fmt::format("MDEV: group_id = {}", device.vfio.iommu_group));
  appear_vfio(device, device.vfio, Slot::device_vfio_dev, Device::kVfioParts);
}

// vfio_unregister_group_dev, at the beginning of the driver's remove.
void Core::release_vfio(Device& device) {
  constexpr Slot kFirst = Slot::device_vfio_dev;
  if (age_.vfio_device_goes_first) vanish_vfio_device(device, kFirst, Device::kVfioParts);
  wait_for_vfio_users(device);
  if (!age_.vfio_device_goes_first) vanish_vfio_device(device, kFirst, Device::kVfioParts);
  vanish_vfio_group(device, device.vfio, kFirst, Device::kVfioParts);
  device.print(Level::info, fmt::format("Removing from iommu group {}", device.vfio.iommu_group));
  if (age_.mdev_prints_groups) device.print(Level::info, "MDEV: detaching iommu");
  const Lock lock(mdev_list_lock);
  iommu_numbers_.give_back(device.vfio.iommu_group);
}

std::shared_ptr<Device> Core::find_device(std::string_view text) {
  const SharedLock lock(kernfs_rwsem);
  const Node link = root_->members(Slot::bus_mdev_devices)->find(without_newline(text));
  if (link.object == nullptr) return nullptr;
  return std::static_pointer_cast<Device>(link.object->shared_from_this());
}

// In the order in which they came, which is that of their ids.
std::vector<std::shared_ptr<Device>> Core::devices_on_bus() {
  std::vector<std::shared_ptr<Device>> devices;
  const SharedLock lock(kernfs_rwsem);
  root_->members(Slot::bus_mdev_devices)->walk(0, [&](const Members::Member& member) {
    devices.push_back(std::static_pointer_cast<Device>(member.node.object->shared_from_this()));
    return true;
  });
  std::ranges::sort(devices, {}, [](const auto& device) { return device->id; });
  return devices;
}

// driver_attach.
void Core::bind_all_to_vfio_mdev() {
  for (const auto& device : devices_on_bus()) std::ignore = attach_driver(*device);
}

// bind_store. Where each device has its parent's driver, the bus matches none (mdev_bus_match is always
// false): bind cannot work, and an unbound device stays so.
Result<void> Core::bind(Driver& driver, std::string_view text) {
  const auto device = find_device(text);
  if (!age_.vfio_mdev_binds || !device || device->has_driver || &device->bus_driver() != &driver)
    return fail(ENODEV);
  return attach_driver(*device);
}

// unbind_store. The driver is looked at without the lock, as the kernel does: during a probe it is set
// already, and the unbind waits for the probe and then undoes it.
Result<void> Core::unbind(Driver& driver, std::string_view text) {
  const auto device = find_device(text);
  if (!device || !device->has_driver || &device->bus_driver() != &driver) return fail(ENODEV);
  release_driver(*device);
  return {};
}

// drivers_probe_store.
Result<void> Core::drivers_probe(std::string_view text) {
  const auto device = find_device(text);
  if (!device) return fail(ENODEV);
  if (age_.vfio_mdev_binds) std::ignore = attach_driver(*device);
  return {};
}

}  // namespace mdevfs::model
