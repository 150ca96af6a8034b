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

#include "host_device.h"
#include "object.h"

namespace mdevfs::model {

class Device;
class Module;
class Schema;
class Type;
void define_driver(Schema& schema);

// A file of a driver's own on its devices.
struct DeviceAttribute {
  std::string name;
  mode_t mode = 0444;  // checked by the kernel, not here
  // The text with its newline; what was written, up to a page. Null: EIO. Any errno. Several at once, between
  // a probe that succeeded and the beginning of the driver's remove, which waits until nobody is inside: so
  // neither may take the device's lock.
  Result<std::string> (*show)(Device&) = nullptr;
  Result<void> (*store)(Device&, std::string_view) = nullptr;
  // Instead of both: a text that each device has of its own, and keeps what is written to it.
  std::optional<std::string> text = std::nullopt;
};

struct AttributeGroup {
  std::string name;  // the directory of the device that they are in; empty: the device's own
  std::vector<DeviceAttribute> attributes;
};

struct DriverInfo {
  std::string name;            // its directory in bus/mdev/drivers
  std::string device_api;      // what the types' device_api shows
  bool uses_vfio = true;       // its devices get an iommu group and a vfio device
  bool counts_itself = false;  // it has a get_available of its own; otherwise the core counts per parent
  unsigned max_instances = 0;  // from which the core counts
  int full_errno = ENOSPC;  // what the driver answers on ages on which the core does not, and it does instead
  bool waits = true;    // may any of its functions take long, or show another text though nobody has written?
                        // False costs less, but who waits all the same holds up everybody
  bool traces = false;  // each probe and remove has its lines in the log
  std::vector<AttributeGroup> groups;
  // Files on its parents while they are registered, on ages that have such; of HostDevice::kParentGroups. For
  // who adds the parent device.
  std::vector<HostAttribute> parent_files = {};
};

// Thread-safety: as Object; the virtual functions are called from any thread, several at once. probe,
// begin_remove and remove are called with the device's own lock held and, but for an unbind, the parent's
// unreg_sem (shared, or by its unregistration exclusively): they may take locks of Rank::backend and later
// ones only, and create, remove or register nothing.
class Driver : public Object {
 public:
  Driver(Core& owner, std::shared_ptr<Module> owner_module, DriverInfo driver_info);
  Slot self() const final { return Slot::driver_directory; }
  std::string name() const final { return info.name; }
  Members* members(Slot slot) final { return slot == Slot::driver_directory ? &bound_ : nullptr; }

  // May block. An errno of any number, or nothing: the device works. 517 reaches the caller as EAGAIN. A
  // negative number stands for a driver that mistakes the sign: it has failed too, and the log shows it. What
  // it throws is EIO. Not 0.
  virtual Result<void> probe(Device& device) = 0;
  // The beginning of its remove, before the vfio device goes and its users are waited for: for drivers that
  // have something to say there.
  virtual void begin_remove(Device&) noexcept {}
  // May block. Gives back what probe took; once for each probe that succeeded, but for those whose remove was
  // said to be refused (kernel/debug/mdevfs/P/fail_remove).
  virtual void remove(Device& device) noexcept = 0;
  // How many devices of the type fit still; nullopt: the core counts. A value if and only if counts_itself.
  // Called with no lock of the model held; must not block.
  virtual std::optional<unsigned> get_available(const Type&) { return std::nullopt; }
  // The text of the type's `description`, without a newline; nullopt: there is no such file, and that is the
  // same as long as the type is registered. Called with the whole tree locked too: takes no lock at all.
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
