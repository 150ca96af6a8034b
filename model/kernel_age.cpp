// SPDX-License-Identifier: Apache-2.0
//
// The table of differences. A kernel's age is what 4.10 was, with the differences that apply to it, in the
// order in which they came. Borders that no run stands on both sides of are from commits and source.
#include "kernel_age.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <vector>

namespace mdevfs::model {
namespace {

constexpr Kernels since(unsigned major, unsigned minor) {
  return {{major, minor, 0}};
}
// A stable update of a series, which ends with the next series.
constexpr Kernels stable(unsigned major, unsigned minor, unsigned patch) {
  return {{major, minor, patch}, {major, minor + 1, 0}};
}
constexpr Kernels kNone{{1, 0, 0}, {0, 0, 0}};

constexpr std::array<Kernels, 3> only(Kernels one, Kernels two = kNone, Kernels three = kNone) {
  return {one, two, three};
}

constexpr std::string_view kDevices = "Creating and removing devices";
constexpr std::string_view kParents = "Parents and types";
constexpr std::string_view kBus = "The bus and its drivers";
constexpr std::string_view kVfio = "vfio and iommu groups";
constexpr std::string_view kUevents = "Uevents";
constexpr std::string_view kSysfs = "sysfs and the log";
constexpr std::string_view kSamples = "The sample drivers";

constexpr Difference kDifferences[] = {
    {"uevent_arguments", kUevents, only(since(4, 13)), "driver core, 4.13", Evidence::source,
     "an action with words behind it, written to an uevent file, is an unknown one; the event has no "
     "SYNTH_UUID",
     "an UUID and KEY=VALUE may follow the action, and come back as SYNTH_UUID and SYNTH_ARG_KEY",
     [](KernelAge& age) { age.uevent_arguments = true; }},
    {"bind_uevents", kUevents, only(since(4, 14)), "driver core, 4.14", Evidence::source,
     "devices have the uevents add and remove only", "devices have the uevents bind and unbind too",
     [](KernelAge& age) { age.bind_uevents = true; }},
    {"sysfs_finds_duplicates", kDevices, only(since(4, 18)), "002fe996", Evidence::core_run,
     "a UUID that another parent has is refused with EEXIST by sysfs, with a warning in the log and a remove "
     "event without an add",
     "a UUID that any parent has is refused with EEXIST, and nothing is seen of it",
     [](KernelAge& age) { age.sysfs_finds_duplicates = false; }},
    {"one_at_a_time", kDevices, only(since(4, 18)), "002fe996", Evidence::core_run,
     "creates and removes of one parent go one after another: a create of a UUID that is being removed "
     "waits, "
     "and succeeds",
     "they go side by side: a create of a UUID that is being removed, or created, is EEXIST at once",
     [](KernelAge& age) { age.one_at_a_time = false; }},
    {"transition_errno", kDevices, only(since(4, 18)), "002fe996", Evidence::core_run,
     "a remove of a device that is being created or removed is ENODEV",
     "a remove of a device that is being created or removed, by a file that is still there, is EAGAIN",
     [](KernelAge& age) { age.transition_errno = EAGAIN; }},
    {"refuses_bad_uevents", kUevents, only(since(5, 0)), "driver core, 5.0", Evidence::source,
     "a word that is no action, written to an uevent file, is logged, and the write succeeds", "it is EINVAL",
     [](KernelAge& age) { age.refuses_bad_uevents = true; }},
    {"driver_call", kDevices, only(since(5, 2)), "522ecce0", Evidence::run,
     "a device appears, with its events, and then the parent's driver is asked to create it: what it refuses "
     "is "
     "seen coming and going. At a remove the driver is asked first, while the device is whole but for remove",
     "the parent's driver is asked first: of what it refuses nothing is ever seen, and while it takes its "
     "time "
     "there is nothing yet. At a remove the device is gone, with its events, before the driver hears of it",
     [](KernelAge& age) { age.driver_call = DriverCall::before_device; }},
    {"refusal_keeps_device", kDevices, only(since(5, 2)), "522ecce0", Evidence::run,
     "a driver may refuse a remove: EBUSY, and the device stays",
     "a driver that refuses a remove is not heard: there is a line in the log, the device is gone, and what "
     "the "
     "driver holds of it is lost",
     [](KernelAge& age) { age.refusal_keeps_device = false; }},
    {"remove_comes_back", kDevices, only(since(5, 2)), "26c9e398", Evidence::run,
     "the file remove comes back after a remove that was answered EAGAIN, ENODEV or EBUSY; a descriptor of "
     "the "
     "old one stays ENODEV",
     "it is gone for good", [](KernelAge& age) { age.remove_comes_back = false; }},
    {"", kParents, only(since(5, 2)), "5715c4dd, 6093e348", Evidence::core_run,
     "an unregistration does not wait for creates, which end with EFAULT, and stops at a child that it "
     "cannot "
     "remove; a remove meanwhile can crash the kernel",
     "it waits for creates and removes in progress, and all go; creates and removes meanwhile are ENODEV. "
     "mdevfs "
     "does this on all ages"},
    {"state_uevents", kUevents, only(since(5, 3)), "1e4d09d2", Evidence::run,
     "a parent has no uevents of its registration",
     "a parent has uevents change with MDEV_STATE=registered and MDEV_STATE=unregistered",
     [](KernelAge& age) { age.state_uevents = true; }},
    {"uevent_waits", kSysfs, only(stable(5, 10, 262), stable(6, 1, 192), {{6, 10, 0}, {6, 11, 0}}),
     "driver core, 6.10 and stable", Evidence::run, "reading a device's uevent answers at once",
     "it waits while a driver is being bound to the device or released. (The stable updates are those that "
     "it "
     "was seen in; it came in an earlier one)",
     [](KernelAge& age) { age.uevent_waits = true; }},
    {"iommu_group_type_mode", kVfio, only(since(5, 11)), "iommu core, 5.11", Evidence::source,
     "an iommu group's type is 0444", "it is 0644", [](KernelAge& age) { age.iommu_group_type_mode = 0644; }},
    {"prints_no_request", kParents, only({{5, 11, 0}, {5, 15, 0}}), "a15ac665, 3fb1712d", Evidence::source,
     "a registration is MDEV: Registered in the log",
     "there is a line before it, Driver cannot be asked to release device, of drivers without a request "
     "callback: the samples, and all of mdevfs",
     [](KernelAge& age) { age.prints_no_request = true; }},
    {"driver_call", kDevices, only(since(5, 14)), "88a21f26", Evidence::run, "",
     "the device appears, and the parent's driver probes it: its errno is the create's, the device comes and "
     "goes again, and the log has a line. While the driver's remove runs the device's directory is there and "
     "empty; the events come after it. What the driver adds to the device goes when it is unbound",
     [](KernelAge& age) { age.driver_call = DriverCall::as_probe; }},
    {"driver_may_refuse_remove", kDevices, only(since(5, 14)), "88a21f26", Evidence::run, "",
     "a driver cannot refuse a remove", [](KernelAge& age) { age.driver_may_refuse_remove = false; }},
    {"vfio_mdev_binds", kBus, only(since(5, 14)), "88a21f26", Evidence::run,
     "every device is bound to the driver vfio_mdev, whatever its parent is, and has an iommu group by that; "
     "drivers_autoprobe, bind, unbind and drivers_probe work as on other buses",
     "a device is bound to the driver of its parent, in drivers/NAME and module/NAME/drivers; only those of "
     "vfio "
     "have an iommu group. bind is always ENODEV, drivers_probe does nothing, drivers_autoprobe changes "
     "nothing: "
     "an unbound device stays so",
     [](KernelAge& age) { age.vfio_mdev_binds = false; }},
    {"vfio_mdev", kBus, only(since(5, 14)), "af3ab3f9", Evidence::source,
     "the driver vfio_mdev is a module of its own; without it devices have no driver", "it is part of mdev",
     [](KernelAge& age) { age.vfio_mdev = VfioMdev::in_mdev; }},
    {"length_from_driver", kDevices, only(since(5, 14)), "driver core, 5.14", Evidence::run,
     "a driver that returns a positive number makes the write a short one of that length, without a device",
     "it is an errno of that number", [](KernelAge& age) { age.length_from_driver = false; }},
    {"raw_deferral", kDevices, only(since(5, 14)), "driver core, 5.14", Evidence::run,
     "a driver's EPROBE_DEFER (517) reaches the writer", "it is EAGAIN",
     [](KernelAge& age) { age.raw_deferral = false; }},
    {"", kVfio, only(since(5, 14)), "vfio, 5.14", Evidence::run,
     "rmmod of a parent's module waits while a vfio descriptor of one of its devices is open",
     "it is EAGAIN, and the module's refcnt is 1"},
    {"sample_function", kSamples, only(since(5, 14)), "samples, 5.14", Evidence::source,
     "mdpy and mbochs print lines of mdpy_create and mbochs_create",
     "they print lines of mdpy_probe and mbochs_probe",
     [](KernelAge& age) { age.sample_function = "probe"; }},
    {"mtty_refuses", kSamples, only(since(5, 14)), "samples, 5.14 or so", Evidence::run,
     "mtty makes devices without end, and counts below 0",
     "mtty answers ENOSPC when its 24 ports are used up", [](KernelAge& age) { age.mtty_refuses = true; }},
    {"mbochs_full_errno", kSamples, only(since(5, 15)), "samples, 5.15 or so", Evidence::run,
     "a full mbochs answers ENOMEM", "it answers ENOSPC",
     [](KernelAge& age) { age.mbochs_full_errno = ENOSPC; }},
    {"iommu_group_has_name", kVfio, only(since(5, 16)), "vfio, 5.16", Evidence::run,
     "an mdev's iommu group has no name", "it has a file name, vfio-noiommu",
     [](KernelAge& age) { age.iommu_group_has_name = true; }},
    {"mdev_prints_groups", kVfio, only(since(5, 16)), "vfio, 5.16", Evidence::run,
     "mdev too logs iommu groups: MDEV: group_id = N, MDEV: detaching iommu", "the iommu core alone does",
     [](KernelAge& age) { age.mdev_prints_groups = false; }},
    {"", kVfio, only(since(5, 16)), "vfio, 5.16", Evidence::run,
     "a remove waits until a device's vfio descriptor and its group's are closed",
     "it waits for the device's. (Whoever holds several descriptors of kernel/debug/mdevfs/vfio/N is waited "
     "for "
     "as long as one is open)"},
    {"remove_with_device", kDevices, only(since(5, 19)), "2aa72ec9", Evidence::run,
     "a device's remove comes last of all, when the create is done",
     "it is there when the add is announced: a remove during the probe is EAGAIN, and takes the file away "
     "for "
     "good",
     [](KernelAge& age) { age.remove_with_device = true; }},
    {"vfio_mdev", kBus, only(since(5, 19)), "6c7f98b3", Evidence::source, "", "there is no driver vfio_mdev",
     [](KernelAge& age) { age.vfio_mdev = VfioMdev::none; }},
    {"parent_groups", kSamples, only(since(5, 19)), "samples, 5.19", Evidence::run,
     "mtty's parent has a directory mtty_dev", "it has none",
     [](KernelAge& age) { age.parent_groups = false; }},
    {"core_names_types", kParents, only(since(6, 1)), "da44c340", Evidence::run,
     "a type has a name if its driver gives it one",
     "each type has one: the driver's, or else the type's bare name",
     [](KernelAge& age) { age.core_names_types = true; }},
    {"core_counts", kParents, only(since(6, 1)), "9c799c22", Evidence::run,
     "drivers count their devices, answer with an errno of their own when full (mdpy: ENOMEM), and show what "
     "they count as a signed number",
     "the core counts for those that do not, per parent, and answers EUSERS; the number is an unsigned one",
     [](KernelAge& age) { age.core_counts = true; }},
    {"second_registration_errno", kParents, only(since(6, 1)), "89345d51", Evidence::run,
     "registering a parent a second time is EEXIST", "it is ENOMEM",
     [](KernelAge& age) { age.second_registration_errno = ENOMEM; }},
    {"vfio_devices", kVfio, only(since(6, 1)), "vfio, 6.1", Evidence::run, "there is no class vfio-dev",
     "a vfio device has a vfio-dev/vfioN, with uevents of its own",
     [](KernelAge& age) { age.vfio_devices = true; }},
    {"sample_function", kSamples, only(since(6, 1)), "samples, 6.1", Evidence::run, "",
     "they print lines of mdpy_init_dev and mbochs_init_dev",
     [](KernelAge& age) { age.sample_function = "init_dev"; }},
    {"uevent_failure_has_errno", kSysfs, only(since(6, 1)), "driver core, 5.11 to 6.1", Evidence::run,
     "a bad text for a device's uevent is logged as uevent: failed to send synthetic uevent",
     "the line has the errno too: uevent: failed to send synthetic uevent: -22",
     [](KernelAge& age) { age.uevent_failure_has_errno = true; }},
    {"acl_errno", kSysfs, only(since(6, 2)), "VFS, 6.2", Evidence::run,
     "setting system.posix_acl_access is EOPNOTSUPP",
     "it is EINVAL. (The host's kernel may answer before it "
     "asks)",
     [](KernelAge& age) { age.acl_errno = EINVAL; }},
    {"xattrs_by_name", kSysfs, only(since(6, 2)), "VFS, 6.2", Evidence::run,
     "a file's extended attributes are listed with the newest first",
     "they are listed by their names, the last one first", [](KernelAge& age) { age.xattrs_by_name = true; }},
    {"mdev_bus_from_load", kParents, only(stable(6, 1, 192), since(6, 5)), "ff598081", Evidence::run,
     "/sys/class/mdev_bus comes with the first parent, and stays until mdev is unloaded",
     "it is there from mdev's load on. (The stable update is the one that it was seen in)",
     [](KernelAge& age) { age.mdev_bus_from_load = true; }},
    {"vfio_device_goes_first", kVfio, only(since(6, 6)), "vfio, 6.6", Evidence::run,
     "a device that is removed while it is in use keeps its vfio-dev, whose remove event comes at the end",
     "vfio-dev goes, with its event, before anybody is waited for",
     [](KernelAge& age) { age.vfio_device_goes_first = true; }},
    {"", kSysfs, only(since(6, 7)), "kernfs, 6.2 to 6.12", Evidence::run,
     "lseek on an attribute that is gone works", "it is ENODEV. mdevfs: FUSE does not ask"},
    {"driver_prints_probe_failure", kSysfs, only(since(6, 12)), "driver core, 6.2 to 6.12", Evidence::run,
     "a failed probe is logged as <4> DRIVER: probe of U failed with error -E",
     "it is logged as <3> DRIVER U: probe with driver DRIVER failed with error -E",
     [](KernelAge& age) { age.driver_prints_probe_failure = false; }},
    {"kobject_prefix", kSysfs, only(since(6, 12)), "lib, 6.2 to 6.12", Evidence::run,
     "lines of kobjects in the log begin with kobject_add_internal",
     "they begin with kobject: kobject_add_internal",
     [](KernelAge& age) { age.kobject_prefix = "kobject: "; }},
    {"read_sets_atime", kSysfs, only(since(6, 12)), "sysfs, 6.2 to 6.12", Evidence::run,
     "reading an attribute changes its atime", "it does not",
     [](KernelAge& age) { age.read_sets_atime = false; }},
    {"", kSysfs, only(since(6, 19)), "kernfs, 6.13 to 6.19", Evidence::run,
     "lseek to 2^63-1 on a file, and to 2^32 on a directory, is EINVAL",
     "it works. mdevfs: FUSE does not ask; it works on all ages"},
    {"", kSysfs, only(since(7, 0)), "VFS, 7.0", Evidence::run, "F_SETLEASE works",
     "it is EINVAL. mdevfs: as the host's kernel has it"},
    {"gone_has_links", kSysfs, only(since(7, 1)), "kernfs, 7.1", Evidence::run,
     "fstat of what is gone shows st_nlink 1, of directories 2", "it shows 0",
     [](KernelAge& age) { age.gone_has_links = false; }},
    {"", kSysfs, only(since(7, 1)), "kernfs, 7.1", Evidence::run, "inotify says nothing of what goes",
     "it says DELETE_SELF and IGNORED when somebody looks the path up again. mdevfs: it says nothing"},
    {"import_ns", kSamples, only(since(7, 3)), "module core, by 7.3", Evidence::run,
     "there is no module/M/import_ns", "a module that imports a namespace has a file import_ns (mbochs)",
     [](KernelAge& age) { age.import_ns = true; }},
    {"", kSysfs, only(since(7, 3)), "lib, by 7.3", Evidence::run,
     "every bad text for an uevent file is logged",
     "after ten in five seconds it is not. mdevfs: every one is"},
};

constexpr Epoch kEpochs[] = {
    {"A",
     {{4, 10, 0}, {4, 18, 0}},
     "7b96953b, 49550787",
     "creates and removes of a parent one after another; UUIDs per parent"},
    {"B", {{4, 18, 0}, {5, 2, 0}}, "002fe996", "UUIDs for all; side by side"},
    {"C", {{5, 2, 0}, {5, 3, 0}}, "522ecce0, 5715c4dd", "the driver is asked before the device appears"},
    {"D", {{5, 3, 0}, {5, 14, 0}}, "1e4d09d2", "MDEV_STATE"},
    {"E", {{5, 14, 0}, {6, 1, 0}}, "88a21f26", "each device has its parent's driver"},
    {"F", {{6, 1, 0}}, "da44c340, 89345d51, 9c799c22", "the core's files of types, the core's count"},
};

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr unsigned kMost = 9999;
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > kMost)
    return std::nullopt;
  return value;
}

// The last series before one that begins a range.
std::string series_before(KernelVersion version) {
  struct Last {
    unsigned major;
    unsigned minor;
  };
  constexpr Last kLastOfMajor[] = {{4, 20}, {5, 19}, {6, 19}};
  if (version.minor > 0) return fmt::format("{}.{}", version.major, version.minor - 1);
  const auto* const last = std::ranges::find(kLastOfMajor, version.major - 1, &Last::major);
  return fmt::format("{}.{}", version.major - 1, last->minor);
}

std::string start_of(KernelVersion version) {
  return version.patch == 0 ? fmt::format("{}.{}", version.major, version.minor) : to_string(version);
}

}  // namespace

std::string to_string(KernelVersion version) {
  const auto series = fmt::format("{}.{}", version.major, version.minor);
  return version.patch == KernelVersion::kNewest ? series : fmt::format("{}.{}", series, version.patch);
}

std::expected<KernelVersion, std::string> parse_kernel_version(std::string_view text) {
  std::vector<std::optional<unsigned>> parts;
  for (auto rest = text;;) {
    const auto dot = rest.find('.');
    parts.push_back(number(rest.substr(0, dot)));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  const bool valid = (parts.size() == 2 || parts.size() == 3) &&
                     std::ranges::all_of(parts, [](const auto& part) { return part.has_value(); });
  if (!valid)
    return std::unexpected(
        fmt::format("'{}' is no version of the kernel, expected one as 6.12 or 6.1.192", text));
  KernelVersion version{*parts[0], *parts[1]};
  if (parts.size() == 3) version.patch = *parts[2];
  if (version < kFirstKernel)
    return std::unexpected(fmt::format("Linux {} has no mediated devices, expected 4.10 or later", text));
  return version;
}

bool Difference::applies_to(KernelVersion version) const {
  return std::ranges::any_of(kernels, [&](const Kernels& range) { return range.contains(version); });
}

std::span<const Difference> differences() {
  return kDifferences;
}

std::span<const Epoch> epochs() {
  return kEpochs;
}

KernelAge age_of(KernelVersion version) {
  KernelAge age;
  for (const Difference& difference : kDifferences) {
    if (difference.set != nullptr && difference.applies_to(version)) difference.set(age);
  }
  return age;
}

std::string to_string(const Kernels& kernels) {
  const auto first = start_of(kernels.from);
  if (kernels.before.major == KernelVersion::kNewest) return first + " on";
  const auto last = series_before(kernels.before);
  return first == last ? first : fmt::format("{}-{}", first, last);
}

std::string kernels_of(const Difference& difference) {
  std::string text;
  for (const Kernels& range : difference.kernels) {
    if (range.before <= range.from) continue;
    text += (text.empty() ? "" : ", ") + to_string(range);
  }
  return text;
}

}  // namespace mdevfs::model
