// SPDX-License-Identifier: Apache-2.0
//
// The buses of parent devices (/sys/bus/B: pci, css, ap, ...), the drivers on them, and the iommu groups of
// their devices. mdev's own bus is not among them: it has devices of another kind and matches none
// (driver.h).
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "object.h"

namespace mdevfs::model {

class HostDevice;
class Module;
class Schema;
void define_bus(Schema& schema);

// A bus (struct bus_type). Thread-safety: as Object; what is derived says its own.
class Bus : public Object {
 public:
  // `attributes` are files of the bus's own, in Slot::bus_directory.
  Bus(Core& owner, std::string name, ExtraEntries attributes = {});
  Slot self() const final { return Slot::bus_directory; }
  std::string name() const final { return name_; }
  Members* members(Slot slot) final;
  const ExtraEntries* extra() const final { return &attributes_; }

  // 0: devices and drivers that come are not brought together; who wants them to writes to drivers_probe or
  // bind.
  std::atomic<bool> drivers_autoprobe{true};

 private:
  const std::string name_;
  const ExtraEntries attributes_;
  Members devices_;
  Members drivers_;
};

// A driver on such a bus (struct device_driver): what a parent device is bound to, and what registers it with
// the mdev core. Thread-safety: as Object; probe and remove are called from any thread with the device's lock
// held, for several devices at once.
class BusDriver : public Object {
 public:
  static constexpr Part kModule = 1;  // its module's links, of a driver that is in one
  static constexpr Part kBind = 2;    // bind and unbind

  // A driver without a module is part of the kernel. `attributes` are files of its own, in
  // Slot::bus_driver_directory.
  BusDriver(Core& owner, std::shared_ptr<Bus> its_bus, std::shared_ptr<Module> its_module, std::string name,
            ExtraEntries attributes = {});
  Slot self() const final { return Slot::bus_driver_directory; }
  std::string name() const final { return name_; }
  Members* members(Slot slot) final { return slot == self() ? &bound_ : nullptr; }
  const ExtraEntries* extra() const final { return &attributes_; }

  // suppress_bind_attrs: nobody binds and unbinds it by hand.
  virtual bool has_bind_files() const { return true; }
  // The bus's rule: is the device one for this driver? Must not block; called with the device's lock held or
  // without.
  virtual bool matches(const HostDevice& device) const = 0;
  // May block. An errno, or nothing: it is bound.
  virtual Result<void> probe(HostDevice& device) = 0;
  // May block. Undoes what probe did: a parent is unregistered here.
  virtual void remove(HostDevice& device) noexcept = 0;

  const std::shared_ptr<Bus> bus;
  const std::shared_ptr<Module> module;
  // It is being removed: no more devices.
  std::atomic<bool> going{false};

 private:
  const std::string name_;
  const ExtraEntries attributes_;
  Members bound_;
};

// Thread-safety: as Object.
class IommuGroup final : public Object {
 public:
  IommuGroup(Core& owner, unsigned its_number) : Object(owner), number(its_number) {}
  Slot self() const override { return Slot::host_iommu_group_directory; }
  std::string name() const override { return std::to_string(number); }
  Members* members(Slot slot) override {
    return slot == Slot::host_iommu_group_devices ? &devices_ : nullptr;
  }

  const unsigned number;

 private:
  Members devices_;
};

}  // namespace mdevfs::model
