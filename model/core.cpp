// SPDX-License-Identifier: Apache-2.0
//
// What there is: modules with their classes, drivers and parent devices, coming and going.
#include "core.h"

#include <fmt/format.h>

#include <algorithm>

#include "uevent.h"

namespace mdevfs::model {
namespace {

ModuleInfo mdev_info() {
  return {.name = "mdev",
          .coresize = 20480,
          .taint = "",
          .version = "0.1",
          .srcversion = "035CECCC76FD2AF8874053A",
          .parameters = {}};
}

Node directory_of(Object& object) {
  return {&object, object.self()};
}

// The one bus driver there was before each parent's driver was one: it takes all devices, and gives them to
// vfio. Thread-safety: as Driver.
class VfioMdevDriver final : public Driver {
 public:
  VfioMdevDriver(Core& owner, std::shared_ptr<Module> its_module)
      : Driver(owner, std::move(its_module), {.name = "vfio_mdev", .device_api = {}, .groups = {}}) {}
  Result<void> probe(Device&) override { return {}; }
  void remove(Device&) noexcept override {}
};

constexpr const char* kAdd = "add";
constexpr const char* kRemove = "remove";

// Of vfio the tree has two classes. What it has beside them, the device that opens containers and its own
// module, can be heard but not seen.
void announce_vfio_device(const Tree& tree, const char* action) {
  if (Watcher* const listener = tree.listener()) {
    listener->announce({action,
                        "/devices/virtual/misc/vfio",
                        "misc",
                        {"MAJOR=10", "MINOR=196", "DEVNAME=vfio/vfio", "DEVMODE=0666"}});
  }
}

void announce_vfio_module(const Tree& tree, const char* action) {
  if (Watcher* const listener = tree.listener()) listener->announce({action, "/module/vfio", "module", {}});
}

}  // namespace

Core::Core(Owner owner, Boot boot, KernelVersion kernel)
    : kernel_(kernel), age_(age_of(kernel)), tree_(owner.uid, owner.gid, age_) {
  root_ = make<Root>();
  tree_.appear(*root_, {kSelf});
  mdev_module_ = make<Module>(mdev_info());
  vfio_class_ = make<DeviceClass>("vfio");
  vfio_dev_class_ = make<DeviceClass>("vfio-dev");
  vfio_mdev_module_ = make<Module>(ModuleInfo{.name = "vfio_mdev", .taint = ""});
  const bool in_mdev = age_.vfio_mdev == VfioMdev::in_mdev;
  vfio_mdev_ = make<VfioMdevDriver>(in_mdev ? mdev_module_ : vfio_mdev_module_);
  if (boot == Boot::bare) return;
  std::ignore = load_mdev();
  std::ignore = load_vfio();
  if (boot == Boot::all) std::ignore = load_vfio_mdev();
}

Core::~Core() {
  while (true) {
    std::shared_ptr<Module> module;
    {
      const Lock lock(modules_lock_);
      if (modules_.empty()) break;
      module = modules_.back().module;
    }
    unload_module(*module);
  }
  while (true) {
    std::shared_ptr<HostDevice> device;
    {
      const Lock lock(modules_lock_);
      if (host_devices_.empty()) return;
      device = host_devices_.back();
    }
    remove_host_device(*device);
  }
}

// --- mdev and vfio

Result<void> Core::load_mdev() {
  const Lock lock(modules_lock_);
  if (std::exchange(has_mdev_, true)) return fail(EEXIST);
  tree_.appear(*root_, {Root::kMdev});
  if (age_.mdev_bus_from_load) show_mdev_bus();
  announce({root_.get(), Slot::bus_mdev}, kAdd);
  tree_.appear(*mdev_module_, {kSelf, Module::kVersion, Module::kSrcversion});
  if (age_.vfio_mdev == VfioMdev::in_mdev) {
    tree_.appear(*mdev_module_, {Module::kDrivers});
    tree_.appear(*vfio_mdev_, {kSelf});
    announce(directory_of(*vfio_mdev_), kAdd);
  }
  announce(directory_of(*mdev_module_), kAdd);
  return {};
}

Result<void> Core::unload_mdev() {
  const Lock lock(modules_lock_);
  if (!has_mdev_) return fail(ENOENT);
  if (mdev_is_used()) return fail(EAGAIN);
  has_mdev_ = false;
  if (age_.vfio_mdev == VfioMdev::in_mdev) {
    tree_.vanish(*vfio_mdev_, {kSelf});
    announce(directory_of(*vfio_mdev_), kRemove);
  }
  tree_.vanish(*root_, {Root::kMdevBus, Root::kMdev});
  announce({root_.get(), Slot::bus_mdev}, kRemove);
  tree_.vanish(*mdev_module_, {Module::kDrivers, Module::kSrcversion, Module::kVersion, kSelf});
  announce(directory_of(*mdev_module_), kRemove);
  return {};
}

// class_compat_register.
void Core::show_mdev_bus() {
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    if (!root_->shows(Root::kMdevBus)) tree_.appear_locked(*root_, Root::kMdevBus, changes);
  }
  tree_.finish(std::move(changes));
}

bool Core::mdev_is_used() const {
  return has_vfio_mdev_ ||
         std::ranges::any_of(modules_, [](const Loaded& l) { return l.module->info.uses_mdev; });
}

Result<void> Core::load_vfio() {
  const Lock lock(modules_lock_);
  if (std::exchange(has_vfio_, true)) return fail(EEXIST);
  announce_vfio_device(tree_, kAdd);
  for (const auto& its_class : {vfio_class_, vfio_dev_class_}) {
    if (its_class == vfio_dev_class_ && !age_.vfio_devices) continue;
    tree_.appear(*its_class, {kSelf});
    announce(directory_of(*its_class), kAdd);
  }
  log_.print(Level::info, "VFIO - User Level meta-driver version: 0.3");
  announce_vfio_module(tree_, kAdd);
  return {};
}

Result<void> Core::unload_vfio() {
  const Lock lock(modules_lock_);
  if (!has_vfio_) return fail(ENOENT);
  if (mdev_is_used()) return fail(EAGAIN);
  has_vfio_ = false;
  for (const auto& its_class : {vfio_dev_class_, vfio_class_}) {
    if (its_class == vfio_dev_class_ && !age_.vfio_devices) continue;
    tree_.vanish(*its_class, {kSelf});
    announce(directory_of(*its_class), kRemove);
  }
  announce_vfio_device(tree_, kRemove);
  announce_vfio_module(tree_, kRemove);
  return {};
}

// Devices are bound before the driver is announced, as bus_add_driver has it.
Result<void> Core::load_vfio_mdev() {
  if (age_.vfio_mdev != VfioMdev::module) return fail(ENOENT);
  {
    const Lock lock(modules_lock_);
    if (!has_mdev_ || !has_vfio_) return fail(ENOENT);
    if (has_vfio_mdev_.exchange(true)) return fail(EEXIST);
    const Lock vfio(vfio_lock);
    vfio_mdev_module_->going = false;
  }
  tree_.appear(*vfio_mdev_module_, {kSelf, Module::kDrivers, Module::kHolder});
  tree_.appear(*vfio_mdev_, {kSelf});
  if (root_->drivers_autoprobe) bind_all_to_vfio_mdev();
  announce(directory_of(*vfio_mdev_), kAdd);
  announce(directory_of(*vfio_mdev_module_), kAdd);
  return {};
}

// All devices are looked at, because one may be on its way to the driver and not bound yet.
Result<void> Core::unload_vfio_mdev() {
  if (!has_vfio_mdev_) return fail(ENOENT);
  if (!try_stop_module(*vfio_mdev_module_)) return fail(EAGAIN);
  if (!has_vfio_mdev_.exchange(false)) return fail(ENOENT);
  announce_wait();  // there may be very many devices
  bool keeps_up = true;
  for (const auto& device : devices_on_bus()) {
    release_driver(*device);
    keeps_up = keeps_up && tree_.keep_up();
  }
  tree_.vanish(*vfio_mdev_, {kSelf});
  announce(directory_of(*vfio_mdev_), kRemove);
  tree_.vanish(*vfio_mdev_module_, {Module::kHolder, Module::kDrivers, kSelf});
  announce(directory_of(*vfio_mdev_module_), kRemove);
  return {};
}

// --- modules

void Core::look_at_module(std::string_view name, std::string_view taint) {
  {
    const Lock lock(modules_lock_);
    if (taint.find('O') == std::string_view::npos || std::exchange(tainted_, true)) return;
  }
  log_.print(Level::warning, std::string(name) + ": loading out-of-tree module taints kernel.");
  log_.print(Level::notice, std::string(name) +
                                ": module verification failed: signature and/or required key missing - "
                                "tainting kernel");
}

// sysfs_warn_dup.
void Core::print_duplicate(std::string_view path) {
  log_.print(Level::warning, fmt::format("sysfs: cannot create duplicate filename '{}'", path));
  log_.print(Level::warning, "(stack trace)");
}

void Core::print_failed_add(std::string_view name) {
  log_.print(Level::error,
             fmt::format("{}kobject_add_internal failed for {} with -EEXIST, don't try to register "
                         "things with the same name in the same directory.",
                         age_.kobject_prefix, name));
}

// find_dynamic_major gives out the lower ones first of 254 to 234, then 511 to 384; down to 246 they are
// others'.
unsigned Core::take_char_major(Module& module) {
  constexpr unsigned kFirst = 245, kLast = 234, kFirstExtended = 511;
  const Lock lock(modules_lock_);
  const unsigned number = char_numbers_.take();
  loaded(module)->char_number = number;
  constexpr unsigned kCount = kFirst - kLast + 1;
  return number < kCount ? kFirst - number : kFirstExtended - (number - kCount);
}

void Core::module_loaded(Module& module) {
  module.announced = true;
  announce(directory_of(module), kAdd);
}

Core::Loaded* Core::loaded(const Module& module) {
  const auto at = std::ranges::find(modules_, &module, [](const Loaded& l) { return l.module.get(); });
  return at == modules_.end() ? nullptr : &*at;
}

Result<std::shared_ptr<Module>> Core::load_module(ModuleInfo info) {
  look_at_module(info.name, info.taint);
  const Lock lock(modules_lock_);
  if (root_has(Slot::module, info.name)) return fail(EEXIST);
  if (info.uses_mdev && (!has_mdev_ || !has_vfio_)) return fail(ENOENT);
  auto module = make<Module>(std::move(info));
  modules_.push_back({.module = module});
  tree_.appear(*module, {kSelf});
  if (!age_.vfio_mdev_binds) tree_.appear(*module, {Module::kDrivers});
  if (module->info.uses_mdev) tree_.appear(*module, {Module::kHolder});
  if (!module->info.version.empty()) tree_.appear(*module, {Module::kVersion});
  if (!module->info.srcversion.empty()) tree_.appear(*module, {Module::kSrcversion});
  if (!module->info.parameters.empty()) tree_.appear(*module, {Module::kParameters});
  if (!module->info.import_ns.empty()) tree_.appear(*module, {Module::kImportNs});
  return module;
}

std::shared_ptr<Module> Core::find_module(std::string_view name) {
  const Lock lock(modules_lock_);
  const auto at = std::ranges::find(modules_, name, [](const Loaded& l) { return l.module->info.name; });
  return at == modules_.end() ? nullptr : at->module;
}

bool Core::root_has(Slot directory, std::string_view name) const {
  return tree_.lookup(tree_.resolve(inode_of(root_->id, directory)), name).has_value();
}

// class_register.
Result<std::shared_ptr<DeviceClass>> Core::add_class(Module& module, std::string name) {
  const Lock lock(modules_lock_);
  Loaded* const owner = loaded(module);
  if (owner == nullptr) return fail(ENODEV);
  if (root_has(Slot::class_, name)) {
    print_duplicate("/class/" + name);
    print_failed_add(name);
    return fail(EEXIST);
  }
  auto device_class = make<DeviceClass>(std::move(name));
  owner->classes.push_back(device_class);
  tree_.appear(*device_class, {kSelf});
  announce(directory_of(*device_class), kAdd);
  return device_class;
}

// driver_register. Where all devices are vfio_mdev's, the mdev core knows of the others and the bus does not.
Result<void> Core::add_driver(std::shared_ptr<Driver> driver) {
  const Lock lock(modules_lock_);
  Loaded* const owner = loaded(*driver->module);
  if (owner == nullptr) return fail(ENODEV);
  if (age_.vfio_mdev_binds) {
    owner->drivers.push_back(driver);
    return {};
  }
  if (root_has(Slot::bus_mdev_drivers, driver->name())) {
    log_.print(Level::error,
               fmt::format("Error: Driver '{}' is already registered, aborting...", driver->name()));
    return fail(EBUSY);
  }
  owner->drivers.push_back(driver);
  tree_.appear(*driver, {kSelf});
  announce(directory_of(*driver), kAdd);
  return {};
}

Result<std::shared_ptr<HostDevice>> Core::add_parent_device(Module& module,
                                                            std::shared_ptr<DeviceClass> device_class,
                                                            std::string name,
                                                            std::vector<HostAttribute> attributes) {
  auto device = make<HostDevice>(HostDeviceInfo{
      .name = std::move(name), .device_class = std::move(device_class), .attributes = std::move(attributes)});
  const Lock lock(modules_lock_);
  Loaded* const owner = loaded(module);
  if (owner == nullptr) return fail(ENODEV);
  Changes changes;
  // debugfs keeps the first of two entries of one name.
  const bool shadowed = root_has(Slot::kernel_debug_mdevfs, device->name());
  bool taken = false;
  {
    const Lock tree_lock(kernfs_rwsem);
    const auto* const members = device->info.device_class->members(Slot::class_directory);
    taken = members->find(device->name()).object != nullptr;
    if (!taken) {
      device->glue = device->info.device_class->take_glue(changes);
      tree_.appear_locked(*device, kSelf, changes);
      tree_.appear_locked(*device, HostDevice::kSubsystem, changes);
      if (!shadowed) tree_.appear_locked(*device, HostDevice::kDebug, changes);
    }
  }
  if (taken) {
    print_duplicate(fmt::format("/devices/virtual/{}/{}", device->info.device_class->name(), device->name()));
    print_failed_add(device->name());
    return fail(EEXIST);
  }
  tree_.finish(std::move(changes));
  owner->parent_devices.push_back(device);
  announce(directory_of(*device), kAdd);
  return device;
}

void Core::remove_parent_device(HostDevice& device) {
  const auto keep = device.shared_from_this();
  tree_.vanish(device, {HostDevice::kDebug, HostDevice::kSubsystem, kSelf});
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    device.info.device_class->release_glue(changes);
  }
  tree_.finish(std::move(changes));
  announce(directory_of(device), kRemove);
  const Lock lock(modules_lock_);
  for (Loaded& l : modules_)
    std::erase_if(l.parent_devices, [&](const auto& d) { return d.get() == &device; });
}

void Core::create_files_changed(const HostDevice& device) {
  std::shared_ptr<Parent> parent;
  {
    const Lock lock(mdev_list_lock);
    parent = device.registration.lock();
  }
  if (!parent) return;
  std::vector<std::shared_ptr<Object>> types;
  {
    const SharedLock lock(kernfs_rwsem);
    parent->members(Slot::parent_types)->walk(0, [&](const Members::Member& member) {
      types.push_back(member.node.object->shared_from_this());
      return true;
    });
  }
  for (const auto& type : types) tree_.expire({type.get(), Slot::type_create});
}

void Core::unload_module(Module& module) {
  Loaded gone;
  {
    const Lock lock(modules_lock_);
    Loaded* const found = loaded(module);
    if (found == nullptr) return;
    gone = std::move(*found);
    modules_.erase(modules_.begin() + (found - modules_.data()));
  }
  std::ranges::reverse(gone.bus_drivers);
  for (const auto& driver : gone.bus_drivers) detach_bus_driver(*driver);
  for (const auto& device : gone.parent_devices) {
    std::shared_ptr<Parent> parent;
    {
      const Lock lock(mdev_list_lock);
      parent = device->registration.lock();
    }
    if (parent) unregister_parent(*parent);
    remove_parent_device(*device);
  }
  for (const auto& driver : gone.drivers) {
    if (age_.vfio_mdev_binds) break;
    tree_.vanish(*driver, {kSelf});
    announce(directory_of(*driver), kRemove);
  }
  for (const auto& device_class : gone.classes) {
    tree_.vanish(*device_class, {kSelf});
    announce(directory_of(*device_class), kRemove);
  }
  if (!module.info.farewell.empty()) log_.print(Level::info, module.info.farewell);
  tree_.vanish(*gone.module, {Module::kHolder, Module::kImportNs, Module::kParameters, Module::kSrcversion,
                              Module::kVersion, Module::kDrivers, kSelf});
  if (gone.module->announced) announce(directory_of(*gone.module), kRemove);
  const Lock lock(modules_lock_);
  if (gone.char_number) char_numbers_.give_back(*gone.char_number);
}

bool Core::add_placeholder(std::string_view directory, std::string_view name, PlaceholderKind kind,
                           std::string_view target) {
  static const std::unordered_map<std::string_view, Slot> places = {
      {"", Slot::root},
      {"bus", Slot::bus},
      {"class", Slot::class_},
      {"devices", Slot::devices},
      {"kernel", Slot::kernel},
      {"devices/virtual", Slot::devices_virtual},
      {"module", Slot::module},
      {"kernel/config", Slot::kernel_config},
      {"kernel/debug", Slot::kernel_debug},
  };
  const auto place = places.find(directory);
  if (place == places.end()) return false;
  const auto in = tree_.resolve(inode_of(root_->id, place->second));
  if (tree_.lookup(in, name)) return false;
  auto placeholder = make<Placeholder>(place->second, std::string(name), kind, std::string(target));
  tree_.appear(*placeholder, {kSelf});
  const Lock lock(modules_lock_);
  placeholders_.push_back(std::move(placeholder));
  return true;
}

bool Core::is_registered(const HostDevice& device) {
  const Lock lock(mdev_list_lock);
  return !device.registration.expired();
}

std::vector<std::string> Core::registered_parents(const Module& module) {
  std::vector<std::string> names;
  const Lock lock(mdev_list_lock);
  for (const auto& parent : parents_) {
    if (parent->driver->module.get() == &module) names.push_back(parent->device->name());
  }
  return names;
}

std::size_t Core::device_count() const {
  const Lock lock(mdev_list_lock);
  return mdev_list_.size();
}

}  // namespace mdevfs::model
