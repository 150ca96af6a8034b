// SPDX-License-Identifier: Apache-2.0
#include "function.h"

#include <fmt/format.h>

#include "bus.h"
#include "config_space.h"
#include "model/number.h"
#include "model/show.h"
#include "model/text.h"

namespace mdevfs::backends::pci {
namespace {

using model::fail;
using model::HostDevice;
using model::Result;

constexpr unsigned kIoFlag = 0x100, kMemoryFlag = 0x200, kPrefetchFlag = 0x2000;

Function& function_of(HostDevice& device) {
  return static_cast<Function&>(device);
}
const Identity& identity_of(HostDevice& device) {
  return function_of(device).identity;
}

template <unsigned Identity::* kField, unsigned kDigits>
Result<std::string> show_id(HostDevice& device) {
  return fmt::format("0x{:0{}x}\n", identity_of(device).*kField, kDigits);
}

Result<std::string> show_irq(HostDevice& device) {
  return fmt::format("{}\n", identity_of(device).irq);
}

std::string modalias(const Identity& identity) {
  return fmt::format("pci:v{:08X}d{:08X}sv{:08X}sd{:08X}bc{:02X}sc{:02X}i{:02X}", identity.vendor,
                     identity.device, identity.subsystem_vendor, identity.subsystem_device,
                     identity.class_code >> 16U, identity.class_code >> 8U & 0xffU,
                     identity.class_code & 0xffU);
}
Result<std::string> show_modalias(HostDevice& device) {
  return modalias(identity_of(device)) + "\n";
}

Result<std::string> show_resource(HostDevice& device) {
  std::string text;
  for (const Resource& r : identity_of(device).resources)
    text += fmt::format("0x{:016x} 0x{:016x} 0x{:016x}\n", r.start, r.end, r.flags);
  return text;
}

Result<std::string> show_config(HostDevice& device) {
  return function_of(device).config;
}
// Nothing reads the registers back that setpci would write.
Result<void> store_config(HostDevice&, std::string_view) {
  return {};
}

// driver_set_override, driver_override_show: both take the device's lock.
Result<std::string> show_driver_override(HostDevice& device) {
  const model::Lock lock(device.device_lock);
  const std::string name = function_of(device).driver_override();
  return (name.empty() ? "(null)" : name) + "\n";
}
Result<void> store_driver_override(HostDevice& device, std::string_view text) {
  if (text.size() >= model::kAttributeSize - 1) return fail(EINVAL);
  text = text.substr(0, text.find('\n'));
  const model::Lock lock(device.device_lock);
  function_of(device).set_driver_override(std::string(text.substr(0, text.find('\0'))));
  return {};
}

Result<std::string> show_numa_node(HostDevice& device) {
  return fmt::format("{}\n", function_of(device).numa_node());
}
// Only nodes that are online may be named: here node 0 and those that some function was described on.
Result<void> store_numa_node(HostDevice& device, std::string_view text) {
  text = model::without_newline(text);
  Function& function = function_of(device);
  if (text == "-1") {
    function.set_numa_node(-1);
    return {};
  }
  const auto node = model::parse_unsigned(text);
  if (!node) return std::unexpected(node.error());
  if (*node != 0 && static_cast<int>(*node) != function.identity.numa_node) return fail(EINVAL);
  function.set_numa_node(static_cast<int>(*node));
  return {};
}

// The mask of a list as "0-3,8": groups of 32 bits, the highest first.
Result<std::string> show_local_cpus(HostDevice& device) {
  std::vector<std::uint32_t> words(1);
  std::string_view list = identity_of(device).local_cpulist;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    const auto range = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    const auto dash = std::min(range.find('-'), range.size());
    const auto first = model::parse_unsigned(range.substr(0, dash));
    const auto last = dash == range.size() ? first : model::parse_unsigned(range.substr(dash + 1));
    if (!first || !last || *last > 8191) continue;
    for (auto cpu = *first; cpu <= *last; ++cpu) {
      if (words.size() <= cpu / 32) words.resize(cpu / 32 + 1);
      words[cpu / 32] |= 1U << (cpu % 32);
    }
  }
  std::string text = fmt::format("{:x}", words.back());
  for (auto word = words.rbegin() + 1; word != words.rend(); ++word) text += fmt::format(",{:08x}", *word);
  return text + "\n";
}
Result<std::string> show_local_cpulist(HostDevice& device) {
  return identity_of(device).local_cpulist + "\n";
}

// Enabled and awake by its driver.
Result<std::string> show_enable(HostDevice& device) {
  return device.driver() ? "1\n" : "0\n";
}
Result<void> store_enable(HostDevice& device, std::string_view text) {
  if (const auto value = model::parse_unsigned(text); !value) return std::unexpected(value.error());
  return device.driver() ? fail(EBUSY) : Result<void>{};
}
Result<std::string> show_power_state(HostDevice& device) {
  return device.driver() ? "D0\n" : "unknown\n";
}

Result<std::string> show_link_speed(HostDevice& device) {
  return identity_of(device).link_speed + "\n";
}
Result<std::string> show_link_width(HostDevice& device) {
  return fmt::format("{}\n", identity_of(device).link_width);
}

template <auto kWhat>
Result<void> store_true(HostDevice& device, std::string_view text) {
  const auto value = model::parse_unsigned(text);
  if (!value) return std::unexpected(value.error());
  if (*value != 0) kWhat(function_of(device));
  return {};
}

// remove_store: the file goes first, so that only one of two writers goes on.
void remove_itself(Function& function) {
  if (function.core.tree().take_away_self(function, HostDevice::kRemove)) remove_function(function);
}
void rescan_bus(Function& function) {
  function.bus().rescan();
}
void reset(Function&) {}

// --- SR-IOV

Result<std::string> show_numvfs(HostDevice& device) {
  const Function& function = function_of(device);
  const model::Lock lock(function.device_lock);
  return fmt::format("{}\n", function.virtual_functions.size());
}
Result<void> store_numvfs(HostDevice& device, std::string_view text) {
  const auto count = model::parse_unsigned(text);
  if (!count || *count > UINT16_MAX) return fail(EINVAL);
  if (*count > identity_of(device).sriov.total) return fail(ERANGE);
  return set_virtual_functions(function_of(device), static_cast<unsigned>(*count));
}
template <unsigned Sriov::* kField, bool kHex>
Result<std::string> show_sriov(HostDevice& device) {
  const unsigned value = identity_of(device).sriov.*kField;
  return kHex ? fmt::format("{:x}\n", value) : fmt::format("{}\n", value);
}
Result<std::string> show_sriov_autoprobe(HostDevice& device) {
  return function_of(device).sriov_drivers_autoprobe ? "1\n" : "0\n";
}
// kstrtobool's words.
Result<void> store_sriov_autoprobe(HostDevice& device, std::string_view text) {
  const bool yes = text.starts_with('1') || text.starts_with('y') || text.starts_with('Y') ||
                   text.starts_with("on") || text.starts_with("ON");
  const bool no = text.starts_with('0') || text.starts_with('n') || text.starts_with('N') ||
                  text.starts_with("of") || text.starts_with("OF");
  if (!yes && !no) return fail(EINVAL);
  function_of(device).sriov_drivers_autoprobe = yes;
  return {};
}
// No driver here distributes interrupt vectors.
Result<void> store_msix_count(HostDevice&, std::string_view) {
  return fail(EOPNOTSUPP);
}

using model::HostAttribute;

// As a 6.1 shows them, of a function of either kind.
const HostAttribute kCommon[] = {
    {.name = "ari_enabled", .text = "0\n"},
    {.name = "broken_parity_status", .mode = 0644, .text = "0\n"},
    {.name = "class", .show = show_id<&Identity::class_code, 6>},
    {.name = "consistent_dma_mask_bits", .text = "64\n"},
    {.name = "d3cold_allowed", .mode = 0644, .text = "1\n"},
    {.name = "device", .show = show_id<&Identity::device, 4>},
    {.name = "dma_mask_bits", .text = "64\n"},
    {.name = "driver_override",
     .mode = 0644,
     .show = show_driver_override,
     .store = store_driver_override,
     .waits = true},
    {.name = "enable", .mode = 0644, .show = show_enable, .store = store_enable},
    {.name = "irq", .show = show_irq},
    {.name = "local_cpulist", .show = show_local_cpulist},
    {.name = "local_cpus", .show = show_local_cpus},
    {.name = "modalias", .show = show_modalias},
    {.name = "msi_bus", .mode = 0644, .text = "1\n"},
    {.name = "numa_node", .mode = 0644, .show = show_numa_node, .store = store_numa_node},
    {.name = "power_state", .show = show_power_state},
    {.name = "resource", .show = show_resource},
    {.name = "revision", .show = show_id<&Identity::revision, 2>},
    {.name = "subsystem_device", .show = show_id<&Identity::subsystem_device, 4>},
    {.name = "subsystem_vendor", .show = show_id<&Identity::subsystem_vendor, 4>},
    {.name = "vendor", .show = show_id<&Identity::vendor, 4>},
};

const HostAttribute kExpress[] = {
    {.name = "current_link_speed", .show = show_link_speed},
    {.name = "current_link_width", .show = show_link_width},
    {.name = "max_link_speed", .show = show_link_speed},
    {.name = "max_link_width", .show = show_link_width},
    {.name = "reset", .mode = 0200, .store = store_true<reset>},
    {.name = "reset_method", .mode = 0644, .text = "flr bus\n"},
};

const HostAttribute kPhysical[] = {
    {.name = "remove",
     .mode = 0220,
     .store = store_true<remove_itself>,
     .part = HostDevice::kRemove,
     .waits = true},
    {.name = "rescan", .mode = 0200, .store = store_true<rescan_bus>, .waits = true},
};

Result<std::string> show_secondary_bus(HostDevice& device) {
  return fmt::format("{}\n", identity_of(device).secondary_bus);
}

const HostAttribute kBridge[] = {
    {.name = "secondary_bus_number", .show = show_secondary_bus},
    {.name = "subordinate_bus_number", .show = show_secondary_bus},
};

const HostAttribute kSriov[] = {
    {.name = "sriov_drivers_autoprobe",
     .mode = 0644,
     .show = show_sriov_autoprobe,
     .store = store_sriov_autoprobe},
    {.name = "sriov_numvfs", .mode = 0644, .show = show_numvfs, .store = store_numvfs, .waits = true},
    {.name = "sriov_offset", .show = show_sriov<&Sriov::offset, false>},
    {.name = "sriov_stride", .show = show_sriov<&Sriov::stride, false>},
    {.name = "sriov_totalvfs", .show = show_sriov<&Sriov::total, false>},
    {.name = "sriov_vf_device", .show = show_sriov<&Sriov::device, true>},
    {.name = "sriov_vf_total_msix", .text = "0\n"},
};

model::HostDeviceInfo device_info(const Function::Place& place, const Identity& identity) {
  const bool is_virtual = place.physfn != nullptr;
  const bool is_bridge = identity.class_code >> 16U == 0x06;
  return {.name = to_string(identity.address),
          .bus = place.bus,
          .above = place.above,
          .is_parent = !is_bridge,
          .rank = is_virtual ? model::Rank::virtual_function : model::Rank::host_device};
}

}  // namespace

Function::Function(model::Core& owner, Place its_place, Identity its_identity)
    : HostDevice(owner, device_info(its_place, its_identity)),
      place(std::move(its_place)),
      identity(std::move(its_identity)),
      config(identity.config.empty() ? make_config_space(identity, is_virtual()) : identity.config),
      numa_node_(identity.numa_node) {
  add_identity();
  add_resources();
  if (identity.sriov.total != 0) add_sriov();
  if (is_virtual()) add_virtual_links();
}

void Function::add_identity() {
  for (const auto& attribute : kCommon) add_attribute(attribute);
  add_attribute(
      {.name = "config", .mode = 0644, .show = show_config, .store = store_config, .size = config.size()});
  add_entry(model::directory("link", model::kSelf, model::Slot::host_device_directory));
  if (identity.link_width != 0) {
    for (const auto& attribute : kExpress) add_attribute(attribute);
  }
  for (const auto& attribute : identity.attributes) add_attribute(attribute);
  if (identity.class_code >> 8U == 0x0300) add_attribute({.name = "boot_vga", .text = "0\n"});
  if (is_virtual()) return;
  if (identity.secondary_bus != 0) {
    for (const auto& attribute : kBridge) add_attribute(attribute);
  }
  for (const auto& attribute : kPhysical) add_attribute(attribute);
}

// Of memory they can only be mapped, which no filesystem of this kind offers; reading them is EIO, as on the
// kernel.
void Function::add_resources() {
  for (unsigned bar = 0; bar < 6; ++bar) {
    const Resource& resource = identity.resources[bar];
    if ((resource.flags & (kIoFlag | kMemoryFlag)) == 0) continue;
    const auto size = resource.end - resource.start + 1;
    add_attribute({.name = fmt::format("resource{}", bar), .mode = 0600, .size = size});
    if ((resource.flags & kPrefetchFlag) != 0)
      add_attribute({.name = fmt::format("resource{}_wc", bar), .mode = 0600, .size = size});
  }
  const Resource& rom = identity.resources[6];
  if (rom.flags != 0) add_attribute({.name = "rom", .mode = 0600, .size = rom.end - rom.start + 1});
}

void Function::add_sriov() {
  for (const auto& attribute : kSriov) add_attribute(attribute);
}

// physfn, and virtfnN in the physical function's directory, which goes with this one.
void Function::add_virtual_links() {
  add_attribute({.name = "sriov_vf_msix_count", .mode = 0200, .store = store_msix_count});
  const auto physical = [](model::Object& o) {
    return model::Node{static_cast<Function&>(o).place.physfn.get(), model::Slot::host_device_directory};
  };
  add_entry(model::link("physfn", kSubsystem, model::Slot::host_device_directory, physical));
  add_entry(model::link_elsewhere(
      kSubsystem, physical,
      [](model::Object& o) { return model::Node{&o, model::Slot::host_device_directory}; },
      [](const model::Object& o) {
        return fmt::format("virtfn{}", static_cast<const Function&>(o).place.number);
      }));
}

std::string Function::bus_uevent_text() const {
  return fmt::format(
      "PCI_CLASS={:X}\nPCI_ID={:04X}:{:04X}\nPCI_SUBSYS_ID={:04X}:{:04X}\nPCI_SLOT_NAME={}\n"
      "MODALIAS={}\n",
      identity.class_code, identity.vendor, identity.device, identity.subsystem_vendor,
      identity.subsystem_device, name(), modalias(identity));
}

std::string Function::driver_override() const {
  const model::Lock lock(state_lock_);
  return driver_override_;
}

void Function::set_driver_override(std::string name) {
  const model::Lock lock(state_lock_);
  driver_override_ = std::move(name);
}

int Function::numa_node() const {
  const model::Lock lock(state_lock_);
  return numa_node_;
}

void Function::set_numa_node(int node) {
  const model::Lock lock(state_lock_);
  numa_node_ = node;
}

}  // namespace mdevfs::backends::pci
