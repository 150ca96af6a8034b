// SPDX-License-Identifier: Apache-2.0
//
// What vfio hangs on a device that its driver has given to it, an mdev or another: a vfio device
// (vfio-dev/vfioN) and a vfio group (devices/virtual/vfio/G), both with their links in the classes. They are
// slots of the device's own object, in the order of VfioSlot.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "core.h"
#include "device_class.h"
#include "show.h"
#include "uevent.h"

namespace mdevfs::model {

// The first of the kernel's dynamic majors to be free on the recorded machine.
inline constexpr unsigned kVfioMajor = 246;

template <typename Owner>
const VfioDevice& vfio_of(const Object& object) {
  return static_cast<const Owner&>(object).vfio;
}
template <typename Owner>
std::string vfio_name_of(const Object& object) {
  return fmt::format("vfio{}", vfio_of<Owner>(object).number);
}
template <typename Owner>
std::string vfio_group_name_of(const Object& object) {
  return fmt::format("{}", vfio_of<Owner>(object).iommu_group);
}

template <typename Owner>
Result<std::string> show_vfio_group_dev(Object& object, Slot) {
  return fmt::format("{}:{}\n", kVfioMajor, vfio_of<Owner>(object).number);
}

template <typename Owner>
std::string vfio_group_uevent_text(const Object& object) {
  const VfioDevice& vfio = vfio_of<Owner>(object);
  return fmt::format("MAJOR={}\nMINOR={}\nDEVNAME=vfio/{}\n", kVfioMajor, vfio.number, vfio.iommu_group);
}
template <typename Owner>
Result<std::string> show_vfio_group_uevent(Object& object, Slot) {
  return vfio_group_uevent_text<Owner>(object);
}

// The slots are those from kFirst on, of an object whose own directory is kDirectory.
template <typename Owner, Slot kDirectory, Slot kFirst>
struct VfioEntries {
  static constexpr Slot at(VfioSlot slot) { return kFirst + slot; }

  static void define(Schema& schema, VfioParts parts) {
    define_device(schema, parts.device);
    define_group(schema, parts.group);
  }

 private:
  template <VfioSlot kSlot>
  static Node node(Object& object) {
    return {&object, at(kSlot)};
  }

  static void define_device(Schema& schema, Part part) {
    constexpr Slot in = at(VfioSlot::device);
    schema.add(at(VfioSlot::directory), directory("vfio-dev", part, kDirectory));
    schema.add(in, {.kind = Kind::directory,
                    .mode = kDirectoryMode,
                    .part = part,
                    .directory = at(VfioSlot::directory),
                    .name_of = vfio_name_of<Owner>,
                    .subsystem = always<"vfio-dev">});
    schema.add(at(VfioSlot::device_link),
               link("device", part, in, [](Object& o) { return Node{&o, kDirectory}; }));
    const auto class_node = [](Object& o) { return Node{&o.core.vfio_dev_class(), Slot::class_directory}; };
    schema.add(at(VfioSlot::device_subsystem), link("subsystem", part, in, class_node));
    schema.add(at(VfioSlot::device_uevent), file("uevent", 0644, part, in, show_text<"">, store_uevent));
    schema.add_power(in, at(VfioSlot::device_power), part);
    schema.add(at(VfioSlot::device_class_link),
               link_elsewhere(part, class_node, node<VfioSlot::device>, vfio_name_of<Owner>));
  }

  static void define_group(Schema& schema, Part part) {
    constexpr Slot in = at(VfioSlot::group);
    schema.add(in, {.kind = Kind::directory,
                    .mode = kDirectoryMode,
                    .part = part,
                    .name_of = vfio_group_name_of<Owner>,
                    .place = [](Object& o) { return Node{o.core.vfio_class().glue(), Slot::glue_directory}; },
                    .subsystem = always<"vfio">,
                    .uevent_text = vfio_group_uevent_text<Owner>});
    const auto class_node = [](Object& o) { return Node{&o.core.vfio_class(), Slot::class_directory}; };
    schema.add(at(VfioSlot::group_dev), file("dev", 0444, part, in, show_vfio_group_dev<Owner>));
    schema.add(at(VfioSlot::group_subsystem), link("subsystem", part, in, class_node));
    schema.add(at(VfioSlot::group_uevent),
               file("uevent", 0644, part, in, show_vfio_group_uevent<Owner>, store_uevent));
    schema.add_power(in, at(VfioSlot::group_power), part);
    schema.add(at(VfioSlot::group_class_link),
               link_elsewhere(part, class_node, node<VfioSlot::group>, vfio_group_name_of<Owner>));
  }
};

}  // namespace mdevfs::model
