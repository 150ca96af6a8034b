// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "order.h"

namespace mdevfs::capture {
namespace {

constexpr const char* kParentsDirectory = "class/mdev_bus";
constexpr const char* kTypesDirectory = "mdev_supported_types";
constexpr std::string_view kVirtual = "devices/virtual/";

// What every mdev has, whatever its driver.
const std::vector<std::string_view> kFilesOfDevices = {"power", "remove", "uevent", "vfio-dev"};

std::string without_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

unsigned number_in(Observer& observer, const std::string& path) {
  const auto text = observer.line(path);
  if (!text) return 0;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc{} && end == text->data() + text->size()) return number;
  observer.could_not_read(path, "it is no number");
  return 0;
}

// dev_driver_string(): what stands before a type's name is its parent's driver, or its bus or class.
std::string without_prefix(const SeenParent& parent, const std::string& directory) {
  for (const std::string& prefix : {parent.driver, parent.bus, parent.device_class}) {
    if (!prefix.empty() && directory.starts_with(prefix + "-")) return directory.substr(prefix.size() + 1);
  }
  return directory;
}

SeenType type_at(Observer& observer, const std::string& path, const SeenParent& parent) {
  SeenType type{.directory = last_part(path), .sysfs_name = without_prefix(parent, last_part(path))};
  type.name = observer.line(path + "/name");
  type.description = observer.line(path + "/description");
  type.device_api = observer.line(path + "/device_api").value_or("vfio-pci");
  type.available = number_in(observer, path + "/available_instances");
  for (const Entry& entry : observer.entries(path + "/devices")) type.devices.push_back(entry.name);
  return type;
}

SeenDevice device_at(Observer& observer, const std::string& path, const std::string& type) {
  return {.uuid = last_part(path),
          .type = type,
          .driver = observer.sysfs.target_name(path + "/driver"),
          .has_iommu_group = !observer.sysfs.target_name(path + "/iommu_group").empty(),
          .files = observer.files(path, kFilesOfDevices)};
}

void find_bus(const Sysfs& sysfs, SeenParent& parent) {
  const auto subsystem = sysfs.target(parent.path + "/subsystem");
  const std::string where = subsystem.value_or("");
  if (where.starts_with("bus/")) {
    parent.bus = last_part(where);
  } else if (where.starts_with("class/") || parent.path.starts_with(kVirtual)) {
    parent.bus = "virtual";
    const std::string below = parent.path.substr(std::min(kVirtual.size(), parent.path.size()));
    parent.device_class = where.empty() ? below.substr(0, below.find('/')) : last_part(where);
  } else {
    parent.bus = parent.path.starts_with("devices/pci") ? "pci" : "unknown";
  }
}

std::optional<SeenParent> parent_at(Observer& observer, const std::string& link) {
  const auto path = observer.sysfs.target(link);
  if (!path || !observer.sysfs.is_directory(*path)) {
    observer.could_not_read(link, path ? "what it points to is no directory" : path.error().reason);
    return std::nullopt;
  }
  SeenParent parent{
      .name = last_part(*path), .path = *path, .driver = observer.sysfs.target_name(*path + "/driver")};
  find_bus(observer.sysfs, parent);
  for (const Entry& entry : observer.entries(*path + "/" + kTypesDirectory)) {
    if (entry.kind == Entry::Kind::directory)
      parent.types.push_back(
          type_at(observer, fmt::format("{}/{}/{}", *path, kTypesDirectory, entry.name), parent));
  }
  for (const SeenType& type : parent.types) {
    for (const std::string& uuid : type.devices)
      parent.devices.push_back(device_at(observer, *path + "/" + uuid, type.sysfs_name));
  }
  std::ranges::sort(parent.devices, {}, &SeenDevice::uuid);
  return parent;
}

// A GPU that would have types if somebody switched its virtual functions on.
bool is_without_functions(const Sysfs& sysfs, const std::string& path) {
  return sysfs.target_name(path + "/driver") == "nvidia" && sysfs.content(path + "/sriov_numvfs") == "0\n";
}

std::vector<SeenVendorFunction> vendor_functions(Observer& observer) {
  std::vector<SeenVendorFunction> found;
  const std::string directory = "bus/pci/devices";
  if (!observer.sysfs.is_directory(directory)) return found;
  for (const Entry& entry : observer.entries(directory)) {
    const auto path = observer.sysfs.target(directory + "/" + entry.name);
    if (path && is_without_functions(observer.sysfs, *path))
      observer.could_not_read(*path, "it has no virtual functions now, and so shows no types");
    if (!path || !observer.sysfs.entry(*path + "/nvidia/creatable_vgpu_types")) continue;
    found.push_back({.path = *path,
                     .physical = observer.sysfs.target(*path + "/physfn").value_or(""),
                     .creatable = observer.line(*path + "/nvidia/creatable_vgpu_types").value_or(""),
                     .current = observer.line(*path + "/nvidia/current_vgpu_type").value_or("0")});
  }
  return found;
}

}  // namespace

void Observer::could_not_read(const std::string& path, const std::string& reason) {
  comments_.push_back(fmt::format("could not read {}: {}", path, reason));
}

std::optional<std::string> Observer::line(const std::string& path) {
  auto text = sysfs.content(path);
  if (text) return without_newline(std::move(*text));
  if (!text.error().is_absence()) could_not_read(path, text.error().reason);
  return std::nullopt;
}

std::vector<Entry> Observer::entries(const std::string& path) {
  auto found = sysfs.entries(path);
  if (found) return std::move(*found);
  could_not_read(path, found.error().reason);
  return {};
}

// Nothing is to be read of what can only be written.
void Observer::add_file(const std::string& path, const std::string& group, const Entry& entry,
                        std::vector<SeenFile>& files) {
  SeenFile file{.group = group, .name = entry.name, .mode = entry.mode, .text = {}};
  if ((entry.mode & 0444U) != 0) {
    auto text = line(path + "/" + entry.name);
    if (!text) return;
    file.text = std::move(*text);
  }
  files.push_back(std::move(file));
}

std::vector<SeenFile> Observer::files(const std::string& path, const std::vector<std::string_view>& but) {
  std::vector<SeenFile> files;
  for (const Entry& entry : entries(path)) {
    if (std::ranges::find(but, entry.name) != but.end()) continue;
    const std::string inner = path + "/" + entry.name;
    if (entry.kind == Entry::Kind::file) add_file(path, "", entry, files);
    if (entry.kind == Entry::Kind::other) could_not_read(inner, "it is no plain file");
    const bool is_group = entry.kind == Entry::Kind::directory && !sysfs.entry(inner + "/uevent") &&
                          !sysfs.entry(inner + "/subsystem");
    if (!is_group) continue;
    for (const Entry& file : entries(inner)) {
      if (file.kind == Entry::Kind::file) add_file(inner, entry.name, file, files);
    }
  }
  return files;
}

std::expected<Machine, std::string> observe(Observer& observer) {
  Machine machine;
  machine.vendor_functions = vendor_functions(observer);
  const auto parents = observer.sysfs.entries(kParentsDirectory);
  // The vendor's framework does without mdev, and so may the kernel.
  if (!parents && machine.vendor_functions.empty()) {
    return std::unexpected(fmt::format("there are no mediated devices in {}: {}: {}", observer.sysfs.root(),
                                       kParentsDirectory, parents.error().reason));
  }
  for (const Entry& entry : parents.value_or(std::vector<Entry>())) {
    const std::string link = fmt::format("{}/{}", kParentsDirectory, entry.name);
    if (entry.kind == Entry::Kind::file) continue;  // a class's own, not a device
    if (auto parent = parent_at(observer, link)) machine.parents.push_back(std::move(*parent));
  }
  if (const std::string drivers = "bus/mdev/drivers"; observer.sysfs.is_directory(drivers)) {
    for (const Entry& entry : observer.entries(drivers)) {
      machine.mdev_drivers[entry.name] =
          observer.sysfs.target_name(fmt::format("{}/{}/module", drivers, entry.name));
    }
  }
  return machine;
}

}  // namespace mdevfs::capture
