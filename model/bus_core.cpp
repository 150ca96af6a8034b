// SPDX-License-Identifier: Apache-2.0
//
// What the driver core does for parent devices (drivers/base/{core,bus,dd}.c): devices and drivers of a bus
// come and go, and are brought together by the bus's rule or by who writes to bind, unbind and drivers_probe.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "bus.h"
#include "core.h"
#include "text.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Node directory_of(Object& object) {
  return {&object, object.self()};
}

}  // namespace

// --- buses

std::shared_ptr<Bus> Core::find_bus(std::string_view name) {
  const Lock lock(modules_lock_);
  const auto at = std::ranges::find(buses_, name, [](const auto& bus) { return bus->name(); });
  return at == buses_.end() ? nullptr : *at;
}

std::shared_ptr<Bus> Core::add_bus(std::shared_ptr<Bus> bus) {
  {
    const Lock lock(modules_lock_);
    const auto at = std::ranges::find(buses_, bus->name(), [](const auto& b) { return b->name(); });
    if (at != buses_.end()) return *at;
    buses_.push_back(bus);
    tree_.appear(*bus, {kSelf});
  }
  announce(directory_of(*bus), "add");
  return bus;
}

// bus_unregister.
void Core::remove_bus(Bus& bus) {
  const auto keep = bus.shared_from_this();
  {
    const Lock lock(modules_lock_);
    if (std::erase_if(buses_, [&](const auto& b) { return b.get() == &bus; }) == 0) return;
  }
  tree_.vanish(bus, {kSelf});
  announce(directory_of(bus), "remove");
}

namespace {

// The devices of a bus in the order in which they came, which is that of their ids.
std::vector<std::shared_ptr<HostDevice>> devices_of(Object& object, Slot slot) {
  std::vector<std::shared_ptr<HostDevice>> devices;
  const SharedLock lock(kernfs_rwsem);
  object.members(slot)->walk(0, [&](const Members::Member& member) {
    if (member.node.object->self() == Slot::host_device_directory)
      devices.push_back(std::static_pointer_cast<HostDevice>(member.node.object->shared_from_this()));
    return true;
  });
  std::ranges::sort(devices, {}, [](const auto& device) { return device->id; });
  return devices;
}

std::vector<std::shared_ptr<BusDriver>> drivers_of(Bus& bus) {
  std::vector<std::shared_ptr<BusDriver>> drivers;
  const SharedLock lock(kernfs_rwsem);
  bus.members(Slot::bus_drivers)->walk(0, [&](const Members::Member& member) {
    drivers.push_back(std::static_pointer_cast<BusDriver>(member.node.object->shared_from_this()));
    return true;
  });
  std::ranges::sort(drivers, {}, [](const auto& driver) { return driver->id; });
  return drivers;
}

}  // namespace

std::shared_ptr<HostDevice> Core::find_host_device(Bus& bus, std::string_view text) {
  const SharedLock lock(kernfs_rwsem);
  const Node link = bus.members(Slot::bus_devices)->find(without_newline(text));
  if (link.object == nullptr) return nullptr;
  return std::static_pointer_cast<HostDevice>(link.object->shared_from_this());
}

// --- drivers

// bus_add_driver. Devices are bound before the driver itself is announced.
Result<void> Core::add_bus_driver(std::shared_ptr<BusDriver> driver) {
  Bus& bus = *driver->bus;
  {
    const Lock lock(modules_lock_);
    if (tree_.lookup(tree_.resolve(inode_of(bus.id, Slot::bus_drivers)), driver->name())) {
      log_.print(Level::error,
                 fmt::format("Error: Driver '{}' is already registered, aborting...", driver->name()));
      return fail(EBUSY);
    }
    if (driver->module) {
      Loaded* const owner = loaded(*driver->module);
      if (owner == nullptr) return fail(ENODEV);
      owner->bus_drivers.push_back(driver);
    } else {
      builtin_drivers_.push_back(driver);
    }
    tree_.appear(*driver, {kSelf});
    if (driver->module) tree_.appear(*driver, {BusDriver::kModule});
    if (driver->has_bind_files()) tree_.appear(*driver, {BusDriver::kBind});
  }
  if (bus.drivers_autoprobe) attach_driver_to_all(*driver);
  announce(directory_of(*driver), "add");
  return {};
}

void Core::remove_bus_driver(BusDriver& driver) {
  const auto keep = driver.shared_from_this();
  {
    const Lock lock(modules_lock_);
    Loaded* const owner = driver.module ? loaded(*driver.module) : nullptr;
    auto& drivers = owner != nullptr ? owner->bus_drivers : builtin_drivers_;
    if (std::erase_if(drivers, [&](const auto& d) { return d.get() == &driver; }) == 0) return;
  }
  detach_bus_driver(driver);
}

// bus_remove_driver, driver_detach: who came last goes first. All devices are looked at, because one may be
// on its way to this driver, with its lock held and not bound yet.
void Core::detach_bus_driver(BusDriver& driver) {
  driver.going = true;
  tree_.vanish(driver, {BusDriver::kBind});
  auto devices = devices_of(*driver.bus, Slot::bus_devices);
  std::ranges::reverse(devices);
  for (const auto& device : devices) {
    const Lock lock(device->device_lock);
    if (device->driver().get() == &driver) release_bus_driver(*device);
  }
  tree_.vanish(driver, {BusDriver::kModule, kSelf});
  announce(directory_of(driver), "remove");
}

// --- bringing them together

// really_probe.
Result<void> Core::call_bus_probe(HostDevice& device, BusDriver& driver) {
  {
    Changes changes;
    {
      const Lock lock(kernfs_rwsem);
      device.set_driver(std::static_pointer_cast<BusDriver>(driver.shared_from_this()));
      tree_.appear_locked(device, HostDevice::kDriver, changes);
    }
    tree_.finish(std::move(changes));
  }
  Result<void> probed;
  try {
    announce_wait();
    probed = driver.probe(device);
  } catch (...) {
    probed = fail(EIO);
  }
  if (probed) {
    tree_.appear(device, {HostDevice::kDriverGroups});
    announce_binding(directory_of(device), "bind");
    return {};
  }
  forget_bus_driver(device);
  const int error = std::abs(probed.error().value);
  print_probe_failure(driver.name(), device.name(), error);
  return fail(error == kProbeDeferred ? EAGAIN : error);
}

void Core::forget_bus_driver(HostDevice& device) {
  tree_.vanish(device, {HostDevice::kDriver});
  const Lock lock(kernfs_rwsem);
  device.set_driver(nullptr);
}

// __driver_probe_device.
Result<void> Core::bind_locked(HostDevice& device, BusDriver& driver) {
  if (device.dead || driver.going) return fail(ENODEV);
  if (device.driver()) return fail(EBUSY);
  return call_bus_probe(device, driver);
}

// __device_release_driver.
void Core::release_bus_driver(HostDevice& device) {
  const auto driver = device.driver();
  if (!driver) return;
  tree_.vanish(device, {HostDevice::kDriverGroups});
  announce_wait();
  driver->remove(device);
  forget_bus_driver(device);
  announce_binding(directory_of(device), "unbind");
}

// __driver_attach.
bool Core::try_to_bind(HostDevice& device, BusDriver& driver) {
  if (!driver.matches(device)) return false;
  const Lock lock(device.device_lock);
  return bind_locked(device, driver).has_value();
}

// device_attach: the first driver that matches and takes it.
void Core::find_driver_for(HostDevice& device) {
  for (const auto& driver : drivers_of(*device.info.bus)) {
    if (device.driver() || try_to_bind(device, *driver)) return;
  }
}

// driver_attach.
void Core::attach_driver_to_all(BusDriver& driver) {
  for (const auto& device : devices_of(*driver.bus, Slot::bus_devices)) {
    if (!device->driver()) try_to_bind(*device, driver);
  }
}

// bind_store.
Result<void> Core::bind(BusDriver& driver, std::string_view text) {
  const auto device = find_host_device(*driver.bus, text);
  if (!device || !driver.matches(*device)) return fail(ENODEV);
  const Lock lock(device->device_lock);
  return bind_locked(*device, driver);
}

// unbind_store.
Result<void> Core::unbind(BusDriver& driver, std::string_view text) {
  const auto device = find_host_device(*driver.bus, text);
  if (!device || device->driver().get() != &driver) return fail(ENODEV);
  const Lock lock(device->device_lock);
  if (device->driver().get() == &driver) release_bus_driver(*device);
  return {};
}

// drivers_probe_store, bus_rescan_devices_helper: that no driver takes it is no error.
Result<void> Core::drivers_probe(Bus& bus, std::string_view text) {
  const auto device = find_host_device(bus, text);
  if (!device) return fail(ENODEV);
  if (!device->driver()) find_driver_for(*device);
  return {};
}

// --- devices

// iommu_group_alloc.
std::shared_ptr<IommuGroup> Core::add_iommu_group() {
  unsigned number = 0;
  {
    const Lock lock(mdev_list_lock);
    number = iommu_numbers_.take();
  }
  auto group = make<IommuGroup>(number);
  tree_.appear(*group, {kSelf});
  return group;
}

void Core::leave_iommu_group(HostDevice& device) {
  IommuGroup* const group = device.iommu_group.get();
  if (group == nullptr) return;
  tree_.vanish(device, {HostDevice::kIommu});
  device.print(Level::info, fmt::format("Removing from iommu group {}", group->number));
  Changes changes;
  bool last = false;
  {
    const Lock lock(kernfs_rwsem);
    last = group->members(Slot::host_iommu_group_devices)->size() == 0 &&
           tree_.vanish_locked(*group, kSelf, changes);
  }
  tree_.finish(std::move(changes));
  if (!last) return;
  const Lock lock(mdev_list_lock);
  iommu_numbers_.give_back(group->number);
}

// device_add, bus_probe_device.
Result<void> Core::add_host_device(std::shared_ptr<HostDevice> device, bool probe) {
  const HostDeviceInfo& info = device->info;
  {
    const Lock lock(modules_lock_);
    const Node in = Tree::directory_of(directory_of(*device));
    const auto has = [&](Node directory) {
      return directory.object != nullptr &&
             tree_.lookup(tree_.resolve(inode_of(directory)), device->name()).has_value();
    };
    if (has(in) || (info.bus && has({info.bus.get(), Slot::bus_devices}))) {
      print_duplicate(Tree::path(directory_of(*device)));
      print_failed_add(device->name());
      return fail(EEXIST);
    }
    Changes changes;
    const bool shadowed = !info.is_parent || root_has(Slot::kernel_debug_mdevfs, device->name());
    {
      const Lock tree_lock(kernfs_rwsem);
      tree_.appear_locked(*device, kSelf, changes);
      tree_.appear_locked(*device, HostDevice::kRemove, changes);
      if (info.bus) tree_.appear_locked(*device, HostDevice::kSubsystem, changes);
      if (!shadowed) tree_.appear_locked(*device, HostDevice::kDebug, changes);
      if (device->iommu_group) tree_.appear_locked(*device, HostDevice::kIommu, changes);
    }
    tree_.finish(std::move(changes));
    host_devices_.push_back(device);
  }
  if (device->iommu_group) {
    device->print(Level::info, fmt::format("Adding to iommu group {}", device->iommu_group->number));
  }
  announce(directory_of(*device), "add");
  if (probe && info.bus && info.bus->drivers_autoprobe) find_driver_for(*device);
  return {};
}

void Core::probe_host_device(HostDevice& device) {
  if (device.info.bus->drivers_autoprobe) find_driver_for(device);
}

// device_del. What is below it goes first, the last to come before the others.
void Core::remove_host_device(HostDevice& device) {
  const auto keep = device.shared_from_this();
  auto below = devices_of(device, Slot::host_device_directory);
  std::ranges::reverse(below);
  for (const auto& child : below) remove_host_device(*child);
  {
    const Lock lock(modules_lock_);
    const auto same = [&](const auto& d) { return d.get() == &device; };
    if (std::erase_if(host_devices_, same) == 0) return;  // another one is at it
  }
  {
    const Lock lock(device.device_lock);
    device.dead = true;
    release_bus_driver(device);
  }
  leave_iommu_group(device);
  tree_.vanish(device, {HostDevice::kDebug, HostDevice::kRemove, HostDevice::kSubsystem, kSelf});
  announce(directory_of(device), "remove");
}

void Core::appear_driver_vfio(HostDevice& device) {
  device.vfio.iommu_group = device.iommu_group ? device.iommu_group->number : 0;
  appear_vfio(device, device.vfio, Slot::host_device_vfio_dev, HostDevice::kVfioParts);
}

void Core::vanish_driver_vfio(HostDevice& device) {
  vanish_vfio_device(device, Slot::host_device_vfio_dev, HostDevice::kVfioParts);
  vanish_vfio_group(device, device.vfio, Slot::host_device_vfio_dev, HostDevice::kVfioParts);
}

}  // namespace mdevfs::model
