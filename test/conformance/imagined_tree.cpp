// SPDX-License-Identifier: Apache-2.0
//
// What is believed to be there: see imagined_tree.h.
#include "imagined_tree.h"

#include <algorithm>
#include <array>
#include <span>

namespace mdevfs::conformance {
namespace {

using Names = std::span<const std::string_view>;

// What a thing shows, by kind.
struct Entries {
  Names files;
  Names directories;
  Names links;
};

constexpr std::string_view kDeviceFiles[] = {"uevent",
                                             "uevent",
                                             "remove",
                                             "power/control",
                                             "power/async",
                                             "power/runtime_status",
                                             "power/autosuspend_delay_ms",
                                             "power/runtime_usage",
                                             "mdev_type/name",
                                             "mdev_type/available_instances",
                                             "mdev_type/create",
                                             "vendor/sample_mdev_dev",
                                             "vendor/resolution",
                                             "vendor/memory",
                                             "vendor/vendor_attr",
                                             "driver/uevent",
                                             "iommu_group/name",
                                             "subsystem/drivers_autoprobe",
                                             "nothere"};
constexpr std::string_view kDeviceDirectories[] = {"",        "",           ".",        "..",
                                                   "power",   "vendor",     "vfio-dev", "mdev_type/devices",
                                                   "driver/", "mdev_type/", "nothere/", "uevent/"};
constexpr std::string_view kDeviceLinks[] = {"driver", "mdev_type", "subsystem", "iommu_group",
                                             "driver/module"};
constexpr Entries kDevice = {kDeviceFiles, kDeviceDirectories, kDeviceLinks};

constexpr std::string_view kTypeFiles[] = {
    "available_instances", "available_instances", "create", "device_api", "name", "description", "nothere"};
constexpr std::string_view kTypeDirectories[] = {"", "", "devices", "devices", "..", "devices/.."};
constexpr std::string_view kTypeLinks[] = {"devices/$U1", "devices/$U2", "devices/$U3"};
constexpr Entries kType = {kTypeFiles, kTypeDirectories, kTypeLinks};

constexpr std::string_view kParentFiles[] = {"uevent", "power/control", "power/async",
                                             "power/runtime_active_kids", "mdev_supported_types/nothere"};
constexpr std::string_view kParentDirectories[] = {"", "mdev_supported_types", "mdev_supported_types",
                                                   "power", ".."};
constexpr std::string_view kParentLinks[] = {"subsystem"};
constexpr Entries kParent = {kParentFiles, kParentDirectories, kParentLinks};

constexpr std::string_view kBusFiles[] = {"/sys/bus/mdev/drivers_autoprobe",
                                          "/sys/bus/mdev/drivers_probe",
                                          "/sys/bus/mdev/uevent",
                                          "/sys/bus/mdev/drivers/mtty/unbind",
                                          "/sys/bus/mdev/drivers/slow/bind",
                                          "/sys/bus/mdev/drivers/slow/unbind",
                                          "/sys/bus/mdev/drivers/mdpy/uevent",
                                          "/sys/module/mdev/refcnt",
                                          "/sys/module/mtty/refcnt",
                                          "/sys/kernel/iommu_groups/0/name",
                                          "/sys/kernel/iommu_groups/1/type",
                                          "/sys/kernel/iommu_groups/0/reserved_regions"};
constexpr std::string_view kBusDirectories[] = {"/sys/bus/mdev",
                                                "/sys/bus/mdev/devices",
                                                "/sys/bus/mdev/devices",
                                                "/sys/bus/mdev/drivers",
                                                "/sys/bus/mdev/drivers/slow",
                                                "/sys/bus/mdev/drivers/mtty",
                                                "/sys/class/mdev_bus",
                                                "/sys/class/mdev_bus",
                                                "/sys/kernel/iommu_groups",
                                                "/sys/kernel/iommu_groups/0/devices",
                                                "/sys/class/slow",
                                                "/sys/class/mtty",
                                                "/sys/devices/virtual/slow",
                                                "/sys/devices/virtual/mtty",
                                                "/sys/class/vfio",
                                                "/sys/class/vfio-dev",
                                                "/sys/devices/virtual/vfio",
                                                "/sys/devices/virtual/vfio/0",
                                                "/sys/module/mdev/holders"};
constexpr std::string_view kBusLinks[] = {"/sys/bus/mdev/drivers/slow/module",
                                          "/sys/bus/mdev/drivers/mtty/module",
                                          "/sys/class/mdev_bus/slow",
                                          "/sys/class/mdev_bus/slow1",
                                          "/sys/class/mdev_bus/mtty",
                                          "/sys/class/mdev_bus/mdpy",
                                          "/sys/class/slow/slow",
                                          "/sys/class/vfio/0",
                                          "/sys/class/vfio-dev/vfio0",
                                          "/sys/module/mtty/drivers/mdev:mtty"};
constexpr Entries kBus = {kBusFiles, kBusDirectories, kBusLinks};

struct Sample {
  std::string_view module;
  std::array<std::string_view, 3> types;
  std::size_t room;
};
constexpr Sample kSamples[] = {{"mtty", {"1", "2", ""}, 16},
                               {"mdpy", {"vga", "xga", "hd"}, 4},
                               {"mbochs", {"small", "medium", "large"}, 8}};

std::string joined(const std::string& directory, std::string_view name) {
  return name.empty() ? directory : directory + '/' + std::string(name);
}

}  // namespace

void ImaginedTree::load(std::string_view module, std::size_t parents, std::size_t room) {
  if (loaded(module)) return;
  for (const auto& sample : kSamples) {
    if (sample.module != module) continue;
    ImaginedParent parent{.module = std::string(module),
                          .driver = std::string(module),
                          .family = std::string(module),
                          .name = std::string(module),
                          .types = {},
                          .room = room != 0 ? room : sample.room};
    for (const auto type : sample.types) {
      if (!type.empty()) parent.types.push_back(parent.family + '-' + std::string(type));
    }
    parents_.push_back(parent);
  }
  for (std::size_t i = 0; module == "slowmdev" && i < parents; ++i) {
    parents_.push_back({.module = "slowmdev",
                        .driver = "slow",
                        .family = "slow",
                        .name = i == 0 ? "slow" : "slow" + std::to_string(i),
                        .types = {"slow-a", "slow-b"},
                        .room = room != 0 ? room : 3});
  }
}

void ImaginedTree::unload(std::string_view module) {
  for (auto& parent : parents_) {
    if (parent.module == module) unregister(parent);
  }
  std::erase_if(parents_, [&](const ImaginedParent& parent) { return parent.module == module; });
}

bool ImaginedTree::loaded(std::string_view module) const {
  return std::ranges::find(parents_, module, &ImaginedParent::module) != parents_.end();
}

std::vector<std::string> ImaginedTree::loaded_modules() const {
  std::vector<std::string> modules;
  for (const auto& parent : parents_) {
    if (std::ranges::find(modules, parent.module) == modules.end()) modules.push_back(parent.module);
  }
  return modules;
}

ImaginedParent* ImaginedTree::some_parent(Random& random) {
  std::vector<ImaginedParent*> registered;
  for (auto& parent : parents_) {
    if (parent.registered) registered.push_back(&parent);
  }
  return registered.empty() ? nullptr : random.one_of(registered);
}

ImaginedParent* ImaginedTree::parent(std::string_view module, std::size_t number) {
  for (auto& parent : parents_) {
    if (parent.module == module && number-- == 0) return &parent;
  }
  return nullptr;
}

void ImaginedTree::unregister(ImaginedParent& parent) {
  parent.registered = false;
  const auto path = parent.path();
  const auto is_its = [&](const ImaginedDevice& device) { return device.parent == path; };
  std::ranges::copy_if(devices_, std::back_inserter(gone_), is_its);
  std::erase_if(devices_, is_its);
}

void ImaginedTree::create(const std::string& uuid, const ImaginedParent& parent, const std::string& type) {
  if (std::ranges::find(devices_, uuid, &ImaginedDevice::uuid) != devices_.end()) return;
  devices_.push_back({uuid, parent.path(), type, parent.driver, parent.module});
}

void ImaginedTree::remove(const std::string& uuid) {
  const auto it = std::ranges::find(devices_, uuid, &ImaginedDevice::uuid);
  if (it == devices_.end()) return;
  gone_.push_back(*it);
  devices_.erase(it);
}

void ImaginedTree::unbind(const std::string& uuid) {
  const auto it = std::ranges::find(devices_, uuid, &ImaginedDevice::uuid);
  if (it != devices_.end()) it->bound = false;
}

bool ImaginedTree::is_full(const ImaginedParent& parent) const {
  const auto count = std::ranges::count(devices_, parent.path(), &ImaginedDevice::parent);
  return static_cast<std::size_t>(count) >= parent.room;
}

const ImaginedDevice* ImaginedTree::some_device(Random& random) const {
  const bool live = gone_.empty() || random.percent(85);
  const auto& from = live && !devices_.empty() ? devices_ : gone_;
  return from.empty() ? nullptr : &random.one_of(from);
}

std::string ImaginedTree::to(Random& random, const ImaginedDevice& device) {
  switch (random.below(8)) {
    case 0:
      return device.parent + "/mdev_supported_types/" + device.type + "/devices/" + device.uuid;
    case 1:
      return "/sys/bus/mdev/drivers/" + device.driver + '/' + device.uuid;
    case 2:
      return "/sys/class/mdev_bus/" + device.parent.substr(device.parent.rfind('/') + 1) + '/' + device.uuid;
    case 3:
    case 4:
      return "/sys/bus/mdev/devices/" + device.uuid;
    default:
      return device.parent + '/' + device.uuid;
  }
}

std::string ImaginedTree::to_parent(Random& random, const ImaginedParent& parent) {
  switch (random.below(4)) {
    case 0:
      return "/sys/class/mdev_bus/" + parent.name;
    case 1:
      return "/sys/class/" + parent.family + '/' + parent.name;
    default:
      return parent.path();
  }
}

std::string ImaginedTree::to_type(Random& random, const ImaginedParent& parent,
                                  const std::string& type) const {
  if (random.percent(15)) {
    for (const auto& device : devices_) {
      if (device.parent == parent.path() && device.type == type) return to(random, device) + "/mdev_type";
    }
  }
  return to_parent(random, parent) + "/mdev_supported_types/" + type;
}

std::string ImaginedTree::some(Random& random, Kind kind) {
  const auto of = [kind](const Entries& entries) {
    return kind == Kind::kFile ? entries.files : kind == Kind::kLink ? entries.links : entries.directories;
  };
  const auto what = random.below(10);
  if (what < 5) {
    if (const auto* device = some_device(random)) {
      if (kind == Kind::kLink && random.percent(30)) return "/sys/bus/mdev/devices/" + device->uuid;
      const auto directory = to(random, *device);
      return joined(directory, random.one_of(of(kDevice)));
    }
  }
  if (auto* parent = some_parent(random); parent != nullptr && what < 9) {
    const auto& type = random.one_of(parent->types);
    const bool of_type = what < 8;
    const auto directory = of_type ? to_type(random, *parent, type) : to_parent(random, *parent);
    return joined(directory, random.one_of(of(of_type ? kType : kParent)));
  }
  return std::string(random.one_of(of(kBus)));
}

std::string ImaginedTree::some_path(Random& random) {
  static constexpr Kind kKinds[] = {Kind::kFile, Kind::kFile, Kind::kDirectory, Kind::kLink};
  return some(random, random.one_of(kKinds));
}

std::string ImaginedTree::some_directory(Random& random) {
  return some(random, Kind::kDirectory);
}

std::string ImaginedTree::some_file(Random& random) {
  return some(random, Kind::kFile);
}

std::string ImaginedTree::some_link(Random& random) {
  return some(random, Kind::kLink);
}

}  // namespace mdevfs::conformance
