// SPDX-License-Identifier: Apache-2.0
//
// The keys by which a parent that is a PCI function is described, and what they say.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "../values.h"
#include "checks.h"
#include "function.h"

namespace mdevfs::backends::pci {
namespace {

using model::fail;
using model::Result;

constexpr Key kKeys[] = {
    {"address", kItemName, "where it is: DDDD:BB:DD.F", check_address},
    {"bars", "", "its BARs, as 0=16M,mem 1=256M,mem64,pref 5=128,io, where no resource says so", check_bars},
    {"class", "0x030000", "its class code", check_hex<0xffffff>},
    {"config", "", "its configuration space in hexadecimal; empty: made from the rest", check_bytes},
    {"device", "0x0000", "its device id", check_hex<0xffff>},
    {"iommu_group", "auto", "its iommu group: auto, none, or a name that several can have", check_text},
    {"irq", "0", "its interrupt", check_number<0, 65535>},
    {"link_speed", "16.0 GT/s PCIe", "of its PCI Express link", check_text},
    {"link_width", "16", "lanes of its PCI Express link; 0: it is no such function", check_number<0, 32>},
    {"local_cpulist", "0", "the processors near to it", check_text},
    {"numa_node", "-1", "its memory node; -1: none", check_number<-1, 1023>},
    {"path", "", "the bridges to it, as pci0000:60/0000:60:03.1; empty: none", check_path},
    {"resource", "", "what its resource shows, three numbers a line", check_resource},
    {"revision", "0x00", "its revision", check_hex<0xff>},
    {"sriov_offset", "1", "from it to its first virtual function", check_number<0, 65535>},
    {"sriov_stride", "1", "from one virtual function to the next", check_number<1, 65535>},
    {"sriov_totalvfs", "0", "virtual functions that it can have", check_number<0, 65535>},
    {"sriov_vf_device", "0x0000", "their device id", check_hex<0xffff>},
    {"subsystem_device", "0x0000", "its subsystem's device id", check_hex<0xffff>},
    {"subsystem_vendor", "0x0000", "its subsystem's vendor id", check_hex<0xffff>},
    {"vendor", "0x0000", "its vendor id", check_hex<0xffff>},
};

unsigned hex(const Reader& read, std::string_view key) {
  return static_cast<unsigned>(parse_hex(read.text(key), UINT32_MAX).value_or(0));
}

std::array<Resource, kResources> resources_of(const std::string& lines) {
  std::array<Resource, kResources> resources{};
  std::istringstream input(lines);
  for (Resource& r : resources) {
    std::string start, end, flags;
    if (!(input >> start >> end >> flags)) break;
    r = {.start = std::stoull(start, nullptr, 16),
         .end = std::stoull(end, nullptr, 16),
         .flags = std::stoull(flags, nullptr, 16)};
  }
  return resources;
}

std::string bytes_of(const std::string& digits) {
  std::string bytes;
  unsigned value = 0, count = 0;
  for (const char c : digits) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) continue;
    value = value << 4U | static_cast<unsigned>(
                              std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : (c | 0x20) - 'a' + 10);
    if (++count % 2 == 0) bytes.push_back(static_cast<char>(value & 0xff));
  }
  return bytes;
}

}  // namespace

std::span<const Key> function_keys() {
  return kKeys;
}

std::vector<Key> with_function_keys(std::span<const Key> others) {
  std::vector<Key> keys(others.begin(), others.end());
  keys.insert(keys.end(), std::begin(kKeys), std::end(kKeys));
  std::ranges::sort(keys, {}, &Key::name);
  return keys;
}

void check_function(const Values& values, const std::string& item, std::vector<Complaint>& complaints) {
  const std::string address = Reader(values, kKeys, item).text("address");
  if (parse_address(address)) return;
  complaints.push_back({std::string(kParents), item, values.contains("address") ? "address" : "",
                        fmt::format("{} is no address: one is as 0000:65:00.0", address)});
}

Result<Identity> read_identity(const Values& values, const std::string& name) {
  const Reader read(values, kKeys, name);
  const auto address = parse_address(read.text("address"));
  if (!address) return std::unexpected(address.error());
  Identity identity{.address = *address,
                    .vendor = hex(read, "vendor"),
                    .device = hex(read, "device"),
                    .subsystem_vendor = hex(read, "subsystem_vendor"),
                    .subsystem_device = hex(read, "subsystem_device"),
                    .class_code = hex(read, "class"),
                    .revision = hex(read, "revision"),
                    .irq = static_cast<unsigned>(read.number("irq")),
                    .numa_node = static_cast<int>(read.number("numa_node")),
                    .local_cpulist = read.text("local_cpulist"),
                    .link_speed = read.text("link_speed"),
                    .link_width = static_cast<unsigned>(read.number("link_width")),
                    .resources = resources_of(read.text("resource")),
                    .config = bytes_of(read.text("config"))};
  identity.sriov = {.total = static_cast<unsigned>(read.number("sriov_totalvfs")),
                    .offset = static_cast<unsigned>(read.number("sriov_offset")),
                    .stride = static_cast<unsigned>(read.number("sriov_stride")),
                    .device = hex(read, "sriov_vf_device")};
  if (read.text("resource").empty())
    identity.resources = place_bars(read.text("bars"), *address, identity.sriov.total);
  return identity;
}

}  // namespace mdevfs::backends::pci
