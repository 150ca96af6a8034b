// SPDX-License-Identifier: Apache-2.0
//
// What drivers/vfio/mdev/mdev_core.c does: registering and unregistering parents, creating and removing
// devices. Create and remove are ordered steps, each a function, so that the order can be read in one place.
#include <fmt/format.h>

#include <algorithm>

#include "core.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Node directory_of(Device& device) {
  return {&device, Slot::device_directory};
}

// As dev_info and the like begin it: a parent device has no driver, and its class's name stands for it.
std::string printed(const ParentDevice& device, std::string_view text) {
  return fmt::format("{} {}: {}", device.device_class->name(), device.name(), text);
}

void announce_state(ParentDevice& device, const char* state) {
  announce({&device, Slot::parent_device_directory}, "change", {fmt::format("MDEV_STATE={}", state)});
}

}  // namespace

// --- parents

Result<std::shared_ptr<Parent>> Core::register_parent(std::shared_ptr<ParentDevice> device,
                                                      std::shared_ptr<Driver> driver,
                                                      std::vector<TypeInfo> types) {
  const auto refuse = [&](const std::string& name, const std::string& below, int error) {
    print_duplicate(Tree::path({device.get(), Slot::parent_device_directory}) + "/" + below + name);
    print_failed_add(name);
    return fail(error);
  };
  for (auto type = types.begin(); type != types.end(); ++type) {
    const auto same = [&](const TypeInfo& other) { return other.sysfs_name == type->sysfs_name; };
    if (std::any_of(types.begin(), type, same)) {
      return refuse(device->device_class->name() + "-" + type->sysfs_name, "mdev_supported_types/", EEXIST);
    }
  }
  auto parent = make<Parent>(device, std::move(driver));
  {
    const Lock lock(mdev_list_lock);
    if (device->registration.lock()) return refuse(parent->name(), "", ENOMEM);
    device->registration = parent;
    parents_.push_back(parent);
  }
  for (TypeInfo& info : types) {
    const auto number = static_cast<unsigned>(parent->types.size());
    parent->types.push_back(make<Type>(parent, std::move(info), number));
  }
  Changes changes;
  bool taken = false;
  {
    const Lock lock(kernfs_rwsem);
    tree_.appear_locked(*parent, kSelf, changes);
    for (const auto& type : parent->types) {
      tree_.appear_locked(*type, kSelf, changes);
      if (parent->driver->show_description(*type)) tree_.appear_locked(*type, Type::kDescription, changes);
    }
    // class_compat_create_link fails on a second device of one name, with a warning in the log and no other
    // effect.
    taken = root_->members(Slot::class_mdev_bus)->find(device->name()).object != nullptr;
    if (!taken) tree_.appear_locked(*parent, Parent::kBusLink, changes);
  }
  tree_.finish(std::move(changes));
  if (taken) {
    print_duplicate("/class/mdev_bus/" + device->name());
    log_.print(Level::warning, printed(*device, "Failed to create compatibility class link"));
  }
  log_.print(Level::info, printed(*device, "MDEV: Registered"));
  announce_state(*device, "registered");
  return parent;
}

// class_compat_remove_link removes by name: the link of the first of two parents of one name goes with the
// second.
void Core::take_away_bus_link(const ParentDevice& device) {
  std::shared_ptr<Object> shown;
  {
    const SharedLock lock(kernfs_rwsem);
    const Node link = root_->members(Slot::class_mdev_bus)->find(device.name());
    if (link.object == nullptr) return;
    shown = link.object->shared_from_this();
  }
  tree_.vanish(*shown, {Parent::kBusLink});
}

namespace {

// device_for_each_child: in the order of their creation, which is that of their ids.
std::vector<std::shared_ptr<Device>> devices_of(Parent& parent) {
  std::vector<std::shared_ptr<Device>> devices;
  const SharedLock lock(kernfs_rwsem);
  parent.device->members(Slot::parent_device_directory)->walk(0, [&](const Members::Item& item) {
    if (item.slot == Slot::device_directory) {
      devices.push_back(std::static_pointer_cast<Device>(item.object->shared_from_this()));
    }
    return true;
  });
  std::ranges::sort(devices, {}, [](const auto& device) { return device->id; });
  return devices;
}

}  // namespace

void Core::unregister_parent(Parent& parent) {
  const auto keep = parent.shared_from_this();
  {
    const Lock lock(mdev_list_lock);
    const auto same = [&](const auto& other) { return other.get() == &parent; };
    if (std::erase_if(parents_, same) == 0) return;  // another one is at it
  }
  log_.print(Level::info, printed(*parent.device, "MDEV: Unregistering"));
  parent.unreg_sem.down_write();
  take_away_bus_link(*parent.device);
  for (const auto& device : devices_of(parent)) take_down(*device);
  for (const auto& type : parent.types) tree_.vanish(*type, {kSelf, Type::kDescription});
  tree_.vanish(parent, {kSelf});
  parent.unreg_sem.up_write();
  parent.types.clear();
  {
    const Lock lock(mdev_list_lock);
    parent.device->registration.reset();
  }
  announce_state(*parent.device, "unregistered");
}

// --- devices

Result<void> Core::create(Type& type, const Uuid& uuid) {
  const auto device = reserve(type, uuid);
  if (!device) return std::unexpected(device.error());
  UnregSem& unreg_sem = (*device)->type->parent->unreg_sem;
  if (!unreg_sem.try_down_read()) {
    release(**device);
    return fail(ENODEV);
  }
  const auto result = bring_up(**device);
  unreg_sem.up_read();
  if (!result) release(**device);
  return result;
}

// Reserve the UUID and take a place: both or neither.
Result<std::shared_ptr<Device>> Core::reserve(Type& type, const Uuid& uuid) {
  Parent& parent = *type.parent;
  const Lock lock(mdev_list_lock);
  const auto [at, fresh] = mdev_list_.try_emplace(uuid);
  if (!fresh) return fail(EEXIST);
  if (!parent.driver->info.counts_itself) {
    if (parent.available_instances == 0) {
      mdev_list_.erase(at);
      return fail(EUSERS);
    }
    --parent.available_instances;
  }
  at->second = make<Device>(std::static_pointer_cast<Type>(type.shared_from_this()), uuid);
  return at->second;
}

// mdev_device_release: only now is the UUID free and the core's place back.
void Core::release(Device& device) {
  std::shared_ptr<Device> last;  // let go after the lock
  const Lock lock(mdev_list_lock);
  const auto at = mdev_list_.find(device.uuid);
  last = std::move(at->second);
  mdev_list_.erase(at);
  if (!device.driver().info.counts_itself) ++device.type->parent->available_instances;
}

// Appear, probe, link, activate.
Result<void> Core::bring_up(Device& device) {
  tree_.prefetch_places(device);
  tree_.appear(device, {kSelf, Device::kBase, Device::kRemove});
  announce(directory_of(device), "add");
  if (const auto attached = attach_driver(device); !attached) {
    tree_.vanish(device, {Device::kRemove, Device::kBase, kSelf});
    announce(directory_of(device), "remove");
    return attached.error().value == kProbeDeferred ? fail(EAGAIN) : attached;
  }
  tree_.appear(device, {Device::kTypeLinks});
  const Lock lock(mdev_list_lock);
  device.active = true;
  return {};
}

Result<void> Core::remove(Device& device) {
  const auto keep = device.shared_from_this();
  {
    const Lock lock(mdev_list_lock);
    const auto at = mdev_list_.find(device.uuid);
    if (at == mdev_list_.end() || at->second.get() != &device) return fail(ENODEV);
    if (!device.active) return fail(EAGAIN);
    device.active = false;
  }
  UnregSem& unreg_sem = device.type->parent->unreg_sem;
  if (!unreg_sem.try_down_read()) return fail(ENODEV);
  take_down(device);
  unreg_sem.up_read();
  return {};
}

// mdev_device_remove_common and device_del: the way of create, backwards.
void Core::take_down(Device& device) {
  tree_.vanish(device, {Device::kTypeLinks});
  {
    // device_del marks the device dead under its lock: an unbind in progress ends first, with the rest still
    // shown.
    const Lock lock(device.device_lock);
  }
  // All but the directory, in one step: while the driver's remove runs the directory is there and empty.
  tree_.vanish(device, {Device::kRemove, Device::kBase});
  release_driver(device);
  tree_.vanish(device, {kSelf});
  // Before the UUID is free: another device of it would be announced first.
  announce(directory_of(device), "remove");
  release(device);
}

}  // namespace mdevfs::model
