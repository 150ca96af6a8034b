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
  module_import_ns,
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

  // Bus: bus/B, of any bus but mdev's.
  bus_directory,
  bus_devices,
  bus_drivers,
  bus_drivers_autoprobe,
  bus_drivers_probe,
  bus_uevent,

  // BusDriver: bus/B/drivers/N.
  bus_driver_directory,
  bus_driver_bind,
  bus_driver_module,
  bus_driver_uevent,
  bus_driver_unbind,
  bus_driver_module_link,  // module/M/drivers/B:N

  // IommuGroup: kernel/iommu_groups/G, of devices that are no mdevs.
  host_iommu_group_directory,
  host_iommu_group_devices,
  host_iommu_group_reserved_regions,
  host_iommu_group_type,

  // HostDevice: devices/virtual/C/P, devices/pci0000:00/P and the like. A `power` directory is ten slots in a
  // row; what vfio hangs on a device is in the order of VfioSlot.
  host_device_directory,
  host_device_subsystem,
  host_device_uevent,
  host_device_power,
  host_device_power_end = host_device_power + 10,
  host_device_subsystem_link = host_device_power_end,  // class/C/P or bus/B/devices/P
  host_device_driver,
  host_device_driver_link,  // bus/B/drivers/N/P
  host_device_iommu_group,
  host_device_iommu_link,  // kernel/iommu_groups/G/devices/P
  host_device_vfio_dev,
  host_device_vfio_end = host_device_vfio_dev + 31,
  debug_parent = host_device_vfio_end,       // kernel/debug/mdevfs/P
  debug_fail_probe,                          // and its five knobs
  debug_fail_remove = debug_fail_probe + 6,  // the same
  debug_probe_delay_ms = debug_fail_remove + 6,
  debug_remove_delay_ms,

  // BindingFiles: files in a HostDevice's directory, with no directory of their own.
  binding_files,

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
  device_bus_link = device_power_end,  // bus/mdev/devices/UUID
  device_driver_link,                  // bus/mdev/drivers/N/UUID
  device_type_link,                    // mdev_supported_types/C-t/devices/UUID
  iommu_group_directory,               // kernel/iommu_groups/G
  iommu_group_devices,
  iommu_group_device_link,
  iommu_group_name,
  iommu_group_reserved_regions,
  iommu_group_type,
  device_vfio_dev,  // what vfio hangs on it: see VfioSlot
  device_vfio_end = device_vfio_dev + 31,
  debug_vfio = device_vfio_end,  // kernel/debug/mdevfs/vfio/G

  end,
};

// What vfio hangs on a device, an mdev or another, in as many slots in a row.
enum class VfioSlot : std::uint8_t {
  directory,  // vfio-dev
  device,     // vfio-dev/vfioN
  device_link,
  device_subsystem,
  device_uevent,
  device_power,
  device_class_link = device_power + 10,  // class/vfio-dev/vfioN
  group,                                  // devices/virtual/vfio/G
  group_dev,
  group_subsystem,
  group_uevent,
  group_power,
  group_class_link = group_power + 10,  // class/vfio/G
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
constexpr Slot operator+(Slot first, VfioSlot slot) {
  return first + static_cast<unsigned>(slot);
}
constexpr std::size_t extra_place(Slot slot) {
  return index(slot) % index(kFirstExtra);
}
static_assert(index(Slot::end) < index(kFirstExtra));
static_assert(Slot::device_vfio_dev + VfioSlot::end == Slot::device_vfio_end);
static_assert(Slot::host_device_vfio_dev + VfioSlot::end == Slot::host_device_vfio_end);

}  // namespace mdevfs::model
