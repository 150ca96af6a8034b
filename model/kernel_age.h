// SPDX-License-Identifier: Apache-2.0
//
// The ages of the kernel: what clients see otherwise on one kernel than on another, as data. KernelAge has a
// field for each decision that the model takes by the kernel's age; the table of differences (kernel_age.cpp)
// says from which kernel on a field has another value, by which commit, and how that is known. `mdevfs ages`
// and mdevfs-ages(7) are printed from that table. Nothing else compares versions.
#pragma once

#include <sys/types.h>

#include <array>
#include <cerrno>
#include <climits>
#include <compare>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace mdevfs::model {

// 6.1.192, or 6.1: the newest of that series, with all that stable updates brought.
struct KernelVersion {
  static constexpr unsigned kNewest = UINT_MAX;
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = kNewest;
  friend constexpr auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

inline constexpr KernelVersion kFirstKernel{4, 10, 0};  // the first with mediated devices
inline constexpr KernelVersion kDefaultKernel{6, 12};   // the newest long-term kernel that was recorded
std::string to_string(KernelVersion version);
// The error is a sentence.
std::expected<KernelVersion, std::string> parse_kernel_version(std::string_view text);

// When the driver of the parent hears of a new device: called when it has appeared and is bound to vfio_mdev,
// called before anything of it is seen, or probed as the device's own driver.
enum class DriverCall : std::uint8_t { after_device, before_device, as_probe };
// Where the bus driver vfio_mdev is.
enum class VfioMdev : std::uint8_t { module, in_mdev, none };

// The values are those of 4.10.
struct KernelAge {
  // Creating and removing devices.
  DriverCall driver_call = DriverCall::after_device;
  bool remove_with_device = false;       // `remove` is there as soon as the device; else it comes last
  bool remove_comes_back = true;         // so does the `remove` of who was answered EAGAIN, ENODEV or EBUSY
  bool driver_may_refuse_remove = true;  // and
  bool refusal_keeps_device = true;      // EBUSY; else it is logged, and the device is gone
  bool one_at_a_time = true;             // creates and removes of one parent
  int transition_errno = ENODEV;         // of a remove while the device is coming or going
  bool sysfs_finds_duplicates = true;    // a UUID of another parent's device is only found when it appears
  bool length_from_driver = true;        // what the driver returns above 0 is the create's length
  bool raw_deferral = true;              // EPROBE_DEFER is passed on
  // Parents and types.
  bool mdev_bus_from_load = false;  // class/mdev_bus is there without any parent
  bool core_names_types = false;    // each type has a name; else where the driver has one
  bool core_counts = false;         // else the driver does, by its own errno
  int second_registration_errno = EEXIST;
  bool parent_groups = true;       // files of the driver's own on the parent
  bool prints_no_request = false;  // a line in the log of a driver without a request callback
  // The bus.
  VfioMdev vfio_mdev = VfioMdev::module;
  bool vfio_mdev_binds = true;  // all devices are bound to it; else each to the driver of its parent
  // vfio and the iommu core.
  bool vfio_devices = false;            // vfio-dev
  bool vfio_device_goes_first = false;  // before who has it open is waited for
  bool iommu_group_has_name = false;    // `name`
  mode_t iommu_group_type_mode = 0444;  // of `type`
  bool mdev_prints_groups = true;  // lines of mdev's own in the log when a device gets or loses its group
  // Uevents.
  bool bind_uevents = false;
  bool state_uevents = false;     // change with MDEV_STATE
  bool uevent_arguments = false;  // SYNTH_UUID, and what is written behind the action
  bool refuses_bad_uevents = false;
  // sysfs and the driver core.
  bool uevent_waits = false;                // reading `uevent` waits for a probe or a remove
  bool uevent_failure_has_errno = false;    // the log of a bad text for one
  std::string_view kobject_prefix;          // of its lines in the log
  bool driver_prints_probe_failure = true;  // else the device does, as an error
  bool read_sets_atime = true;
  int acl_errno = EOPNOTSUPP;
  bool xattrs_by_name = false;  // listed from the last name to the first; else the newest first
  bool gone_has_links = true;   // st_nlink of what is gone
  bool import_ns = false;       // module/M/import_ns
  // The kernel's sample drivers.
  bool mtty_refuses = false;  // when its ports are used up; else it counts below 0
  int mbochs_full_errno = ENOMEM;
  std::string_view sample_function = "create";  // the end of the function's name in their lines

  bool operator==(const KernelAge&) const = default;
};

KernelAge age_of(KernelVersion version);

// How a difference is known: from a run on kernels on both sides of it; from a run of that age's mdev core on
// a newer kernel; from commits and source.
enum class Evidence : char { run = 'R', core_run = 'H', source = 'S' };

// Kernels from one up to, but without, another.
struct Kernels {
  KernelVersion from;
  KernelVersion before{KernelVersion::kNewest, 0, 0};
  constexpr bool contains(KernelVersion version) const { return from <= version && version < before; }
};

struct Difference {
  std::string_view field;  // of KernelAge; empty: not emulated
  std::string_view topic;
  std::array<Kernels, 3> kernels;  // the last ones may be empty
  std::string_view cause;          // the commit, or whose change it is
  Evidence evidence = Evidence::source;
  std::string_view before;  // what clients see on other kernels
  std::string_view after;   // and on these
  void (*set)(KernelAge&) = nullptr;

  bool applies_to(KernelVersion version) const;
};

// In the order in which they came.
std::span<const Difference> differences();

struct Epoch {
  std::string_view name;
  Kernels kernels;
  std::string_view opened_by;
  std::string_view summary;
};
std::span<const Epoch> epochs();

// "5.2-5.13", "6.1.192-6.1 and 6.5 on".
std::string to_string(const Kernels& kernels);
std::string kernels_of(const Difference& difference);

}  // namespace mdevfs::model
