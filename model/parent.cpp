// SPDX-License-Identifier: Apache-2.0
#include "parent.h"

#include <fmt/format.h>

#include "core.h"
#include "driver.h"
#include "show.h"
#include "uevent.h"
#include "uuid.h"

namespace mdevfs::model {
namespace {

Type& type_of(Object& object) {
  return static_cast<Type&>(object);
}
Parent& parent_of(Object& object) {
  return static_cast<Parent&>(object);
}

// available_instances_show: the driver's count, or the core's, which is unsigned also where it was given as
// -1.
Result<std::string> show_available_instances(Object& object, Slot) {
  Type& type = type_of(object);
  if (type.parent->driver->info.waits) announce_wait();
  auto available = type.parent->driver->get_available(type);
  if (!available) {
    const Lock lock(mdev_list_lock);
    available = type.parent->available_instances;
  }
  if (!object.core.age().core_counts) return fmt::format("{}\n", static_cast<int>(*available));
  return fmt::format("{}\n", *available);
}

Result<std::string> show_description(Object& object, Slot) {
  Type& type = type_of(object);
  return type.parent->driver->show_description(type).value_or("") + "\n";
}

Result<std::string> show_device_api(Object& object, Slot) {
  return type_of(object).parent->driver->info.device_api + "\n";
}

// A type without a pretty name shows its bare name, not that of its directory.
Result<std::string> show_name(Object& object, Slot) {
  const TypeInfo& info = type_of(object).info;
  return (info.pretty_name.empty() ? info.sysfs_name : info.pretty_name) + "\n";
}

// create_store.
Result<void> store_create(Object& object, Slot, std::string_view text) {
  const auto uuid = parse_create_text(text);
  if (!uuid) return std::unexpected(uuid.error());
  return object.core.create(type_of(object), *uuid);
}

void define_registration(Schema& schema) {
  schema.begin(Slot::parent_types);
  schema.add(Slot::parent_types, {.kind = Kind::directory, .mode = kDirectoryMode, .place = [](Object& o) {
                                    return Node{parent_of(o).device.get(), Slot::host_device_directory};
                                  }});
  schema.add(Slot::parent_bus_link,
             link_elsewhere(
                 Parent::kBusLink, [](Object& o) { return Node{&o.core.root(), Slot::class_mdev_bus}; },
                 [](Object& o) { return Node{parent_of(o).device.get(), Slot::host_device_directory}; },
                 [](const Object& o) { return static_cast<const Parent&>(o).device->name(); }));
}

void define_type(Schema& schema) {
  constexpr Slot in = Slot::type_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory, .mode = kDirectoryMode, .place = [](Object& o) {
                    return Node{type_of(o).parent.get(), Slot::parent_types};
                  }});
  schema.add(Slot::type_available_instances,
             file("available_instances", 0444, kSelf, in, show_available_instances));
  Entry create = file("create", 0200, kSelf, in, nullptr, store_create);
  create.waits = [](Object& o) {
    const Parent& parent = *type_of(o).parent;
    return parent.driver->info.waits || parent.device->fault.probe_delay_ms != 0;
  };
  schema.add(Slot::type_create, std::move(create));
  schema.add(Slot::type_description, file("description", 0444, Type::kDescription, in, show_description));
  schema.add(Slot::type_device_api, file("device_api", 0444, kSelf, in, show_device_api));
  schema.add(Slot::type_devices, directory("devices", kSelf, in));
  schema.add(Slot::type_name, file("name", 0444, Type::kName, in, show_name));
}

}  // namespace

Type::Type(Core& owner, std::shared_ptr<Parent> its_parent, TypeInfo type_info, unsigned position)
    : Object(owner),
      parent(std::move(its_parent)),
      info(std::move(type_info)),
      number(position),
      name_(parent->device->driver_string() + "-" + info.sysfs_name) {}

Parent::Parent(Core& owner, std::shared_ptr<HostDevice> its_device, std::shared_ptr<Driver> its_driver)
    : Object(owner),
      device(std::move(its_device)),
      driver(std::move(its_driver)),
      available_instances(driver->info.max_instances) {}

void define_parent(Schema& schema) {
  define_registration(schema);
  define_type(schema);
}

}  // namespace mdevfs::model
