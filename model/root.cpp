// SPDX-License-Identifier: Apache-2.0
#include "root.h"

#include "core.h"
#include "show.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Result<std::string> show_log(Object& object, Slot) {
  std::string text;
  for (const auto& line : object.core.log().lines()) text += line + '\n';
  return text;
}

Result<std::string> show_autoprobe(Object& object, Slot) {
  return static_cast<Root&>(object).drivers_autoprobe ? "1\n" : "0\n";
}

// drivers_autoprobe_store: only the first byte counts. Nothing follows from it where each device is bound to
// its parent's driver, which the mdev core does by itself.
Result<void> store_autoprobe(Object& object, Slot, std::string_view text) {
  static_cast<Root&>(object).drivers_autoprobe = !text.starts_with('0');
  return {};
}

Result<void> store_drivers_probe(Object& object, Slot, std::string_view text) {
  return object.core.drivers_probe(text);
}

Node place_of_placeholder(Object& object) {
  return {&object.core.root(), static_cast<Placeholder&>(object).in()};
}

Result<std::string> show_placeholder_target(Object& object, Slot) {
  return static_cast<Placeholder&>(object).target();
}

void define_placeholders(Schema& schema) {
  schema.begin(Slot::placeholder_directory);
  schema.add(Slot::placeholder_directory,
             {.kind = Kind::directory, .mode = kDirectoryMode, .place = place_of_placeholder});
  schema.begin(Slot::placeholder_file);
  schema.add(Slot::placeholder_file, {.kind = Kind::file, .mode = 0444, .place = place_of_placeholder});
  schema.begin(Slot::placeholder_link);
  schema.add(Slot::placeholder_link, {.kind = Kind::link,
                                      .mode = kLinkMode,
                                      .place = place_of_placeholder,
                                      .show = show_placeholder_target});
}

constexpr Slot slot_of(PlaceholderKind kind) {
  return Slot::placeholder_directory + static_cast<unsigned>(kind);
}

}  // namespace

Members* Root::members(Slot slot) {
  return index(slot) < members_.size() && entry(slot).kind == Kind::directory ? &members_[index(slot)]
                                                                              : nullptr;
}

Placeholder::Placeholder(Core& owner, Slot in, std::string name, PlaceholderKind kind, std::string target)
    : Object(owner), in_(in), self_(slot_of(kind)), name_(std::move(name)), target_(std::move(target)) {}

namespace {

void define_mdev_bus(Schema& schema) {
  constexpr Slot in = Slot::bus_mdev;
  constexpr Part part = Root::kMdev;
  Entry bus = directory("mdev", part, Slot::bus);
  bus.subsystem = always<"bus">;
  schema.add(in, std::move(bus));
  schema.add(Slot::bus_mdev_devices, directory("devices", part, in));
  schema.add(Slot::bus_mdev_drivers, directory("drivers", part, in));
  schema.add(Slot::bus_mdev_drivers_autoprobe,
             file("drivers_autoprobe", 0644, part, in, show_autoprobe, store_autoprobe));
  schema.add(Slot::bus_mdev_drivers_probe,
             file("drivers_probe", 0200, part, in, nullptr, store_drivers_probe));
  schema.add(Slot::bus_mdev_uevent, file("uevent", 0200, part, in, nullptr, store_uevent));
}

}  // namespace

void define_root(Schema& schema) {
  schema.begin(Slot::root);
  schema.add(Slot::root, {.kind = Kind::directory, .mode = kDirectoryMode});
  const auto add = [&](Slot slot, const char* name, Slot in, Part part = kSelf) {
    schema.add(slot, directory(name, part, in));
  };
  add(Slot::bus, "bus", Slot::root);
  define_mdev_bus(schema);
  add(Slot::class_, "class", Slot::root);
  add(Slot::class_mdev_bus, "mdev_bus", Slot::class_, Root::kMdevBus);
  add(Slot::devices, "devices", Slot::root);
  add(Slot::devices_virtual, "virtual", Slot::devices);
  add(Slot::kernel, "kernel", Slot::root);
  add(Slot::kernel_config, "config", Slot::kernel);
  add(Slot::kernel_debug, "debug", Slot::kernel);
  add(Slot::kernel_debug_mdevfs, "mdevfs", Slot::kernel_debug);
  Entry log = file("log", 0400, kSelf, Slot::kernel_debug_mdevfs, show_log);
  log.changes_alone = log.grows = true;
  schema.add(Slot::kernel_debug_mdevfs_log, std::move(log));
  add(Slot::kernel_debug_mdevfs_vfio, "vfio", Slot::kernel_debug_mdevfs);
  add(Slot::kernel_iommu_groups, "iommu_groups", Slot::kernel);
  add(Slot::module, "module", Slot::root);
  define_placeholders(schema);
}

}  // namespace mdevfs::model
