// SPDX-License-Identifier: Apache-2.0
//
// The map of the whole tree: one slot for each kind of directory, file and link there is. An inode number is
// `object id << 12 | slot`; the object says whose, the slot says what. Slots are numbered over all objects,
// so that a number whose object is long gone still says what it was (a directory, a file of such a mode).
//
// Slots from kFirstExtra on are an object's own (a driver's attributes, a module's parameters), by their
// places in its ExtraEntries; those from kFirstExtraDirectory on are directories, so that they too say what
// they were.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mdevfs::model {

enum class Slot : std::uint16_t {
  none = 0,

  // Root: what is there without any hardware.
  root,
  bus,
  bus_mdev,
  bus_mdev_devices,
  bus_mdev_drivers,
  bus_mdev_drivers_autoprobe,
  bus_mdev_drivers_probe,
  bus_mdev_uevent,
  class_,
  class_mdev_bus,
  devices,
  devices_virtual,
  kernel,
  kernel_config,
  kernel_debug,
  kernel_debug_mdevfs,
  kernel_debug_mdevfs_log,
  kernel_debug_mdevfs_vfio,
  kernel_iommu_groups,
  module,

  // Placeholder: a name for something of the host's to be bound over.
  placeholder_directory,
  placeholder_file,
  placeholder_link,

  // ConfigItem: a directory under kernel/config; ConfigAttributes: files of one, with no directory of its
  // own.
  config_item,
  config_attributes,

  // Module: module/M.
  module_directory,
  module_coresize,
  module_drivers,
  module_holders,
  module_initsize,
  module_initstate,
  module_notes,
  module_parameters,
  module_refcnt,
  module_sections,
  module_srcversion,
  module_taint,
  module_uevent,
  module_version,
  module_holder_link,  // module/mdev/holders/M

  // DeviceClass: class/C; GlueDirectory: devices/virtual/C.
  class_directory,
  glue_directory,

  // Driver: bus/mdev/drivers/N.
  driver_directory,
  driver_bind,
  driver_module,
  driver_uevent,
  driver_unbind,
  driver_module_link,  // module/M/drivers/mdev:N

  // ParentDevice: devices/virtual/C/P. A `power` directory is ten slots in a row.
  parent_device_directory,
  parent_device_subsystem,
  parent_device_uevent,
  parent_device_power,
  parent_device_power_end = parent_device_power + 10,
  parent_device_class_link = parent_device_power_end,  // class/C/P
  debug_parent,                                        // kernel/debug/mdevfs/P
  debug_fail_probe,
  debug_fail_probe_errno,
  debug_fail_probe_interval,
  debug_fail_probe_probability,
  debug_fail_probe_space,
  debug_fail_probe_times,
  debug_probe_delay_ms,
  debug_remove_delay_ms,

  // Parent: devices/virtual/C/P/mdev_supported_types.
  parent_types,
  parent_bus_link,  // class/mdev_bus/P

  // Type: mdev_supported_types/C-t.
  type_directory,
  type_available_instances,
  type_create,
  type_description,
  type_device_api,
  type_devices,
  type_name,

  // Device: devices/virtual/C/P/UUID.
  device_directory,
  device_driver,
  device_iommu_group,
  device_mdev_type,
  device_remove,
  device_subsystem,
  device_uevent,
  device_power,
  device_power_end = device_power + 10,
  device_vfio_dev = device_power_end,
  device_vfio,
  device_vfio_device,
  device_vfio_subsystem,
  device_vfio_uevent,
  device_vfio_power,
  device_vfio_power_end = device_vfio_power + 10,
  device_bus_link = device_vfio_power_end,  // bus/mdev/devices/UUID
  device_driver_link,                       // bus/mdev/drivers/N/UUID
  device_type_link,                         // mdev_supported_types/C-t/devices/UUID
  device_vfio_class_link,                   // class/vfio-dev/vfioI
  iommu_group_directory,                    // kernel/iommu_groups/G
  iommu_group_devices,
  iommu_group_device_link,
  iommu_group_name,
  iommu_group_reserved_regions,
  iommu_group_type,
  vfio_group_directory,  // devices/virtual/vfio/G
  vfio_group_dev,
  vfio_group_subsystem,
  vfio_group_uevent,
  vfio_group_power,
  vfio_group_power_end = vfio_group_power + 10,
  vfio_group_class_link = vfio_group_power_end,  // class/vfio/G
  debug_vfio,                                    // kernel/debug/mdevfs/vfio/G

  end,
};

inline constexpr unsigned kSlotBits = 12;
inline constexpr auto kFirstExtra = static_cast<Slot>(1024);
inline constexpr auto kFirstExtraDirectory = static_cast<Slot>(2048);

constexpr unsigned index(Slot slot) {
  return static_cast<unsigned>(slot);
}
constexpr Slot operator+(Slot slot, unsigned n) {
  return static_cast<Slot>(index(slot) + n);
}
constexpr std::size_t extra_place(Slot slot) {
  return index(slot) % index(kFirstExtra);
}
static_assert(index(Slot::end) < index(kFirstExtra));

}  // namespace mdevfs::model
