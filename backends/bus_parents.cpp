// SPDX-License-Identifier: Apache-2.0
#include "bus_parents.h"

#include <utility>

namespace mdevfs::backends {

using model::fail;
using model::Result;

void Registrar::describe(const std::string& device, std::vector<model::TypeInfo> types) {
  const model::Lock lock(lock_);
  types_[device] = std::move(types);
}

void Registrar::forget(const std::string& device) {
  const model::Lock lock(lock_);
  types_.erase(device);
}

bool Registrar::knows(const std::string& device) {
  const model::Lock lock(lock_);
  return types_.contains(device);
}

Result<void> Registrar::register_device(model::HostDevice& device) {
  std::vector<model::TypeInfo> types;
  {
    const model::Lock lock(lock_);
    const auto at = types_.find(device.name());
    if (at == types_.end()) return fail(ENODEV);
    types = at->second;
  }
  return register_device(device, std::move(types));
}

Result<void> Registrar::register_device(model::HostDevice& device, std::vector<model::TypeInfo> types) {
  auto held = std::static_pointer_cast<model::HostDevice>(device.shared_from_this());
  const auto parent = device.core.register_parent(std::move(held), driver_, std::move(types));
  if (!parent) return std::unexpected(parent.error());
  const model::Lock lock(lock_);
  parents_[&device] = *parent;
  return {};
}

void Registrar::unregister_device(model::HostDevice& device) {
  std::shared_ptr<model::Parent> parent;
  {
    const model::Lock lock(lock_);
    const auto at = parents_.find(&device);
    if (at == parents_.end()) return;
    parent = std::move(at->second);
    parents_.erase(at);
  }
  device.core.unregister_parent(*parent);
}

std::string LoadedOnBus::device_of(const std::string& name) {
  const model::Lock lock(lock_);
  const auto at = devices_.find(name);
  return at != devices_.end() ? at->second : std::string();
}

Result<std::string> LoadedOnBus::plug_once(const std::string& name, const Values& values) {
  if (auto known = device_of(name); !known.empty()) return known;
  auto device = plug(name, values);
  if (!device) return device;
  const model::Lock lock(lock_);
  devices_[name] = *device;
  return device;
}

Result<void> LoadedOnBus::add_parent(const std::string& name, const Values& values) {
  if (has_parent(name)) return fail(EEXIST);
  const auto device = plug_once(name, values);
  return device ? Result<void>{} : std::unexpected(device.error());
}

Result<void> LoadedOnBus::register_parent(const std::string& name, const Values& values) {
  const auto device = plug_once(name, values);
  if (!device) return std::unexpected(device.error());
  if (is_registered(name)) return fail(ENOMEM);
  if (const auto done = core_.bind(*bus_driver_, *device); !done) return done;
  const auto host = core_.find_host_device(*bus_driver_->bus, *device);
  return host ? bound(*host, values) : fail(ENODEV);
}

Result<void> LoadedOnBus::unregister_parent(const std::string& name) {
  return core_.unbind(*bus_driver_, device_of(name));
}

Result<void> LoadedOnBus::remove_parent(const std::string& name) {
  if (is_registered(name)) return fail(EBUSY);
  std::string device;
  {
    const model::Lock lock(lock_);
    const auto at = devices_.find(name);
    if (at == devices_.end()) return {};
    device = std::move(at->second);
    devices_.erase(at);
  }
  unplug(device);
  return {};
}

bool LoadedOnBus::has_parent(const std::string& name) {
  const auto device = device_of(name);
  return !device.empty() && core_.find_host_device(*bus_driver_->bus, device) != nullptr;
}

bool LoadedOnBus::is_registered(const std::string& name) {
  const auto device = device_of(name);
  const auto host = device.empty() ? nullptr : core_.find_host_device(*bus_driver_->bus, device);
  return host && host->driver() == bus_driver_;
}

void LoadedOnBus::unload(model::Core& core) {
  if (host_module_) core.unload_module(*host_module_);
  core.unload_module(*module);
  std::map<std::string, std::string> gone;
  {
    const model::Lock lock(lock_);
    gone = std::exchange(devices_, {});
  }
  for (const auto& [name, device] : gone) unplug(device);
}

}  // namespace mdevfs::backends
