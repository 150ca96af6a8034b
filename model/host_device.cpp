// SPDX-License-Identifier: Apache-2.0
#include "host_device.h"

#include <fmt/format.h>

#include <algorithm>

#include "bus.h"
#include "core.h"
#include "show.h"
#include "text.h"
#include "uevent.h"
#include "vfio_device.h"

namespace mdevfs::model {
namespace {

HostDevice& device_of(Object& object) {
  return static_cast<HostDevice&>(object);
}
Node self_of(Object& object) {
  return {&object, Slot::host_device_directory};
}

Node place_of_device(Object& object) {
  const HostDevice& device = device_of(object);
  if (device.glue) return {device.glue.get(), Slot::glue_directory};
  if (device.info.above) return {device.info.above.get(), Slot::host_device_directory};
  return {&object.core.root(), Slot::devices};
}

// Where `subsystem` points to; a device without a bus and a class has none.
Node subsystem_of(Object& object) {
  const HostDeviceInfo& info = device_of(object).info;
  if (info.bus) return {info.bus.get(), Slot::bus_directory};
  return {info.device_class.get(), Slot::class_directory};
}

Node place_of_subsystem_link(Object& object) {
  const HostDeviceInfo& info = device_of(object).info;
  if (info.bus) return {info.bus.get(), Slot::bus_devices};
  return {info.device_class.get(), Slot::class_directory};
}

std::string subsystem_name(const Object& object) {
  const HostDeviceInfo& info = static_cast<const HostDevice&>(object).info;
  if (info.bus) return info.bus->name();
  return info.device_class ? info.device_class->name() : std::string();
}

// Called by the tree only, under its lock.
Node driver_node(Object& object) NO_THREAD_SAFETY_ANALYSIS {
  return {device_of(object).driver_of_link(), Slot::bus_driver_directory};
}

std::string uevent_text(const Object& object) {
  const auto& device = static_cast<const HostDevice&>(object);
  const auto driver = device.driver();
  std::string text;
  if (!device.info.type.empty()) text += fmt::format("DEVTYPE={}\n", device.info.type);
  if (driver) text += fmt::format("DRIVER={}\n", driver->name());
  return text + device.bus_uevent_text();
}

// uevent_show. Where it takes the device's lock, it waits for a probe or a driver's remove in progress. A
// device of a class alone has no driver to wait for.
Result<std::string> show_uevent(Object& object, Slot) {
  const HostDevice& device = device_of(object);
  if (!device.info.bus) return std::string();
  if (!object.core.age().uevent_waits) return uevent_text(object);
  const Lock lock(device.device_lock);
  return uevent_text(object);
}

Result<std::string> show_attribute(Object& object, Slot slot) {
  HostDevice& device = device_of(object);
  const HostAttribute& attribute = device.attribute(slot);
  if (attribute.show != nullptr) return attribute.show(device);
  if (!attribute.text) return fail(EIO);
  return kept_text(object, slot, *attribute.text);
}

Result<void> store_attribute(Object& object, Slot slot, std::string_view text) {
  HostDevice& device = device_of(object);
  const HostAttribute& attribute = device.attribute(slot);
  if (attribute.store != nullptr) return attribute.store(device, text);
  if (!attribute.text) return fail(EIO);
  keep_text(object, slot, std::string(without_newline(text)) + "\n");
  return {};
}

}  // namespace

HostDevice::HostDevice(Core& owner, HostDeviceInfo device_info)
    : Object(owner), info(std::move(device_info)), device_lock(info.rank) {
  for (const HostAttribute& attribute : info.attributes) add_attribute(attribute);
}

HostDevice::~HostDevice() = default;

std::shared_ptr<BusDriver> HostDevice::driver() const {
  const SharedLock lock(kernfs_rwsem);
  return driver_;
}

std::string HostDevice::driver_string() const {
  if (const auto bound = driver()) return bound->name();
  return subsystem_name(*this);
}

void HostDevice::print(Level level, std::string_view text) const {
  core.log().print(level, fmt::format("{} {}: {}", driver_string(), name(), text));
}

Slot HostDevice::add_entry(Entry entry) {
  attributes_.push_back(nullptr);
  return add_extra(extra_, std::move(entry));
}

Slot HostDevice::group_directory(const HostAttribute& attribute) {
  if (attribute.group.empty()) return Slot::host_device_directory;
  const auto known = std::ranges::find(extra_, attribute.group, &Entry::name);
  if (known != extra_.end()) return known->slot;
  return add_entry(directory(attribute.group, attribute.part, Slot::host_device_directory));
}

Slot HostDevice::add_attribute(HostAttribute attribute) {
  const Slot in = group_directory(attribute);
  kept_attributes_.push_back(std::move(attribute));
  const HostAttribute& kept = kept_attributes_.back();
  Entry entry =
      file(kept.name, kept.mode, kept.part, in, show_attribute, has_store(kept) ? store_attribute : nullptr);
  entry.size = kept.size;
  entry.changes_alone = kept.show != nullptr;
  if (kept.waits) entry.waits = [](Object&) { return true; };
  attributes_.push_back(&kept);
  return add_extra(extra_, std::move(entry));
}

void define_host_device(Schema& schema) {
  constexpr Slot in = Slot::host_device_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place = place_of_device,
                  .subsystem = subsystem_name,
                  .uevent_text = uevent_text});
  schema.add(Slot::host_device_subsystem, link("subsystem", HostDevice::kSubsystem, in, subsystem_of));
  schema.add(Slot::host_device_uevent, file("uevent", 0644, kSelf, in, show_uevent, store_uevent));
  schema.add_power(in, Slot::host_device_power, kSelf);
  schema.add(Slot::host_device_subsystem_link,
             link_elsewhere(HostDevice::kSubsystem, place_of_subsystem_link, self_of));
  Entry driver = link("driver", HostDevice::kDriver, in, driver_node);
  driver.retargets = true;
  schema.add(Slot::host_device_driver, std::move(driver));
  schema.add(Slot::host_device_driver_link, link_elsewhere(HostDevice::kDriver, driver_node, self_of));
  schema.add(Slot::host_device_iommu_group, link("iommu_group", HostDevice::kIommu, in, [](Object& o) {
               return Node{device_of(o).iommu_group.get(), Slot::host_iommu_group_directory};
             }));
  schema.add(
      Slot::host_device_iommu_link,
      link_elsewhere(
          HostDevice::kIommu,
          [](Object& o) { return Node{device_of(o).iommu_group.get(), Slot::host_iommu_group_devices}; },
          self_of));
  VfioEntries<HostDevice, Slot::host_device_directory, Slot::host_device_vfio_dev>::define(
      schema, HostDevice::kVfioParts);
  define_debug(schema);
}

}  // namespace mdevfs::model
