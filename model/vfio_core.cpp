// SPDX-License-Identifier: Apache-2.0
//
// What vfio does for mdev (drivers/vfio/vfio_main.c): open descriptors of devices, for which a release of
// their driver waits; and what else the core waits for, so that the end of the filesystem can end all of it.
#include "core.h"
#include "uevent.h"

namespace mdevfs::model {

// __vfio_register_dev: the group first, then the device.
void Core::appear_vfio(Object& object, VfioDevice& vfio, Slot first, VfioParts parts) {
  {
    const Lock lock(mdev_list_lock);
    vfio.number = vfio_numbers_.take();
  }
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    vfio_class_->take_glue(changes);
    tree_.appear_locked(object, parts.group, changes);
    if (age_.vfio_devices) tree_.appear_locked(object, parts.device, changes);
  }
  tree_.finish(std::move(changes));
  announce({&object, first + VfioSlot::group}, "add");
  if (age_.vfio_devices) announce({&object, first + VfioSlot::device}, "add");
}

void Core::vanish_vfio_device(Object& object, Slot first, VfioParts parts) {
  if (!age_.vfio_devices) return;
  tree_.vanish(object, {parts.device});
  announce({&object, first + VfioSlot::device}, "remove");
}

void Core::vanish_vfio_group(Object& object, VfioDevice& vfio, Slot first, VfioParts parts) {
  tree_.vanish(object, {parts.group});
  announce({&object, first + VfioSlot::group}, "remove");
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    vfio_class_->release_glue(changes);
  }
  tree_.finish(std::move(changes));
  const Lock lock(mdev_list_lock);
  vfio_numbers_.give_back(vfio.number);
}

// vfio_device_try_get_registration, and the reference on the driver's module.
Result<void> Core::vfio_open(Device& device) {
  const Lock lock(vfio_lock);
  if (device.vfio_going || device.bus_driver().module->going) return fail(ENODEV);
  ++vfio_open_[&device];
  return {};
}

void Core::vfio_close(Device& device) {
  {
    const Lock lock(vfio_lock);
    const auto at = vfio_open_.find(&device);
    if (--at->second == 0) vfio_open_.erase(at);
  }
  vfio_changed_.notify_all();
}

bool Core::vfio_asked_back(const Device& device) {
  const Lock lock(vfio_lock);
  return device.vfio_going;
}

// vfio_unregister_group_dev: nobody can open it any more, who has it open is asked to give it back and waited
// for.
void Core::wait_for_vfio_users(Device& device) {
  {
    const Lock lock(vfio_lock);
    device.vfio_going = true;
    if (!vfio_open_.contains(&device)) return;
  }
  tree_.wake({&device, Slot::debug_vfio});
  announce_wait();
  const Lock lock(vfio_lock);
  vfio_changed_.wait(vfio_lock,
                     [&]() REQUIRES(vfio_lock) { return ended_ || !vfio_open_.contains(&device); });
}

unsigned Core::vfio_users_of(const Module& module) {
  unsigned users = 0;
  const Lock lock(vfio_lock);
  for (const auto& [device, count] : vfio_open_) {
    if (device->bus_driver().module.get() == &module) users += count;
  }
  return users;
}

// try_stop_module.
bool Core::try_stop_module(Module& module) {
  const Lock lock(vfio_lock);
  for (const auto& [device, count] : vfio_open_) {
    if (device->bus_driver().module.get() == &module) return false;
  }
  module.going = true;
  return true;
}

void Core::pause(std::chrono::milliseconds time) {
  if (time.count() == 0) return;
  announce_wait();
  const Lock lock(vfio_lock);
  vfio_changed_.wait_for(vfio_lock, time, [&]() REQUIRES(vfio_lock) { return ended_; });
}

void Core::end_waits() {
  {
    const Lock lock(vfio_lock);
    ended_ = true;
  }
  vfio_changed_.notify_all();
}

}  // namespace mdevfs::model
