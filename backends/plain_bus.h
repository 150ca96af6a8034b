// SPDX-License-Identifier: Apache-2.0
//
// A bus of which nothing more is known than its name, and devices on it as they are described: where they
// hang, and what files they have.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends.h"
#include "bus_parents.h"
#include "model/core.h"

namespace mdevfs::backends {

struct PlainDescription {
  std::string name;
  std::string above;     // directories below devices/, as css0; empty: none
  std::string modalias;  // empty: it has none
  std::vector<model::HostAttribute> attributes;
};

// Thread-safety: as HostDevice.
class PlainDevice final : public model::HostDevice {
 public:
  PlainDevice(model::Core& owner, std::shared_ptr<model::Bus> bus, std::shared_ptr<model::HostDevice> above,
              PlainDescription description);
  std::string bus_uevent_text() const override;
  // As its file shows it.
  std::string driver_override() const;
  void set_driver_override(const std::string& name);

 private:
  const std::string modalias_;
  const model::Slot override_;
};

// Thread-safety: all functions from any thread.
class PlainBus final : public model::Bus {
 public:
  PlainBus(model::Core& owner, std::string name) : Bus(owner, std::move(name)) {}
  // The machine's one of that name; made when it is first asked for. EBUSY: that bus is one of another kind.
  static model::Result<std::shared_ptr<PlainBus>> of(model::Core& core, const std::string& name);
  // EEXIST: there is a device of that name.
  model::Result<std::shared_ptr<PlainDevice>> plug(PlainDescription description);

 private:
  std::shared_ptr<model::HostDevice> directories(const std::string& path);

  model::Mutex lock_{model::Rank::group};
  std::map<std::string, std::shared_ptr<model::HostDevice>, std::less<>> above_ GUARDED_BY(lock_);
};

// Takes the devices that it is told of, unless another driver is named in their driver_override, and
// registers them. Thread-safety: as BusDriver.
class PlainDriver final : public model::BusDriver {
 public:
  PlainDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus,
              std::shared_ptr<model::Module> its_module, std::string name,
              std::shared_ptr<Registrar> registrar);
  bool matches(const model::HostDevice& device) const override;
  model::Result<void> probe(model::HostDevice& device) override {
    return registrar_->register_device(device);
  }
  void remove(model::HostDevice& device) noexcept override { registrar_->unregister_device(device); }

 private:
  const std::shared_ptr<Registrar> registrar_;
};

}  // namespace mdevfs::backends
