// SPDX-License-Identifier: Apache-2.0
//
// A parent device (/sys/devices/virtual/C/P), its registration with the mdev core (struct mdev_parent: what
// stands under mdev_supported_types) and the types that it offers (struct mdev_type). The device stays when
// it is unregistered; a later registration is a new Parent with new types, and descriptors on the old ones
// stay dead.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device_class.h"
#include "fault.h"
#include "gate.h"
#include "object.h"

namespace mdevfs::model {

class Driver;
class Parent;
class Schema;
void define_parent(Schema& schema);

// Thread-safety: as Object.
class ParentDevice final : public Object {
 public:
  static constexpr Part kDebug = 1;  // kernel/debug/mdevfs/P

  ParentDevice(Core& owner, std::shared_ptr<DeviceClass> its_class, std::string name)
      : Object(owner), device_class(std::move(its_class)), name_(std::move(name)) {}
  Slot self() const override { return Slot::parent_device_directory; }
  std::string name() const override { return name_; }
  Members* members(Slot slot) override { return slot == self() ? &children_ : nullptr; }

  const std::shared_ptr<DeviceClass> device_class;
  std::shared_ptr<GlueDirectory> glue;  // set once, before it appears
  std::weak_ptr<Parent> registration GUARDED_BY(mdev_list_lock);
  Fault fault;

 private:
  const std::string name_;
  Members children_;
};

struct TypeInfo {
  std::string sysfs_name;   // the directory is CLASS-NAME
  std::string pretty_name;  // what `name` shows; empty: the sysfs_name
  unsigned tag = 0;         // the driver's own
};

// Thread-safety: as Object.
class Type final : public Object {
 public:
  static constexpr Part kDescription = 1;  // `description`, where the driver has one

  Type(Core& owner, std::shared_ptr<Parent> its_parent, TypeInfo type_info, unsigned position);
  Slot self() const override { return Slot::type_directory; }
  std::string name() const override;
  Members* members(Slot slot) override { return slot == Slot::type_devices ? &devices_ : nullptr; }

  const std::shared_ptr<Parent> parent;
  const TypeInfo info;
  const unsigned number;  // its place in the list that the driver registered

 private:
  Members devices_;
};

// Thread-safety: as Object.
class Parent final : public Object {
 public:
  static constexpr Part kBusLink = 1;  // class/mdev_bus/P

  Parent(Core& owner, std::shared_ptr<ParentDevice> its_device, std::shared_ptr<Driver> its_driver);
  Slot self() const override { return Slot::parent_types; }
  std::string name() const override { return "mdev_supported_types"; }
  Members* members(Slot slot) override { return slot == self() ? &types_ : nullptr; }

  const std::shared_ptr<ParentDevice> device;
  const std::shared_ptr<Driver> driver;

  // create and remove take it shared by try, unregistration exclusively.
  UnregSem unreg_sem;
  // How many more devices the core lets through, for drivers that do not count themselves.
  unsigned available_instances GUARDED_BY(mdev_list_lock);
  // Set by registration, cleared by unregistration; types hold their parent.
  std::vector<std::shared_ptr<Type>> types;

 private:
  Members types_;
};

}  // namespace mdevfs::model
