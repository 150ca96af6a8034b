// SPDX-License-Identifier: Apache-2.0
//
// A device of the host that is no mdev (struct device): a parent device, which a driver can register with the
// mdev core, or what it hangs on (a bridge, a channel subsystem). It stands in devices/virtual/C, in another
// one's directory or in devices itself. It stays when it is unregistered.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device_class.h"
#include "fault.h"
#include "log.h"
#include "object.h"

namespace mdevfs::model {

class Bus;
class BusDriver;
class HostDevice;
class IommuGroup;
class Parent;
class Schema;
void define_host_device(Schema& schema);

// A file of a device's own.
struct HostAttribute {
  std::string name;
  mode_t mode = 0444;
  Result<std::string> (*show)(HostDevice&) = nullptr;
  Result<void> (*store)(HostDevice&, std::string_view) = nullptr;
  // Instead of both: a text of its own, with its newline. What is written replaces it.
  std::optional<std::string> text = std::nullopt;
  std::string group = {};  // the directory of the device that it is in; empty: the device's own
  Part part = kSelf;
  std::uint64_t size = kAttributeSize;  // what stat(2) says
  bool waits = false;                   // may its store take long?
};

struct HostDeviceInfo {
  std::string name;
  std::shared_ptr<DeviceClass> device_class = nullptr;  // it is in the class's glue directory
  std::shared_ptr<Bus> bus = nullptr;
  std::shared_ptr<HostDevice> above = nullptr;  // in whose directory it is
  bool is_parent = true;                        // it can be registered: there is a kernel/debug/mdevfs/NAME
  Rank rank = Rank::host_device;                // of its device_lock
  std::string type = {};                        // DEVTYPE in its uevents; empty: there is none
  std::vector<HostAttribute> attributes = {};
};

// Thread-safety: as Object; what is derived says its own.
class HostDevice : public Object {
 public:
  static constexpr Part kDebug = 1;         // kernel/debug/mdevfs/P
  static constexpr Part kSubsystem = 2;     // subsystem, and its link in class/C or bus/B/devices
  static constexpr Part kDriver = 3;        // driver, and its link in the driver's directory
  static constexpr Part kIommu = 4;         // iommu_group, and its link in the group
  static constexpr Part kDriverGroups = 5;  // what its driver shows in its directory
  static constexpr Part kVfio = 6;          // a vfio group, of one that is given to vfio whole
  static constexpr Part kRemove = 7;        // files that take the device away, and themselves first
  static constexpr Part kVfioDevice = 8;    // vfio-dev
  static constexpr Part kParentGroups = 9;  // what its mdev driver shows in its directory, on old ages
  static constexpr VfioParts kVfioParts{kVfio, kVfioDevice};

  HostDevice(Core& owner, HostDeviceInfo device_info);
  ~HostDevice() override;
  Slot self() const final { return Slot::host_device_directory; }
  std::string name() const final { return info.name; }
  Members* members(Slot slot) final { return slot == self() ? &children_ : nullptr; }
  const ExtraEntries* extra() const final { return &extra_; }

  // The keys that its bus adds to all its uevents, a line each.
  virtual std::string bus_uevent_text() const { return {}; }

  // dev->driver; null: none.
  std::shared_ptr<BusDriver> driver() const EXCLUDES(kernfs_rwsem);
  void set_driver(std::shared_ptr<BusDriver> driver) REQUIRES(kernfs_rwsem) { driver_ = std::move(driver); }
  BusDriver* driver_of_link() const REQUIRES_SHARED(kernfs_rwsem) { return driver_.get(); }
  // dev_driver_string: its driver's name, or its bus's, or its class's.
  std::string driver_string() const EXCLUDES(kernfs_rwsem);
  // A line in the kernel log, as dev_info() and the like begin it.
  void print(Level level, std::string_view text) const;
  const HostAttribute& attribute(Slot slot) const { return *attributes_[extra_place(slot)]; }

  const HostDeviceInfo info;
  // The kernel's device_lock: held over its bus driver's probe and remove.
  mutable Mutex device_lock;
  bool dead GUARDED_BY(device_lock) = false;
  std::shared_ptr<GlueDirectory> glue;      // set once, before it appears
  std::shared_ptr<IommuGroup> iommu_group;  // likewise
  VfioDevice vfio;                          // set before kVfio appears
  std::weak_ptr<Parent> registration GUARDED_BY(mdev_list_lock);
  Fault fault;

 protected:
  // For constructors.
  Slot add_attribute(HostAttribute attribute);
  Slot add_entry(Entry entry);  // a directory or a link

 private:
  Slot group_directory(const HostAttribute& attribute);

  std::shared_ptr<BusDriver> driver_ GUARDED_BY(kernfs_rwsem);
  Members children_;
  ExtraEntries extra_;
  std::deque<HostAttribute> kept_attributes_;
  std::vector<const HostAttribute*> attributes_;  // by slot; null for what is no file
};

}  // namespace mdevfs::model
