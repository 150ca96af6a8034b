// SPDX-License-Identifier: Apache-2.0
#include "bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "model/number.h"
#include "model/show.h"
#include "model/text.h"

namespace mdevfs::backends::pci {
namespace {

using model::fail;
using model::HostDevice;
using model::Result;
using model::Slot;

// --- the bus's own files

Result<void> store_rescan(model::Object& object, Slot, std::string_view text) {
  const auto value = model::parse_unsigned(text);
  if (!value) return std::unexpected(value.error());
  if (*value != 0) static_cast<Bus&>(object).rescan();
  return {};
}

Result<std::string> show_resource_alignment(model::Object& object, Slot slot) {
  return model::kept_text(object, slot, "");
}
Result<void> store_resource_alignment(model::Object& object, Slot slot, std::string_view text) {
  model::keep_text(object, slot, std::string(model::without_newline(text)) + "\n");
  return {};
}

model::ExtraEntries bus_attributes() {
  model::ExtraEntries entries;
  model::Entry rescan = model::file("rescan", 0200, model::kSelf, Slot::bus_directory, nullptr, store_rescan);
  rescan.waits = [](model::Object&) { return true; };
  add_extra(entries, std::move(rescan));
  add_extra(entries, model::file("resource_alignment", 0644, model::kSelf, Slot::bus_directory,
                                 show_resource_alignment, store_resource_alignment));
  add_extra(entries, model::directory("slots", model::kSelf, Slot::bus_directory));
  return entries;
}

// --- a driver's own files

Driver& driver_of(model::Object& object) {
  return static_cast<Driver&>(object);
}
Result<void> store_new_id(model::Object& object, Slot, std::string_view text) {
  return driver_of(object).add_id(text);
}
Result<void> store_remove_id(model::Object& object, Slot, std::string_view text) {
  return driver_of(object).remove_id(text);
}

model::ExtraEntries driver_attributes() {
  model::ExtraEntries entries;
  constexpr Slot in = Slot::bus_driver_directory;
  model::Entry new_id = model::file("new_id", 0200, model::kSelf, in, nullptr, store_new_id);
  new_id.waits = [](model::Object&) { return true; };
  add_extra(entries, std::move(new_id));
  add_extra(entries, model::file("remove_id", 0200, model::kSelf, in, nullptr, store_remove_id));
  return entries;
}

// --- drivers that every machine has

// Bridges' own.
class PortDriver final : public Driver {
 public:
  PortDriver(model::Core& owner)
      : Driver(owner, nullptr, "pcieport", {{.class_code = 0x060400, .class_mask = ~0U}}) {}
};

// For functions that are to be kept from their drivers: none is its own unless somebody says so.
class StubDriver final : public Driver {
 public:
  StubDriver(model::Core& owner) : Driver(owner, nullptr, "pci-stub", {}) {}
};

// The same, and gives the function to vfio.
class VfioDriver final : public Driver {
 public:
  VfioDriver(model::Core& owner) : Driver(owner, nullptr, "vfio-pci", {}) {}
  // vfio_pci_core_register_device: without an iommu group there is nothing to isolate it.
  Result<void> probe_function(Function& function) override {
    if (!function.iommu_group) return fail(EINVAL);
    core.appear_driver_vfio(function);
    return {};
  }
  void remove_function(Function& function) noexcept override { core.vanish_driver_vfio(function); }
};

}  // namespace

Bus::Bus(model::Core& owner) : model::Bus(owner, "pci", bus_attributes()) {}

std::shared_ptr<Bus> Bus::of(model::Core& core) {
  if (const auto known = core.find_bus("pci")) return std::static_pointer_cast<Bus>(known);
  const auto made = core.make<Bus>();
  const auto bus = std::static_pointer_cast<Bus>(core.add_bus(made));
  if (bus == made) {
    std::ignore = core.add_bus_driver(core.make<PortDriver>());
    std::ignore = core.add_bus_driver(core.make<StubDriver>());
    std::ignore = core.add_bus_driver(core.make<VfioDriver>());
  }
  return bus;
}

std::shared_ptr<model::IommuGroup> Bus::group_for(const std::string& name) {
  if (name == "none") return nullptr;
  if (name == "auto") return core.add_iommu_group();
  const model::Lock lock(lock_);
  auto& group = groups_[name];
  auto shared = group.lock();
  if (!shared) group = shared = core.add_iommu_group();
  return shared;
}

namespace {

// The bus of what comes next on the path.
unsigned bus_of(const std::string& path, std::size_t from, const Address& last) {
  const auto next = from < path.size() ? parse_address(path.substr(from, path.find('/', from) - from))
                                       : Result<Address>(last);
  return next ? next->bus() : 0;
}

}  // namespace

// A root port of Intel's, as good as any.
Result<std::shared_ptr<HostDevice>> Bus::add_bridge(const std::string& name, unsigned secondary_bus,
                                                    std::shared_ptr<HostDevice> above) {
  const Identity port{.address = *parse_address(name),
                      .vendor = 0x8086,
                      .device = 0x347a,
                      .subsystem_vendor = 0x8086,
                      .class_code = 0x060400,
                      .revision = 0x04,
                      .secondary_bus = secondary_bus};
  auto bridge = core.make<Function>(
      Function::Place{std::static_pointer_cast<Bus>(shared_from_this()), std::move(above), nullptr, 0}, port);
  if (const auto added = core.add_host_device(bridge); !added) return std::unexpected(added.error());
  return bridge;
}

Result<std::shared_ptr<HostDevice>> Bus::bridges_to(const Hardware& hardware) {
  const Address& address = hardware.identity.address;
  std::string path = hardware.path;
  if (path.empty()) path = fmt::format("pci{:04x}:{:02x}", address.domain, address.bus());
  std::shared_ptr<HostDevice> above;
  for (std::size_t from = 0; from < path.size();) {
    const auto to = std::min(path.find('/', from), path.size());
    const std::string name = path.substr(from, to - from);
    from = to + 1;
    const model::Lock lock(lock_);
    auto known = bridges_[name].lock();
    if (!known && !above) {
      known = core.make<HostDevice>(model::HostDeviceInfo{.name = name, .is_parent = false});
      std::ignore = core.add_host_device(known);
    } else if (!known) {
      auto bridge = add_bridge(name, bus_of(path, from, address), above);
      if (!bridge) return bridge;
      known = std::move(*bridge);
    }
    bridges_[name] = known;
    above = std::move(known);
  }
  return above;
}

Result<std::shared_ptr<Function>> Bus::add(const Hardware& hardware) {
  const auto above = bridges_to(hardware);
  if (!above) return std::unexpected(above.error());
  auto function = core.make<Function>(
      Function::Place{std::static_pointer_cast<Bus>(shared_from_this()), *above, nullptr, 0},
      hardware.identity);
  function->iommu_group = group_for(hardware.iommu_group);
  if (const auto added = core.add_host_device(function, false); !added) return std::unexpected(added.error());
  return function;
}

Result<std::shared_ptr<Function>> Bus::plug(const Identity& identity, const std::string& path,
                                            const std::string& iommu_group) {
  const Hardware hardware{identity, path, iommu_group};
  {
    const model::Lock lock(lock_);
    if (!plugged_.emplace(identity.address, hardware).second) return fail(EEXIST);
  }
  const auto function = add(hardware);
  if (!function) {
    const model::Lock lock(lock_);
    plugged_.erase(identity.address);
  }
  return function;
}

void Bus::unplug(const Address& address) {
  {
    const model::Lock lock(lock_);
    if (plugged_.erase(address) == 0) return;
  }
  if (const auto device = core.find_host_device(*this, to_string(address)))
    remove_function(static_cast<Function&>(*device));
}

void Bus::rescan() {
  std::vector<Hardware> all;
  {
    const model::Lock lock(lock_);
    for (const auto& [address, hardware] : plugged_) all.push_back(hardware);
  }
  for (const auto& hardware : all) {
    if (core.find_host_device(*this, to_string(hardware.identity.address))) continue;
    if (const auto function = add(hardware)) core.probe_host_device(**function);
  }
}

// --- drivers

Driver::Driver(model::Core& owner, std::shared_ptr<model::Module> its_module, std::string name,
               std::vector<Id> ids)
    : BusDriver(owner, owner.find_bus("pci"), std::move(its_module), std::move(name), driver_attributes()),
      ids_(std::move(ids)) {}

namespace {

bool fits(const Driver::Id& wanted, const Identity& identity) {
  return (wanted.vendor == Driver::kAny || wanted.vendor == identity.vendor) &&
         (wanted.device == Driver::kAny || wanted.device == identity.device) &&
         ((wanted.class_code ^ identity.class_code) & wanted.class_mask) == 0;
}

}  // namespace

// pci_match_device.
bool Driver::matches(const HostDevice& device) const {
  const auto& function = static_cast<const Function&>(device);
  const std::string wanted = function.driver_override();
  if (!wanted.empty()) return wanted == name();
  const auto is_its = [&](const Id& known) { return fits(known, function.identity); };
  if (takes(function) || std::ranges::any_of(ids_, is_its)) return true;
  const model::Lock lock(lock_);
  return std::ranges::any_of(dynamic_ids_, is_its);
}

Result<void> Driver::probe(HostDevice& device) {
  return probe_function(static_cast<Function&>(device));
}

void Driver::remove(HostDevice& device) noexcept {
  remove_function(static_cast<Function&>(device));
}

namespace {

// VENDOR DEVICE, then others of which only the class matters here; all in hexadecimal.
std::optional<Driver::Id> parse_id(std::string_view text) {
  std::vector<unsigned> fields;
  while (!text.empty() && fields.size() < 7) {
    const auto blank = std::min(text.find_first_of(" \t\n"), text.size());
    auto word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    if (word.empty()) continue;
    if (word.starts_with("0x")) word.remove_prefix(2);
    unsigned value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
    if (error != std::errc{}) break;
    fields.push_back(value);
    if (end != word.data() + word.size()) break;
  }
  if (fields.size() < 2) return std::nullopt;
  fields.resize(7);
  return Driver::Id{fields[0], fields[1], fields[4], fields[5]};
}

}  // namespace

Result<void> Driver::add_id(std::string_view text) {
  const auto written = parse_id(text);
  if (!written) return fail(EINVAL);
  const auto same_device = [&](const Id& known) {
    return known.vendor == written->vendor && (known.device == written->device || known.device == kAny);
  };
  if (std::ranges::any_of(ids_, same_device)) return fail(EEXIST);
  {
    const model::Lock lock(lock_);
    if (std::ranges::any_of(dynamic_ids_, same_device)) return fail(EEXIST);
    dynamic_ids_.push_back(*written);
  }
  core.attach_driver_to_all(*this);
  return {};
}

Result<void> Driver::remove_id(std::string_view text) {
  const auto written = parse_id(text);
  if (!written) return fail(EINVAL);
  const model::Lock lock(lock_);
  const auto same = [&](const Id& known) {
    return known.vendor == written->vendor && known.device == written->device;
  };
  const auto at = std::ranges::find_if(dynamic_ids_, same);
  if (at == dynamic_ids_.end()) return fail(ENODEV);
  dynamic_ids_.erase(at);
  return {};
}

}  // namespace mdevfs::backends::pci
