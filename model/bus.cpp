// SPDX-License-Identifier: Apache-2.0
#include "bus.h"

#include "core.h"
#include "show.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

Bus& bus_of(Object& object) {
  return static_cast<Bus&>(object);
}
BusDriver& driver_of(Object& object) {
  return static_cast<BusDriver&>(object);
}

Result<std::string> show_autoprobe(Object& object, Slot) {
  return bus_of(object).drivers_autoprobe ? "1\n" : "0\n";
}

// drivers_autoprobe_store: only the first byte counts.
Result<void> store_autoprobe(Object& object, Slot, std::string_view text) {
  bus_of(object).drivers_autoprobe = !text.starts_with('0');
  return {};
}

Result<void> store_drivers_probe(Object& object, Slot, std::string_view text) {
  return object.core.drivers_probe(bus_of(object), text);
}

Result<void> store_bind(Object& object, Slot, std::string_view text) {
  return object.core.bind(driver_of(object), text);
}

Result<void> store_unbind(Object& object, Slot, std::string_view text) {
  return object.core.unbind(driver_of(object), text);
}

Entry waiting(Entry entry) {
  entry.waits = [](Object&) { return true; };
  return entry;
}

void define_bus_directory(Schema& schema) {
  constexpr Slot in = Slot::bus_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place = [](Object& o) { return Node{&o.core.root(), Slot::bus}; },
                  .subsystem = always<"bus">});
  schema.add(Slot::bus_devices, directory("devices", kSelf, in));
  schema.add(Slot::bus_drivers, directory("drivers", kSelf, in));
  schema.add(Slot::bus_drivers_autoprobe,
             file("drivers_autoprobe", 0644, kSelf, in, show_autoprobe, store_autoprobe));
  schema.add(Slot::bus_drivers_probe,
             waiting(file("drivers_probe", 0200, kSelf, in, nullptr, store_drivers_probe)));
  schema.add(Slot::bus_uevent, file("uevent", 0200, kSelf, in, nullptr, store_uevent));
}

void define_bus_driver(Schema& schema) {
  constexpr Slot in = Slot::bus_driver_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place = [](Object& o) { return Node{driver_of(o).bus.get(), Slot::bus_drivers}; },
                  .subsystem = always<"drivers">});
  const auto module_node = [](Object& o) { return Node{driver_of(o).module.get(), Slot::module_directory}; };
  schema.add(Slot::bus_driver_bind, waiting(file("bind", 0200, BusDriver::kBind, in, nullptr, store_bind)));
  schema.add(Slot::bus_driver_module, link("module", BusDriver::kModule, in, module_node));
  schema.add(Slot::bus_driver_uevent, file("uevent", 0200, kSelf, in, nullptr, store_uevent));
  schema.add(Slot::bus_driver_unbind,
             waiting(file("unbind", 0200, BusDriver::kBind, in, nullptr, store_unbind)));
  schema.add(
      Slot::bus_driver_module_link,
      link_elsewhere(
          BusDriver::kModule, [](Object& o) { return Node{driver_of(o).module.get(), Slot::module_drivers}; },
          [](Object& o) { return Node{&o, Slot::bus_driver_directory}; },
          [](const Object& o) { return static_cast<const BusDriver&>(o).bus->name() + ":" + o.name(); }));
}

// iommu_group_store_type: nothing that has a driver can change, and nothing else has been asked for.
Result<void> store_iommu_group_type(Object&, Slot, std::string_view) {
  return fail(EINVAL);
}

// As of a machine with Intel's VT-d: where interrupts are written to cannot be mapped.
void define_host_iommu_group(Schema& schema) {
  constexpr Slot in = Slot::host_iommu_group_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory, .mode = kDirectoryMode, .place = [](Object& o) {
                    return Node{&o.core.root(), Slot::kernel_iommu_groups};
                  }});
  schema.add(Slot::host_iommu_group_devices, directory("devices", kSelf, in));
  schema.add(
      Slot::host_iommu_group_reserved_regions,
      file("reserved_regions", 0444, kSelf, in, show_text<"0x00000000fee00000 0x00000000feefffff msi\n">));
  schema.add(Slot::host_iommu_group_type,
             file("type", 0644, kSelf, in, show_text<"DMA\n">, store_iommu_group_type));
}

}  // namespace

Bus::Bus(Core& owner, std::string name, ExtraEntries attributes)
    : Object(owner), name_(std::move(name)), attributes_(std::move(attributes)) {}

Members* Bus::members(Slot slot) {
  if (slot == Slot::bus_devices) return &devices_;
  return slot == Slot::bus_drivers ? &drivers_ : nullptr;
}

BusDriver::BusDriver(Core& owner, std::shared_ptr<Bus> its_bus, std::shared_ptr<Module> its_module,
                     std::string name, ExtraEntries attributes)
    : Object(owner),
      bus(std::move(its_bus)),
      module(std::move(its_module)),
      name_(std::move(name)),
      attributes_(std::move(attributes)) {}

void define_bus(Schema& schema) {
  define_bus_directory(schema);
  define_bus_driver(schema);
  define_host_iommu_group(schema);
}

}  // namespace mdevfs::model
