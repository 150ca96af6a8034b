// SPDX-License-Identifier: Apache-2.0
//
// The PCI bus: what is plugged in, and the drivers that its functions can be bound to.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "function.h"
#include "model/bus.h"
#include "model/core.h"

namespace mdevfs::backends::pci {

// Thread-safety: all functions from any thread.
class Bus final : public model::Bus {
 public:
  explicit Bus(model::Core& owner);
  // The machine's one; made when it is first asked for.
  static std::shared_ptr<Bus> of(model::Core& core);

  // A function in a slot, on the bridges that `path` names from the root ("pci0000:60/0000:60:03.1"; empty:
  // on a root bus of its own bus's number). It is probed by no driver yet. EEXIST: there is one at that
  // address. EINVAL: the path is none.
  model::Result<std::shared_ptr<Function>> plug(const Identity& identity, const std::string& path,
                                                const std::string& iommu_group);
  // Takes it out again, with its virtual functions.
  void unplug(const Address& address);
  // bus/pci/rescan: what was removed by its `remove` file, but not unplugged, is found again.
  void rescan();

 private:
  struct Hardware {
    Identity identity;
    std::string path;
    std::string iommu_group;
  };
  model::Result<std::shared_ptr<Function>> add(const Hardware& hardware);
  model::Result<std::shared_ptr<model::HostDevice>> add_bridge(const std::string& name,
                                                               unsigned secondary_bus,
                                                               std::shared_ptr<model::HostDevice> above);
  model::Result<std::shared_ptr<model::HostDevice>> bridges_to(const Hardware& hardware);
  std::shared_ptr<model::IommuGroup> group_for(const std::string& name);

  model::Mutex lock_{model::Rank::group};
  std::map<Address, Hardware> plugged_ GUARDED_BY(lock_);
  // They are the core's, and hold the bus.
  std::map<std::string, std::weak_ptr<model::HostDevice>, std::less<>> bridges_ GUARDED_BY(lock_);
  std::map<std::string, std::weak_ptr<model::IommuGroup>, std::less<>> groups_ GUARDED_BY(lock_);
};

// A PCI driver (struct pci_driver): a device is one for it by its vendor and device, by an id from new_id, or
// because its driver_override says so. Thread-safety: as BusDriver.
class Driver : public model::BusDriver {
 public:
  struct Id {
    unsigned vendor = kAny;
    unsigned device = kAny;
    unsigned class_code = 0;
    unsigned class_mask = 0;
    bool operator==(const Id&) const = default;
  };
  static constexpr unsigned kAny = ~0U;

  // The bus is there.
  Driver(model::Core& owner, std::shared_ptr<model::Module> its_module, std::string name,
         std::vector<Id> ids);

  bool matches(const model::HostDevice& device) const final;
  model::Result<void> probe(model::HostDevice& device) final;
  void remove(model::HostDevice& device) noexcept final;

  // Is the function one for it, whatever its ids? Must not block.
  virtual bool takes(const Function&) const { return false; }
  // As BusDriver's.
  virtual model::Result<void> probe_function(Function&) { return {}; }
  virtual void remove_function(Function&) noexcept {}
  // May sriov_numvfs change the number of its virtual functions?
  virtual bool configures_sriov() const { return false; }

  // new_id_store, remove_id_store. EINVAL, EEXIST, ENODEV.
  model::Result<void> add_id(std::string_view text);
  model::Result<void> remove_id(std::string_view text);

 private:
  const std::vector<Id> ids_;
  mutable model::Mutex lock_{model::Rank::backend};
  std::vector<Id> dynamic_ids_ GUARDED_BY(lock_);
};

// sriov_numvfs_store. ENOENT: its driver cannot, or it has none. EBUSY: there is another number of them.
model::Result<void> set_virtual_functions(Function& function, unsigned count);
// Takes the function away, and its virtual functions before it.
void remove_function(Function& function);
// For a physical function's driver that goes.
void remove_virtual_functions(Function& function) REQUIRES(function.device_lock);

}  // namespace mdevfs::backends::pci
