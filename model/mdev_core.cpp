// SPDX-License-Identifier: Apache-2.0
//
// What drivers/vfio/mdev/mdev_core.c does: registering and unregistering parents, creating and removing
// devices. Create and remove are ordered steps, each a function, so that the order can be read in one place.
#include <algorithm>

#include "core.h"

namespace mdevfs::model {
namespace {

constexpr int kProbeDeferral = 517;  // EPROBE_DEFER, which mdev_device_create turns into EAGAIN

}  // namespace

// --- parents

Result<std::shared_ptr<Parent>> Core::register_parent(std::shared_ptr<ParentDevice> device,
                                                      std::shared_ptr<Driver> driver,
                                                      std::vector<TypeInfo> types) {
  for (auto type = types.begin(); type != types.end(); ++type) {
    const auto same = [&](const TypeInfo& other) { return other.sysfs_name == type->sysfs_name; };
    if (std::any_of(types.begin(), type, same)) return fail(EEXIST);
  }
  auto parent = make<Parent>(device, std::move(driver));
  {
    const Lock lock(mdev_list_lock);
    if (device->registration.lock()) return fail(ENOMEM);
    device->registration = parent;
    parents_.push_back(parent);
  }
  for (TypeInfo& info : types) {
    const auto number = static_cast<unsigned>(parent->types.size());
    parent->types.push_back(make<Type>(parent, std::move(info), number));
  }
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    tree_.appear_locked(*parent, kSelf, changes);
    for (const auto& type : parent->types) {
      tree_.appear_locked(*type, kSelf, changes);
      if (parent->driver->show_description(*type)) tree_.appear_locked(*type, Type::kDescription, changes);
    }
    // class_compat_create_link fails on a second device of one name, with a warning in the log and no other
    // effect.
    const bool taken = root_->members(Slot::class_mdev_bus)->find(device->name()).object != nullptr;
    if (!taken) tree_.appear_locked(*parent, Parent::kBusLink, changes);
  }
  tree_.finish(std::move(changes));
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
  parent.unreg_sem.down_write();
  take_away_bus_link(*parent.device);
  for (const auto& device : devices_of(parent)) take_down(*device);
  for (const auto& type : parent.types) tree_.vanish(*type, {kSelf, Type::kDescription});
  tree_.vanish(parent, {kSelf});
  parent.unreg_sem.up_write();
  parent.types.clear();
  const Lock lock(mdev_list_lock);
  parent.device->registration.reset();
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
  if (const auto attached = attach_driver(device); !attached) {
    tree_.vanish(device, {Device::kRemove, Device::kBase, kSelf});
    return attached.error().value == kProbeDeferral ? fail(EAGAIN) : attached;
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
  release(device);
}

}  // namespace mdevfs::model
