// SPDX-License-Identifier: Apache-2.0
#include "pci_function.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>

#include "backends/pci/address.h"
#include "backends/pci/config_space.h"
#include "backends/pci/function.h"

namespace mdevfs::capture {
namespace {

using backends::pci::kResources;

struct KeyOfFile {
  std::string_view key;
  std::string_view file;
};
constexpr KeyOfFile kPlainKeys[] = {
    {"vendor", "vendor"},
    {"device", "device"},
    {"subsystem_vendor", "subsystem_vendor"},
    {"subsystem_device", "subsystem_device"},
    {"class", "class"},
    {"revision", "revision"},
    {"irq", "irq"},
    {"numa_node", "numa_node"},
    {"local_cpulist", "local_cpulist"},
};
constexpr KeyOfFile kSriovKeys[] = {
    {"sriov_totalvfs", "sriov_totalvfs"},
    {"sriov_offset", "sriov_offset"},
    {"sriov_stride", "sriov_stride"},
};

// The bridges, from the root bus on.
void describe_path(const std::string& path, Table& table) {
  constexpr std::string_view kDevices = "devices/";
  std::string above = path.substr(0, path.rfind('/'));
  const bool from_the_top = above.starts_with(kDevices);
  if (from_the_top) above.erase(0, kDevices.size());
  const auto root = above.rfind("pci");  // a host bridge may be behind other devices
  const std::string from_root = root == std::string::npos ? above : above.substr(root);
  const auto address = backends::pci::parse_address(table.name());
  if (address && from_root == fmt::format("pci{:04x}:{:02x}", address->domain, address->bus())) return;
  if (from_root == above) {
    table.set("path", from_root);
  } else {
    table.set("path", from_root, fmt::format("the root bus is below {}", above.substr(0, root)));
  }
}

void describe_link(Observer& observer, const std::string& path, Table& table) {
  const auto width = observer.line(path + "/max_link_width");
  table.set("link_width", width.value_or("0"));
  if (!width) return;
  const auto speed = observer.line(path + "/max_link_speed");
  if (speed) table.set("link_speed", *speed);
  const auto current_speed = observer.line(path + "/current_link_speed");
  const auto current_width = observer.line(path + "/current_link_width");
  if (current_speed != speed || current_width != width) {
    table.say(fmt::format("the link runs at {} with {} lanes; here it is as fast as it can be",
                          current_speed.value_or("?"), current_width.value_or("?")));
  }
}

bool has_a_range(std::string_view line) {
  return line.find_first_not_of("0x \t") != std::string_view::npos;
}

// Without the lines at the end that say that there is nothing, and those of bridges.
void describe_resource(Observer& observer, const std::string& path, Table& table) {
  std::string_view text;
  const auto all = observer.line(path + "/resource");
  if (!all) return;
  text = *all;
  std::string kept, pending;
  for (std::size_t number = 0; number < kResources && !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    pending += (kept.empty() && pending.empty() ? "" : "\n") + std::string(line);
    if (has_a_range(line)) kept += std::exchange(pending, {});
  }
  if (!kept.empty()) table.set("resource", kept);
}

std::string in_hexadecimal(std::string_view bytes) {
  constexpr std::size_t kBytesInLine = 32;
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0 && i % kBytesInLine == 0) text += '\n';
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return text;
}

// Only where it is not what the rest of the keys makes.
void describe_config(Observer& observer, const std::string& path, Table& table) {
  const auto bytes = observer.sysfs.content(path + "/config");
  if (!bytes) {
    if (!bytes.error().is_absence()) observer.could_not_read(path + "/config", bytes.error().reason);
    return;
  }
  const auto identity = backends::pci::read_identity(table.values(), table.name());
  if (identity && backends::pci::make_config_space(*identity, false) == *bytes) return;
  if (bytes->size() == 64)
    table.say("the configuration space was read without root, so only its first 64 bytes");
  table.set("config", in_hexadecimal(*bytes));
}

void describe_sriov(Observer& observer, const std::string& path, Table& table) {
  if (!observer.sysfs.entry(path + "/sriov_totalvfs")) return;
  for (const auto& [key, file] : kSriovKeys) {
    if (const auto value = observer.line(fmt::format("{}/{}", path, file))) table.set(key, *value);
  }
  if (const auto device = observer.line(path + "/sriov_vf_device"))
    table.set("sriov_vf_device", "0x" + *device);
}

void describe_group(const Sysfs& sysfs, const std::string& path, const GroupSizes& groups, Table& table) {
  const std::string group = sysfs.target_name(path + "/iommu_group");
  const auto size = groups.find(group);
  if (group.empty()) {
    table.set("iommu_group", "none");
  } else if (size != groups.end() && size->second > 1) {
    table.set("iommu_group", "group" + group);
  }
}

}  // namespace

bool is_pci_address(std::string_view name) {
  return backends::pci::parse_address(name).has_value();
}

void describe_function(Observer& observer, const std::string& path, const GroupSizes& groups, Table& table) {
  describe_path(path, table);
  for (const auto& [key, file] : kPlainKeys) {
    if (const auto value = observer.line(fmt::format("{}/{}", path, file))) table.set(key, *value);
  }
  describe_link(observer, path, table);
  describe_resource(observer, path, table);
  describe_sriov(observer, path, table);
  describe_group(observer.sysfs, path, groups, table);
  describe_config(observer, path, table);
}

unsigned iommu_number(const Sysfs& sysfs, const std::string& path) {
  const std::string name = sysfs.target_name(path + "/iommu_group");
  unsigned number = UINT_MAX;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

const std::vector<std::string_view>& files_of_functions() {
  // Reading rom and vpd makes the hardware do something.
  static const std::vector<std::string_view> files = {"ari_enabled",
                                                      "boot_vga",
                                                      "broken_parity_status",
                                                      "class",
                                                      "config",
                                                      "consistent_dma_mask_bits",
                                                      "current_link_speed",
                                                      "current_link_width",
                                                      "d3cold_allowed",
                                                      "device",
                                                      "dma_mask_bits",
                                                      "driver_override",
                                                      "enable",
                                                      "irq",
                                                      "link",
                                                      "local_cpulist",
                                                      "local_cpus",
                                                      "max_link_speed",
                                                      "max_link_width",
                                                      "mdev_supported_types",
                                                      "modalias",
                                                      "msi_bus",
                                                      "msi_irqs",
                                                      "numa_node",
                                                      "power",
                                                      "power_state",
                                                      "remove",
                                                      "rescan",
                                                      "reset",
                                                      "reset_method",
                                                      "resource",
                                                      "resource0",
                                                      "resource0_wc",
                                                      "resource1",
                                                      "resource1_wc",
                                                      "resource2",
                                                      "resource2_wc",
                                                      "resource3",
                                                      "resource3_wc",
                                                      "resource4",
                                                      "resource4_wc",
                                                      "resource5",
                                                      "resource5_wc",
                                                      "revision",
                                                      "rom",
                                                      "sriov_drivers_autoprobe",
                                                      "sriov_numvfs",
                                                      "sriov_offset",
                                                      "sriov_stride",
                                                      "sriov_totalvfs",
                                                      "sriov_vf_device",
                                                      "sriov_vf_msix_count",
                                                      "sriov_vf_total_msix",
                                                      "subsystem_device",
                                                      "subsystem_vendor",
                                                      "uevent",
                                                      "vendor",
                                                      "vfio-dev",
                                                      "vpd"};
  return files;
}

}  // namespace mdevfs::capture
