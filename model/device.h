// SPDX-License-Identifier: Apache-2.0
//
// A mediated device (struct mdev_device), with what a vfio driver hangs on it: an iommu group, a vfio group
// and a vfio device, which come and go with its binding and so are parts of it.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "log.h"
#include "object.h"
#include "parent.h"
#include "uuid.h"

namespace mdevfs::model {

class Schema;
void define_device(Schema& schema);

// Thread-safety: as Object.
class Device final : public Object {
 public:
  // In the order in which they appear.
  static constexpr Part kBase = 1;         // power, subsystem, uevent; its link on the bus
  static constexpr Part kRemove = 2;       // remove, which can be taken away alone
  static constexpr Part kDriverLinks = 3;  // driver, and its link in the driver's directory
  static constexpr Part kVfio = 4;         // iommu_group, and both groups
  static constexpr Part kGroups = 5;       // the driver's attribute groups
  static constexpr Part kTypeLinks = 6;    // mdev_type, and its link in the type's directory
  static constexpr Part kVfioDevice = 7;   // vfio-dev
  static constexpr VfioParts kVfioParts{kVfio, kVfioDevice};

  Device(Core& owner, std::shared_ptr<Type> its_type, const Uuid& its_uuid)
      : Object(owner),
        name_hash_(model::name_hash(to_string(its_uuid))),
        type(std::move(its_type)),
        uuid(its_uuid) {}
  Slot self() const override { return Slot::device_directory; }
  std::string name() const override { return to_string(uuid); }
  std::uint32_t name_hash() const override { return name_hash_; }
  const ExtraEntries* extra() const override;
  bool extra_waits() const override;
  Driver& driver() const { return *type->parent->driver; }
  // What it is bound to, if it is: that driver, or vfio_mdev. Of the latter, only where vfio_mdev has been
  // loaded once.
  Driver& bus_driver() const;
  // A line in the kernel log, as dev_info() and the like begin it: with the driver's name and the device's.
  void print(Level level, std::string_view text) const;

  // In the order in which nothing is between them, here and in Object: there are millions.
  // dev->driver: set before probe, cleared after the driver's remove. Looked at without the lock where the
  // kernel does (unbind), under it where it matters.
  std::atomic<bool> has_driver{false};
  bool dead GUARDED_BY(device_lock) = false;  // on its way out: it is not bound any more

 private:
  // Its name stands in half a dozen directories, and is formatted for none of them.
  const std::uint32_t name_hash_;

 public:
  const std::shared_ptr<Type> type;
  const Uuid uuid;
  VfioDevice vfio;  // set before kVfio appears
  // The kernel's device_lock: held over probe and over the driver's remove. What follows begins in its last
  // bytes.
  [[no_unique_address]] Mutex device_lock{Rank::device};
  // Between the end of its creation and the beginning of its removal. Set without unreg_sem's help by the
  // creator, cleared by the one remover that may go on.
  bool active GUARDED_BY(mdev_list_lock) = false;
  // Its driver is being released: no more vfio descriptors.
  bool vfio_going GUARDED_BY(vfio_lock) = false;
};

}  // namespace mdevfs::model
