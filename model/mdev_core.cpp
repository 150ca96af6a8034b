// SPDX-License-Identifier: Apache-2.0
//
// What drivers/vfio/mdev/mdev_core.c does: registering and unregistering parents, creating and removing
// devices. Create and remove are ordered steps, each a function; the kernel's age says in which order they
// go.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "core.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Node directory_of(Device& device) {
  return {&device, Slot::device_directory};
}

void announce_state(HostDevice& device, const char* state) {
  if (!device.core.age().state_uevents) return;
  announce({&device, Slot::host_device_directory}, "change", {fmt::format("MDEV_STATE={}", state)});
}

}  // namespace

// --- parents

Result<std::shared_ptr<Parent>> Core::register_parent(std::shared_ptr<HostDevice> device,
                                                      std::shared_ptr<Driver> driver,
                                                      std::vector<TypeInfo> types) {
  const auto refuse = [&](const std::string& name, const std::string& below, int error) {
    print_duplicate(Tree::path({device.get(), Slot::host_device_directory}) + "/" + below + name);
    print_failed_add(name);
    return fail(error);
  };
  for (auto type = types.begin(); type != types.end(); ++type) {
    const auto same = [&](const TypeInfo& other) { return other.sysfs_name == type->sysfs_name; };
    if (std::any_of(types.begin(), type, same)) {
      return refuse(device->driver_string() + "-" + type->sysfs_name, "mdev_supported_types/", EEXIST);
    }
  }
  if (age_.prints_no_request) device->print(Level::info, "Driver cannot be asked to release device");
  auto parent = make<Parent>(device, std::move(driver));
  {
    const Lock lock(mdev_list_lock);
    if (device->registration.lock()) {
      // Old ages look first, later ones find the directory there.
      if (age_.second_registration_errno == EEXIST) return fail(EEXIST);
      return refuse(parent->name(), "", age_.second_registration_errno);
    }
    device->registration = parent;
    parents_.push_back(parent);
  }
  for (TypeInfo& info : types) {
    const auto number = static_cast<unsigned>(parent->types.size());
    parent->types.push_back(make<Type>(parent, std::move(info), number));
  }
  std::vector<std::vector<Part>> parts;
  for (const auto& type : parent->types) {
    parts.push_back({kSelf});
    const bool named = age_.core_names_types || !type->info.pretty_name.empty();
    if (type->info.has_name && named) parts.back().push_back(Type::kName);
    if (parent->driver->show_description(*type)) parts.back().push_back(Type::kDescription);
  }
  show_mdev_bus();
  Changes changes;
  bool taken = false;
  {
    const Lock lock(kernfs_rwsem);
    if (age_.parent_groups) tree_.appear_locked(*device, HostDevice::kParentGroups, changes);
    tree_.appear_locked(*parent, kSelf, changes);
    for (const auto& type : parent->types) {
      for (const Part part : parts[type->number]) tree_.appear_locked(*type, part, changes);
    }
    // class_compat_create_link fails on a second device of one name, with a warning in the log and no other
    // effect.
    taken = root_->members(Slot::class_mdev_bus)->find(device->name()).object != nullptr;
    if (!taken) tree_.appear_locked(*parent, Parent::kBusLink, changes);
  }
  tree_.finish(std::move(changes));
  if (taken) {
    print_duplicate("/class/mdev_bus/" + device->name());
    device->print(Level::warning, "Failed to create compatibility class link");
  }
  device->print(Level::info, "MDEV: Registered");
  announce_state(*device, "registered");
  return parent;
}

// class_compat_remove_link removes by name: the link of the first of two parents of one name goes with the
// second.
void Core::take_away_bus_link(const HostDevice& device) {
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

// device_for_each_child: in the order of their creation, which is that of their ids. With unreg_sem held none
// comes or goes, so the tree need not be locked over all of them.
std::vector<std::shared_ptr<Device>> devices_of(Parent& parent) {
  constexpr std::size_t kAtOnce = 1000;
  std::vector<std::shared_ptr<Device>> devices;
  for (std::uint32_t next = 0; next != kEndOfDirectory;) {
    const std::size_t enough = devices.size() + kAtOnce;
    const std::uint32_t from = std::exchange(next, kEndOfDirectory);
    const SharedLock lock(kernfs_rwsem);
    parent.device->members(Slot::host_device_directory)->walk(from, [&](const Members::Member& member) {
      if (devices.size() >= enough && member.hash != devices.back()->name_hash()) {
        next = member.hash;
        return false;
      }
      if (member.node.slot == Slot::device_directory) {
        devices.push_back(std::static_pointer_cast<Device>(member.node.object->shared_from_this()));
      }
      return true;
    });
  }
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
  parent.device->print(Level::info, "MDEV: Unregistering");
  announce_wait();  // there may be very many devices
  parent.unreg_sem.down_write();
  take_away_bus_link(*parent.device);
  bool keeps_up = true;
  for (const auto& device : devices_of(parent)) {
    std::ignore = take_down(*device, Force::yes);
    keeps_up = keeps_up && tree_.keep_up();
  }
  for (const auto& type : parent.types) tree_.vanish(*type, {kSelf, Type::kDescription, Type::kName});
  tree_.vanish(parent, {kSelf});
  tree_.vanish(*parent.device, {HostDevice::kParentGroups});
  parent.unreg_sem.up_write();
  parent.types.clear();
  {
    const Lock lock(mdev_list_lock);
    parent.device->registration.reset();
  }
  announce_state(*parent.device, "unregistered");
}

// --- devices

namespace {

// One parent's creates and removes, one after another, where the age has them so. Thread-safety: none.
class Turn {
 public:
  Turn(Parent& parent, const KernelAge& age) NO_THREAD_SAFETY_ANALYSIS
      : mutex_(age.one_at_a_time ? &parent.turn : nullptr) {
    if (mutex_ != nullptr) mutex_->lock();
  }
  ~Turn() NO_THREAD_SAFETY_ANALYSIS {
    if (mutex_ != nullptr) mutex_->unlock();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace

Result<void> Core::create(Type& type, const Uuid& uuid) {
  const Turn turn(*type.parent, age_);
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

bool Core::take_place(Parent& parent) {
  if (parent.driver->info.counts_itself) return true;
  if (parent.available_instances == 0) return false;
  --parent.available_instances;
  return true;
}

void Core::give_back_place(Parent& parent) {
  if (!parent.driver->info.counts_itself) ++parent.available_instances;
}

// Reserve the UUID and take a place: both or neither.
Result<std::shared_ptr<Device>> Core::reserve(Type& type, const Uuid& uuid) {
  Parent& parent = *type.parent;
  auto device = make<Device>(std::static_pointer_cast<Type>(type.shared_from_this()), uuid);
  tree_.prefetch_places(*device);
  {
    const Lock lock(mdev_list_lock);
    mdev_list_.prefetch(device->name_hash());
    const Device* const other = mdev_list_.find(*device);
    if (other == nullptr) {
      if (age_.core_counts && !take_place(parent)) return fail(EUSERS);
      mdev_list_.insert(device);
      return device;
    }
    if (!age_.sysfs_finds_duplicates || other->type->parent.get() == &parent) return fail(EEXIST);
  }
  // device_add fails at the link on the bus.
  print_duplicate("/bus/mdev/devices/" + device->name());
  announce(directory_of(*device), "remove");
  return fail(EEXIST);
}

// mdev_device_release: only now is the UUID free and the core's place back.
void Core::release(Device& device) {
  const auto last = device.shared_from_this();  // let go after the lock
  const Lock lock(mdev_list_lock);
  mdev_list_.erase(device);
  if (age_.core_counts) give_back_place(*device.type->parent);
}

// A step of create, and how it is undone when a later one fails.
struct Core::Step {
  Result<void> (Core::*take)(Device&) = nullptr;
  Result<void> (Core::*undo)(Device&, Force) = nullptr;
};

// Undoing create's steps is not the way of remove on all ages: a driver that is asked last is told first.
struct Core::Order {
  std::array<Step, 3> create;
  std::array<Result<void> (Core::*)(Device&, Force), 3> remove;  // the last one may be null
};

// By DriverCall.
const Core::Order& Core::order() const {
  static constexpr Step kAdd{&Core::add_device, &Core::delete_device};
  static constexpr Step kAsk{&Core::ask_driver, &Core::tell_driver};
  static constexpr Step kAttach{&Core::attach_own_driver, nullptr};
  static constexpr Step kLink{&Core::link_type, &Core::unlink_type};
  static constexpr Order kOrders[] = {
      {{kAdd, kAsk, kLink}, {&Core::tell_driver, &Core::unlink_type, &Core::delete_device}},
      {{kAsk, kAdd, kLink}, {&Core::unlink_type, &Core::delete_device, &Core::tell_driver}},
      {{kAdd, kAttach, kLink}, {&Core::unlink_type, &Core::delete_device, nullptr}},
  };
  return kOrders[static_cast<unsigned>(age_.driver_call)];
}

Result<void> Core::bring_up(Device& device) {
  const auto& steps = order().create;
  for (auto step = steps.begin(); step != steps.end(); ++step) {
    const auto taken = (this->*step->take)(device);
    if (taken) continue;
    while (step != steps.begin()) {
      --step;
      if (step->undo != nullptr) std::ignore = (this->*step->undo)(device, Force::yes);
    }
    return std::unexpected(errno_from_driver(taken.error()));
  }
  const Lock lock(mdev_list_lock);
  device.active = true;
  return {};
}

Errno Core::errno_from_driver(Errno error) const {
  if (error.value == kProbeDeferred && !age_.raw_deferral) return {EAGAIN};
  return {age_.length_from_driver ? error.value : std::abs(error.value)};
}

Result<void> Core::remove(Device& device) {
  const auto keep = device.shared_from_this();
  {
    const Lock lock(mdev_list_lock);
    if (mdev_list_.find(device) != &device) return fail(ENODEV);
    if (!device.active) return fail(age_.transition_errno);
    device.active = false;
  }
  Parent& parent = *device.type->parent;
  const Turn turn(parent, age_);
  if (!parent.unreg_sem.try_down_read()) return fail(ENODEV);
  const auto taken = take_down(device, Force::no);
  parent.unreg_sem.up_read();
  if (!taken) {
    const Lock lock(mdev_list_lock);
    device.active = true;
  }
  return taken;
}

// mdev_device_remove_common. Only its first step can fail.
Result<void> Core::take_down(Device& device, Force force) {
  for (const auto step : order().remove) {
    if (step == nullptr) continue;
    if (const auto taken = (this->*step)(device, force); !taken) return taken;
  }
  release(device);
  return {};
}

// --- the steps

// device_add: the device appears, and the bus brings it together with a driver, if it does that.
Result<void> Core::add_device(Device& device) {
  tree_.appear(device, {kSelf, Device::kBase});
  if (age_.remove_with_device) tree_.appear(device, {Device::kRemove});
  if (age_.driver_call == DriverCall::before_device) tree_.appear(device, {Device::kGroups});
  announce(directory_of(device), "add");
  attach_by_bus(device);
  return {};
}

Result<void> Core::delete_device(Device& device, Force) {
  {
    // device_del marks the device dead under its lock: an unbind in progress ends first, with the rest still
    // shown.
    const Lock lock(device.device_lock);
    device.dead = true;
  }
  // All but the directory, in one step: while the driver's remove runs the directory is there and empty.
  tree_.vanish(device, {Device::kRemove, Device::kBase});
  if (age_.vfio_mdev_binds) tree_.vanish(device, {Device::kGroups});
  release_driver(device);
  tree_.vanish(device, {kSelf});
  // Before the UUID is free: another device of it would be announced first.
  announce(directory_of(device), "remove");
  return {};
}

// mdev_device_create_ops.
Result<void> Core::ask_driver(Device& device) {
  if (const auto created = probe(device); !created) return created;
  if (age_.driver_call == DriverCall::after_device) tree_.appear(device, {Device::kGroups});
  return {};
}

// mdev_device_remove_ops. A refusal counts only where the device is still there, and nobody insists.
Result<void> Core::tell_driver(Device& device, Force force) {
  if (const auto removed = call_remove(device); !removed) {
    if (age_.refusal_keeps_device && force == Force::no) return fail(EBUSY);
    if (!age_.refusal_keeps_device) {
      const int error = removed.error().value;
      device.print(Level::error, fmt::format("Remove failed: err={}", -error));
    }
  }
  if (age_.driver_call == DriverCall::after_device) tree_.vanish(device, {Device::kGroups});
  return {};
}

// device_driver_attach.
Result<void> Core::attach_own_driver(Device& device) {
  return attach_driver(device);
}

Result<void> Core::link_type(Device& device) {
  tree_.appear(device, {Device::kTypeLinks});
  if (!age_.remove_with_device) tree_.appear(device, {Device::kRemove});
  return {};
}

Result<void> Core::unlink_type(Device& device, Force) {
  tree_.vanish(device, {Device::kTypeLinks});
  return {};
}

}  // namespace mdevfs::model
