// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <fmt/format.h>
#include <poll.h>

#include "core.h"
#include "driver.h"
#include "number.h"
#include "show.h"
#include "uevent.h"
#include "vfio_device.h"

namespace mdevfs::model {
namespace {

Device& device_of(Object& object) {
  return static_cast<Device&>(object);
}
Node self_of(Object& object) {
  return {&object, Slot::device_directory};
}

std::string uevent_text(const Object& object) {
  const auto& device = static_cast<const Device&>(object);
  return device.has_driver ? fmt::format("DRIVER={}\n", device.bus_driver().name()) : std::string{};
}

// uevent_show. Where it takes the device's lock, it waits for a probe or a driver's remove in progress.
Result<std::string> show_uevent(Object& object, Slot) {
  if (!object.core.age().uevent_waits) return uevent_text(object);
  const Lock lock(device_of(object).device_lock);
  return uevent_text(object);
}

// remove_store. The file is taken away before anything is checked; on old ages it comes back when that fails.
Result<void> store_remove(Object& object, Slot, std::string_view text) {
  const auto value = parse_unsigned(text);
  if (!value) return fail(EINVAL);
  Tree& tree = object.core.tree();
  if (*value == 0 || !tree.take_away_self(object, Device::kRemove)) return {};
  const auto removed = object.core.remove(device_of(object));
  if (!removed && object.core.age().remove_comes_back) tree.come_back(object, Device::kRemove, Device::kBase);
  return removed;
}

std::string iommu_group_of(const Object& object) {
  return vfio_group_name_of<Device>(object);
}

// kernel/debug/mdevfs/vfio/G: an open descriptor of it is an open vfio descriptor of the device.
Result<std::string> show_debug_vfio(Object& object, Slot) {
  Device& device = device_of(object);
  return fmt::format("{}{}\n", device.name(), object.core.vfio_asked_back(device) ? " requested" : "");
}
Result<void> open_debug_vfio(Object& object, Slot) {
  return object.core.vfio_open(device_of(object));
}
void close_debug_vfio(Object& object, Slot) {
  object.core.vfio_close(device_of(object));
}
unsigned poll_debug_vfio(Object& object, Slot) {
  return object.core.vfio_asked_back(device_of(object)) ? POLLIN | POLLRDNORM | POLLPRI : 0;
}

Result<void> store_iommu_group_type(Object&, Slot, std::string_view) {
  return fail(EINVAL);
}

void define_directory(Schema& schema) {
  constexpr Slot in = Slot::device_directory;
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place =
                      [](Object& o) {
                        return Node{device_of(o).type->parent->device.get(), Slot::host_device_directory};
                      },
                  .subsystem = always<"mdev">,
                  .uevent_text = uevent_text});
  schema.add(Slot::device_driver, link("driver", Device::kDriverLinks, in, [](Object& o) {
               return Node{&device_of(o).bus_driver(), Slot::driver_directory};
             }));
  schema.add(Slot::device_iommu_group, link("iommu_group", Device::kVfio, in,
                                            [](Object& o) { return Node{&o, Slot::iommu_group_directory}; }));
  schema.add(Slot::device_mdev_type, link("mdev_type", Device::kTypeLinks, in, [](Object& o) {
               return Node{device_of(o).type.get(), Slot::type_directory};
             }));
  schema.add(Slot::device_remove, file("remove", 0200, Device::kRemove, in, nullptr, store_remove));
  schema.add(Slot::device_subsystem, link("subsystem", Device::kBase, in,
                                          [](Object& o) { return Node{&o.core.root(), Slot::bus_mdev}; }));
  schema.add(Slot::device_uevent, file("uevent", 0644, Device::kBase, in, show_uevent, store_uevent));
  schema.add_power(in, Slot::device_power, Device::kBase);
  schema.add(
      Slot::device_bus_link,
      link_elsewhere(
          Device::kBase, [](Object& o) { return Node{&o.core.root(), Slot::bus_mdev_devices}; }, self_of));
  schema.add(
      Slot::device_driver_link,
      link_elsewhere(
          Device::kDriverLinks,
          [](Object& o) { return Node{&device_of(o).bus_driver(), Slot::driver_directory}; }, self_of));
  schema.add(Slot::device_type_link,
             link_elsewhere(
                 Device::kTypeLinks,
                 [](Object& o) { return Node{device_of(o).type.get(), Slot::type_devices}; }, self_of));
}

void define_iommu_group(Schema& schema) {
  constexpr Slot in = Slot::iommu_group_directory;
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .part = Device::kVfio,
                  .name_of = iommu_group_of,
                  .place = [](Object& o) { return Node{&o.core.root(), Slot::kernel_iommu_groups}; }});
  schema.add(Slot::iommu_group_devices, directory("devices", Device::kVfio, in));
  Entry member = link("", Device::kVfio, Slot::iommu_group_devices, self_of);
  schema.add(Slot::iommu_group_device_link, std::move(member));
  Entry name = file("name", 0444, Device::kVfio, in, show_text<"vfio-noiommu\n">);
  name.in_age = &KernelAge::iommu_group_has_name;
  schema.add(Slot::iommu_group_name, std::move(name));
  schema.add(Slot::iommu_group_reserved_regions,
             file("reserved_regions", 0444, Device::kVfio, in, show_text<"">));
  Entry type = file("type", 0644, Device::kVfio, in, show_text<"unknown\n">, store_iommu_group_type);
  type.mode_of_age = &KernelAge::iommu_group_type_mode;
  schema.add(Slot::iommu_group_type, std::move(type));
}

void define_vfio(Schema& schema) {
  VfioEntries<Device, Slot::device_directory, Slot::device_vfio_dev>::define(schema, Device::kVfioParts);
  schema.add(Slot::debug_vfio,
             {.kind = Kind::file,
              .mode = 0600,
              .part = Device::kVfio,
              .name_of = iommu_group_of,
              .place = [](Object& o) { return Node{&o.core.root(), Slot::kernel_debug_mdevfs_vfio}; },
              .show = show_debug_vfio,
              .open = open_debug_vfio,
              .close = close_debug_vfio,
              .poll = poll_debug_vfio});
}

}  // namespace

void Device::print(Level level, std::string_view text) const {
  const std::string_view driver_string = has_driver ? std::string_view(bus_driver().info.name) : "mdev";
  core.log().print(level, fmt::format("{} {}: {}", driver_string, name(), text));
}

Driver& Device::bus_driver() const {
  return core.age().vfio_mdev_binds ? *core.vfio_mdev() : driver();
}

const ExtraEntries* Device::extra() const {
  return &driver().group_entries();
}

bool Device::extra_waits() const {
  return driver().info.waits;
}

void define_device(Schema& schema) {
  schema.begin(Slot::device_directory);
  define_directory(schema);
  define_iommu_group(schema);
  define_vfio(schema);
}

}  // namespace mdevfs::model
