// SPDX-License-Identifier: Apache-2.0
//
// An mdev driver, as the kernel has struct mdev_driver: its directory on the bus, and the calls that a
// backend implements. It is the only thing in the model that is truly pluggable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "object.h"

namespace mdevfs::model {

class Device;
class Module;
class Schema;
class Type;
void define_driver(Schema& schema);

// A file of a driver's own on its devices, in a named group (a directory of the device).
struct DeviceAttribute {
  std::string name;
  mode_t mode = 0444;
  Result<std::string> (*show)(Device&) = nullptr;
  Result<void> (*store)(Device&, std::string_view) = nullptr;
  // Instead of both: a text that each device has of its own, and keeps what is written to it.
  std::optional<std::string> text = std::nullopt;
};

struct AttributeGroup {
  std::string name;
  std::vector<DeviceAttribute> attributes;
};

struct DriverInfo {
  std::string name;
  std::string device_api;
  bool uses_vfio = true;       // its devices get an iommu group and a vfio device
  bool counts_itself = false;  // it has a get_available of its own; otherwise the core counts per parent
  unsigned max_instances = 0;  // from which the core counts
  bool waits = true;    // may probe or remove take long? (only a hint, for more concurrency at more cost)
  bool traces = false;  // each probe and remove has its lines in the log
  std::vector<AttributeGroup> groups;
};

// Thread-safety: as Object; the virtual functions are called from any thread, several at once, with no lock
// of the model held but the device's own and the parent's unreg_sem (shared).
class Driver : public Object {
 public:
  Driver(Core& owner, std::shared_ptr<Module> owner_module, DriverInfo driver_info);
  Slot self() const final { return Slot::driver_directory; }
  std::string name() const final { return info.name; }
  Members* members(Slot slot) final { return slot == Slot::driver_directory ? &bound_ : nullptr; }

  // May block. An errno of any number, or nothing: the device works. 517 reaches the caller as EAGAIN. A
  // negative number stands for a driver that mistakes the sign: it has failed too, and the log shows it.
  virtual Result<void> probe(Device& device) = 0;
  // The beginning of its remove, before the vfio device goes: for drivers that have something to say there.
  virtual void begin_remove(Device&) noexcept {}
  // May block. Gives back what probe took.
  virtual void remove(Device& device) noexcept = 0;
  // How many devices of the type fit still; nullopt: the core counts. Must not block.
  virtual std::optional<unsigned> get_available(const Type&) { return std::nullopt; }
  // The text of the type's `description`; nullopt: there is no such file.
  virtual std::optional<std::string> show_description(const Type&) { return std::nullopt; }

  // The entries of the groups on a device, in slots of the device's own.
  const ExtraEntries& group_entries() const { return group_entries_; }
  const DeviceAttribute& attribute(Slot slot) const { return *attributes_[extra_place(slot)]; }

  const std::shared_ptr<Module> module;
  const DriverInfo info;

 private:
  Members bound_;
  ExtraEntries group_entries_;
  std::vector<const DeviceAttribute*> attributes_;  // by slot; null for a group's directory
};

}  // namespace mdevfs::model
