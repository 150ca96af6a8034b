// SPDX-License-Identifier: Apache-2.0
//
// What the driver core does for mdev (drivers/base/dd.c, bus.c) and vfio with it: attaching a driver to a
// device and releasing it, under the device's lock; the bus's and the drivers' files.
#include <fmt/format.h>

#include <cstdlib>

#include "core.h"
#include "text.h"
#include "uevent.h"

namespace mdevfs::model {

// The driver's probe, with what was asked for by fault injection before it.
Result<void> Core::probe(Device& device) {
  Fault& fault = device.type->parent->device->fault;
  trace(device, "probe enter");
  pause(std::chrono::milliseconds(fault.probe_delay_ms));
  Result<void> probed;
  if (const auto injected = fault.should_fail()) {
    probed = std::unexpected(*injected);
  } else {
    try {
      probed = device.driver().probe(device);
    } catch (...) {
      // It has failed like any other: the parent's unreg_sem must be let go and the UUID freed.
      probed = fail(EIO);
    }
  }
  trace(device, probed ? "probe leave" : fmt::format("probe fails {}", probed.error().value));
  return probed;
}

namespace {

// call_driver_probe. A driver that says that the device is not its own has not failed, nor one that waits.
void print_failure(Device& device, int error) {
  if (error == ENODEV || error == ENXIO || error == kProbeDeferred) return;
  const auto line =
      fmt::format("{}: probe of {} failed with error {}", device.driver().name(), device.name(), -error);
  device.core.log().print(Level::warning, line);
}

}  // namespace

// The driver's remove, likewise.
void Core::call_remove(Device& device) {
  trace(device, "remove enter");
  pause(std::chrono::milliseconds(device.type->parent->device->fault.remove_delay_ms));
  device.driver().remove(device);
  trace(device, "remove leave");
}

void Core::trace(const Device& device, std::string_view what) {
  if (!device.driver().info.traces) return;
  device.print(Level::info, fmt::format("{}: {}", device.driver().name(), what));
}

// device_driver_attach, really_probe.
Result<void> Core::attach_driver(Device& device) {
  const Lock lock(device.device_lock);
  device.has_driver = true;
  tree_.appear(device, {Device::kDriverLinks});
  if (const auto probed = probe(device); !probed) {
    tree_.vanish(device, {Device::kDriverLinks});
    device.has_driver = false;
    print_failure(device, probed.error().value);
    return fail(std::abs(probed.error().value));
  }
  if (device.driver().info.uses_vfio) appear_with_vfio(device);
  if (!device.driver().info.groups.empty()) tree_.appear(device, {Device::kGroups});
  announce({&device, Slot::device_directory}, "bind");
  return {};
}

// device_release_driver. Whoever comes second finds no driver and has nothing to do.
void Core::release_driver(Device& device) {
  const Lock lock(device.device_lock);
  if (!device.has_driver) return;
  tree_.vanish(device, {Device::kDriverLinks});
  if (!device.driver().info.groups.empty()) tree_.vanish(device, {Device::kGroups});
  device.driver().begin_remove(device);
  if (device.driver().info.uses_vfio) {
    wait_for_vfio_users(device);
    vanish_vfio(device);
  }
  call_remove(device);
  device.has_driver = false;
  announce({&device, Slot::device_directory}, "unbind");
}

// vfio_register_emulated_iommu_dev, at the end of the driver's probe.
void Core::appear_with_vfio(Device& device) {
  {
    const Lock lock(mdev_list_lock);
    device.vfio_number = vfio_numbers_.take();
  }
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    device.vfio_glue = vfio_class_->take_glue(changes);
    tree_.appear_locked(device, Device::kVfio, changes);
  }
  tree_.finish(std::move(changes));
  device.print(Level::info, fmt::format("Adding to iommu group {}", device.vfio_number));
  announce({&device, Slot::vfio_group_directory}, "add");
  announce({&device, Slot::device_vfio}, "add");
}

// vfio_unregister_group_dev, at the beginning of the driver's remove.
void Core::vanish_vfio(Device& device) {
  tree_.vanish(device, {Device::kVfio});
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    vfio_class_->release_glue(changes);
  }
  tree_.finish(std::move(changes));
  announce({&device, Slot::device_vfio}, "remove");
  announce({&device, Slot::vfio_group_directory}, "remove");
  device.print(Level::info, fmt::format("Removing from iommu group {}", device.vfio_number));
  const Lock lock(mdev_list_lock);
  vfio_numbers_.give_back(device.vfio_number);
}

std::shared_ptr<Device> Core::find_device(std::string_view text) {
  const SharedLock lock(kernfs_rwsem);
  const Node link = root_->members(Slot::bus_mdev_devices)->find(without_newline(text));
  if (link.object == nullptr) return nullptr;
  return std::static_pointer_cast<Device>(link.object->shared_from_this());
}

// unbind_store. The driver is looked at without the lock, as the kernel does: during a probe it is set
// already, and the unbind waits for the probe and then undoes it.
Result<void> Core::unbind(Driver& driver, std::string_view text) {
  const auto device = find_device(text);
  if (!device || !device->has_driver || &device->driver() != &driver) return fail(ENODEV);
  release_driver(*device);
  return {};
}

// drivers_probe_store. The bus matches nothing, so finding the device is all there is to it.
Result<void> Core::drivers_probe(std::string_view text) {
  return find_device(text) ? Result<void>{} : fail(ENODEV);
}

}  // namespace mdevfs::model
