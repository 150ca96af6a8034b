// SPDX-License-Identifier: Apache-2.0
//
// Parents on a bus: devices that a driver of the bus registers with the mdev core when they are bound to it,
// and unregisters when they are not any more.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends.h"
#include "model/core.h"

namespace mdevfs::backends {

// What a bus driver does with its devices. It is shared by the driver, which lives as long as its module, and
// what describes its devices. Thread-safety: all functions from any thread.
class Registrar {
 public:
  explicit Registrar(std::shared_ptr<model::Driver> driver) : driver_(std::move(driver)) {}

  // The types that a device of this name will have; it can be bound then.
  void describe(const std::string& device, std::vector<model::TypeInfo> types);
  void forget(const std::string& device);
  bool knows(const std::string& device);

  // For probe and remove. ENODEV: nothing is known of such a device. Otherwise what Core::register_parent
  // says.
  model::Result<void> register_device(model::HostDevice& device);
  model::Result<void> register_device(model::HostDevice& device, std::vector<model::TypeInfo> types);
  void unregister_device(model::HostDevice& device);

 private:
  const std::shared_ptr<model::Driver> driver_;
  model::Mutex lock_{model::Rank::backend};
  std::map<std::string, std::vector<model::TypeInfo>, std::less<>> types_ GUARDED_BY(lock_);
  std::map<const model::HostDevice*, std::shared_ptr<model::Parent>> parents_ GUARDED_BY(lock_);
};

// A unit whose parents are such devices. A parent's `device` is the hardware, its `live` that it is bound to
// the unit's driver. Thread-safety: as Loaded.
class LoadedOnBus : public Loaded {
 public:
  LoadedOnBus(model::Core& core, std::shared_ptr<model::Module> its_module)
      : Loaded(std::move(its_module)), core_(core) {}

  model::Result<void> add_parent(const std::string& name, const Values& values) override;
  model::Result<void> register_parent(const std::string& name, const Values& values) override;
  model::Result<void> unregister_parent(const std::string& name) override;
  model::Result<void> remove_parent(const std::string& name) override;
  bool has_parent(const std::string& name) override;
  bool is_registered(const std::string& name) override;
  // The modules go, in this order, then the hardware.
  void unload(model::Core& core) override;

 protected:
  // Puts the device on its bus, bound to nothing, and describes it to the driver. Its name there.
  virtual model::Result<std::string> plug(const std::string& name, const Values& values) = 0;
  virtual void unplug(const std::string& device) = 0;
  // Once a parent is bound.
  virtual model::Result<void> bound(model::HostDevice&, const Values&) { return {}; }

  // The bus driver, and the module that it is in where that is another one; set before anybody else has this
  // object.
  std::shared_ptr<model::BusDriver> bus_driver_;
  std::shared_ptr<model::Module> host_module_;
  model::Core& core_;

 private:
  std::string device_of(const std::string& name) EXCLUDES(lock_);
  model::Result<std::string> plug_once(const std::string& name, const Values& values);

  model::Mutex lock_{model::Rank::group};
  std::map<std::string, std::string> devices_ GUARDED_BY(lock_);  // by item
};

}  // namespace mdevfs::backends
