// SPDX-License-Identifier: Apache-2.0
#include "plain_bus.h"

#include <algorithm>

#include "model/text.h"

namespace mdevfs::backends {

using model::fail;
using model::HostDevice;
using model::Result;

namespace {

constexpr const char* kNoOverride = "(null)\n";

Result<std::string> show_override(HostDevice& device) {
  return static_cast<PlainDevice&>(device).driver_override();
}
Result<void> store_override(HostDevice& device, std::string_view text) {
  static_cast<PlainDevice&>(device).set_driver_override(std::string(text.substr(0, text.find('\n'))));
  return {};
}

}  // namespace

PlainDevice::PlainDevice(model::Core& owner, std::shared_ptr<model::Bus> bus,
                         std::shared_ptr<HostDevice> above, PlainDescription description)
    : HostDevice(owner, {.name = description.name, .bus = std::move(bus), .above = std::move(above)}),
      modalias_(description.modalias),
      override_(add_attribute(
          {.name = "driver_override", .mode = 0644, .show = show_override, .store = store_override})) {
  if (!modalias_.empty()) add_attribute({.name = "modalias", .text = modalias_ + "\n"});
  for (auto& attribute : description.attributes) add_attribute(std::move(attribute));
}

std::string PlainDevice::driver_override() const {
  return model::kept_text(*this, override_, kNoOverride);
}

void PlainDevice::set_driver_override(const std::string& name) {
  model::keep_text(*this, override_, name.empty() ? kNoOverride : name + "\n");
}

std::string PlainDevice::bus_uevent_text() const {
  return modalias_.empty() ? std::string() : "MODALIAS=" + modalias_ + "\n";
}

Result<std::shared_ptr<PlainBus>> PlainBus::of(model::Core& core, const std::string& name) {
  auto bus = core.find_bus(name);
  if (!bus) bus = core.add_bus(core.make<PlainBus>(name));
  auto plain = std::dynamic_pointer_cast<PlainBus>(bus);
  if (!plain) return fail(EBUSY);
  return plain;
}

std::shared_ptr<HostDevice> PlainBus::directories(const std::string& path) {
  std::shared_ptr<HostDevice> above;
  for (std::size_t from = 0; from < path.size();) {
    const auto to = std::min(path.find('/', from), path.size());
    const model::Lock lock(lock_);
    auto& known = above_[path.substr(0, to)];
    if (!known) {
      known = core.make<HostDevice>(
          model::HostDeviceInfo{.name = path.substr(from, to - from), .above = above, .is_parent = false});
      std::ignore = core.add_host_device(known);
    }
    above = known;
    from = to + 1;
  }
  return above;
}

Result<std::shared_ptr<PlainDevice>> PlainBus::plug(PlainDescription description) {
  const auto above = directories(description.above);
  auto device = core.make<PlainDevice>(std::static_pointer_cast<model::Bus>(shared_from_this()), above,
                                       std::move(description));
  if (const auto added = core.add_host_device(device, false); !added) return std::unexpected(added.error());
  return device;
}

PlainDriver::PlainDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus,
                         std::shared_ptr<model::Module> its_module, std::string name,
                         std::shared_ptr<Registrar> registrar)
    : BusDriver(owner, std::move(its_bus), std::move(its_module), std::move(name)),
      registrar_(std::move(registrar)) {}

bool PlainDriver::matches(const HostDevice& device) const {
  const auto* const plain = dynamic_cast<const PlainDevice*>(&device);
  if (plain == nullptr) return false;
  const std::string wanted = plain->driver_override();
  if (wanted != kNoOverride) return model::without_newline(wanted) == name();
  return registrar_->knows(device.name());
}

}  // namespace mdevfs::backends
