// SPDX-License-Identifier: Apache-2.0
#include "driver.h"

#include "core.h"
#include "device.h"
#include "module.h"
#include "show.h"
#include "text.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Driver& driver_of(Object& object) {
  return static_cast<Driver&>(object);
}

Result<void> store_bind(Object& object, Slot, std::string_view text) {
  return object.core.bind(driver_of(object), text);
}

Result<void> store_unbind(Object& object, Slot, std::string_view text) {
  return object.core.unbind(driver_of(object), text);
}

Result<std::string> show_attribute(Object& object, Slot slot) {
  auto& device = static_cast<Device&>(object);
  const DeviceAttribute& attribute = device.driver().attribute(slot);
  if (attribute.show != nullptr) return attribute.show(device);
  if (!attribute.text) return fail(EIO);
  return kept_text(object, slot, *attribute.text);
}

Result<void> store_attribute(Object& object, Slot slot, std::string_view text) {
  auto& device = static_cast<Device&>(object);
  const DeviceAttribute& attribute = device.driver().attribute(slot);
  if (attribute.store != nullptr) return attribute.store(device, text);
  if (!attribute.text) return fail(EIO);
  keep_text(object, slot, std::string(without_newline(text)) + "\n");
  return {};
}

}  // namespace

Driver::Driver(Core& owner, std::shared_ptr<Module> owner_module, DriverInfo driver_info)
    : Object(owner), module(std::move(owner_module)), info(std::move(driver_info)) {
  const auto add = [&](Entry entry, const DeviceAttribute* attribute) {
    attributes_.push_back(attribute);
    return add_extra(group_entries_, std::move(entry));
  };
  for (const AttributeGroup& group : info.groups) {
    const Slot in = group.name.empty()
                        ? Slot::device_directory
                        : add(directory(group.name, Device::kGroups, Slot::device_directory), nullptr);
    for (const DeviceAttribute& attribute : group.attributes) {
      Entry entry = file(attribute.name, attribute.mode, Device::kGroups, in, show_attribute,
                         has_store(attribute) ? store_attribute : nullptr);
      entry.changes_alone = attribute.show != nullptr && info.waits;
      add(std::move(entry), &attribute);
    }
  }
}

void define_driver(Schema& schema) {
  constexpr Slot in = Slot::driver_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place = [](Object& o) { return Node{&o.core.root(), Slot::bus_mdev_drivers}; },
                  .subsystem = always<"drivers">});
  schema.add(Slot::driver_bind, file("bind", 0200, kSelf, in, nullptr, store_bind));
  schema.add(Slot::driver_module, link("module", kSelf, in, [](Object& o) {
               return Node{driver_of(o).module.get(), Slot::module_directory};
             }));
  schema.add(Slot::driver_uevent, file("uevent", 0200, kSelf, in, nullptr, store_uevent));
  Entry unbind = file("unbind", 0200, kSelf, in, nullptr, store_unbind);
  unbind.waits = [](Object&) { return true; };  // for a user of the device's vfio descriptor
  schema.add(Slot::driver_unbind, std::move(unbind));
  schema.add(Slot::driver_module_link,
             link_elsewhere(
                 kSelf, [](Object& o) { return Node{driver_of(o).module.get(), Slot::module_drivers}; },
                 [](Object& o) { return Node{&o, Slot::driver_directory}; },
                 [](const Object& o) { return "mdev:" + o.name(); }));
}

}  // namespace mdevfs::model
