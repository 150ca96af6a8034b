// SPDX-License-Identifier: Apache-2.0
//
// A parent device's registration with the mdev core (struct mdev_parent: what stands under
// mdev_supported_types) and the types that it offers (struct mdev_type). A later registration of the same
// device is a new Parent with new types, and descriptors on the old ones stay dead.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gate.h"
#include "host_device.h"
#include "object.h"

namespace mdevfs::model {

class Driver;
class Parent;
class Schema;
void define_parent(Schema& schema);

struct TypeInfo {
  std::string sysfs_name;   // the directory is DRIVER-NAME
  std::string pretty_name;  // what `name` shows; empty: the sysfs_name
  unsigned tag = 0;         // the driver's own
  bool has_name = true;     // is there a file `name`? A driver of before 6.1 may have none
};

// Thread-safety: as Object.
class Type final : public Object {
 public:
  static constexpr Part kDescription = 1;  // `description`, where the driver has one
  static constexpr Part kName = 2;         // `name`

  Type(Core& owner, std::shared_ptr<Parent> its_parent, TypeInfo type_info, unsigned position);
  Slot self() const override { return Slot::type_directory; }
  std::string name() const override { return name_; }
  Members* members(Slot slot) override { return slot == Slot::type_devices ? &devices_ : nullptr; }

  const std::shared_ptr<Parent> parent;
  const TypeInfo info;
  const unsigned number;  // its place in the list that the driver registered

 private:
  const std::string name_;
  Members devices_;
};

// Thread-safety: as Object.
class Parent final : public Object {
 public:
  static constexpr Part kBusLink = 1;  // class/mdev_bus/P

  Parent(Core& owner, std::shared_ptr<HostDevice> its_device, std::shared_ptr<Driver> its_driver);
  Slot self() const override { return Slot::parent_types; }
  std::string name() const override { return "mdev_supported_types"; }
  Members* members(Slot slot) override { return slot == self() ? &types_ : nullptr; }

  const std::shared_ptr<HostDevice> device;
  const std::shared_ptr<Driver> driver;

  // Held over each create and remove, on ages where they go one after another.
  Mutex turn{Rank::turn};
  // create and remove take it shared by try, unregistration exclusively.
  UnregSem unreg_sem;
  // How many more devices there may be, for drivers that do not count themselves. Below 0 as the unsigned
  // number that it is then.
  unsigned available_instances GUARDED_BY(mdev_list_lock);
  // Set by registration, cleared by unregistration; types hold their parent.
  std::vector<std::shared_ptr<Type>> types;

 private:
  Members types_;
};

}  // namespace mdevfs::model
