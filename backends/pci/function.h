// SPDX-License-Identifier: Apache-2.0
//
// A PCI function (struct pci_dev) as sysfs shows it (drivers/pci/pci-sysfs.c, iov.c): its identity, its
// configuration space, its resources, and, of one with SR-IOV, its virtual functions.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "address.h"
#include "backends/backends.h"
#include "model/core.h"

namespace mdevfs::backends::pci {

class Bus;

// A range of addresses, as a line of `resource`: flags are the kernel's IORESOURCE_* bits. All 0: there is
// none.
struct Resource {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t flags = 0;
};
inline constexpr std::size_t kResources = 13;  // 6 BARs, the ROM, 6 BARs of the virtual functions

struct Sriov {
  unsigned total = 0;  // 0: it has none
  unsigned offset = 1;
  unsigned stride = 1;
  unsigned device = 0;  // the virtual functions' device id
  // Files of the virtual functions' own, while they have a driver.
  std::vector<model::HostAttribute> attributes = {};
};

struct Identity {
  Address address;
  unsigned vendor = 0;
  unsigned device = 0;
  unsigned subsystem_vendor = 0;
  unsigned subsystem_device = 0;
  unsigned class_code = 0;  // 24 bits
  unsigned revision = 0;
  unsigned secondary_bus = 0;  // of a bridge: the bus behind it
  unsigned irq = 0;
  int numa_node = -1;
  std::string local_cpulist = "0";
  std::string link_speed = "16.0 GT/s PCIe";
  unsigned link_width = 16;  // 0: it is no PCI Express function
  std::array<Resource, kResources> resources{};
  std::string config = {};  // its configuration space; empty: made from the rest
  Sriov sriov = {};
  std::vector<model::HostAttribute> attributes = {};  // files beside those that every function has
};

// Thread-safety: as HostDevice.
class Function final : public model::HostDevice {
 public:
  struct Place {
    std::shared_ptr<Bus> bus;
    std::shared_ptr<model::HostDevice> above;
    std::shared_ptr<Function> physfn = nullptr;  // of a virtual function
    unsigned number = 0;                         // of a virtual function: which one
  };
  Function(model::Core& owner, Place its_place, Identity its_identity);

  std::string bus_uevent_text() const override;
  Bus& bus() const { return *place.bus; }
  bool is_virtual() const { return place.physfn != nullptr; }

  const Place place;
  const Identity identity;
  const std::string config;

  // What is written to driver_override; empty: nothing.
  std::string driver_override() const EXCLUDES(state_lock_);
  void set_driver_override(std::string name) EXCLUDES(state_lock_);

  // Files of which several functions make use.
  int numa_node() const EXCLUDES(state_lock_);
  void set_numa_node(int node) EXCLUDES(state_lock_);

  // Its virtual functions that are there; they hold it.
  std::vector<std::weak_ptr<Function>> virtual_functions GUARDED_BY(device_lock);
  std::atomic<bool> sriov_drivers_autoprobe{true};

 private:
  void add_identity();
  void add_resources();
  void add_sriov();
  void add_virtual_links();

  mutable model::Mutex state_lock_{model::Rank::backend};
  std::string driver_override_ GUARDED_BY(state_lock_);
  int numa_node_ GUARDED_BY(state_lock_);
};

// The keys of a parent that is a PCI function, and what they say. An identity has passed these checks.
std::span<const Key> function_keys();
// A parent's other keys, and these.
std::vector<Key> with_function_keys(std::span<const Key> others);
// What read_identity() would refuse.
void check_function(const Values& values, const std::string& item, std::vector<Complaint>& complaints);
// EINVAL: its name or its `address` is no address.
model::Result<Identity> read_identity(const Values& values, const std::string& name);

}  // namespace mdevfs::backends::pci
