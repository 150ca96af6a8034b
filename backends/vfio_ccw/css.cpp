// SPDX-License-Identifier: Apache-2.0
#include "css.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "model/text.h"

namespace mdevfs::backends::css {
namespace {

using model::fail;
using model::HostDevice;
using model::Lock;
using model::Result;

Subchannel& subchannel_of(HostDevice& device) {
  return static_cast<Subchannel&>(device);
}

// --- css0

Result<void> store_rescan(HostDevice&, std::string_view) {
  return {};
}

Result<std::string> show_cm_enable(HostDevice& device) {
  return static_cast<ChannelSubsystem&>(device).measures ? "1\n" : "0\n";
}

// cm_enable_store: a number in base 16.
Result<void> store_cm_enable(HostDevice& device, std::string_view text) {
  text = model::without_newline(text);
  if (text.starts_with("0x")) text.remove_prefix(2);
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error == std::errc::result_out_of_range) return fail(ERANGE);
  if (error != std::errc{} || end != text.data() + text.size() || value > 1) return fail(EINVAL);
  static_cast<ChannelSubsystem&>(device).measures = value == 1;
  return {};
}

// --- subchannels

// driver_override_show, with the device's lock as there: while a driver probes or removes, it waits.
Result<std::string> show_driver_override(HostDevice& device) {
  const Lock lock(device.device_lock);
  return subchannel_of(device).driver_override().value_or("(null)") + "\n";
}

// driver_set_override: nothing, or a newline alone, clears it.
Result<void> store_driver_override(HostDevice& device, std::string_view text) {
  if (text.size() >= model::kAttributeSize - 1) return fail(EINVAL);
  text = model::up_to_nul(text);
  const std::string name(text.substr(0, text.find('\n')));
  const Lock lock(device.device_lock);
  subchannel_of(device).set_driver_override(name.empty() ? std::nullopt : std::optional(name));
  return {};
}

// vpm_show: the paths that are available.
Result<std::string> show_vpm(HostDevice& device) {
  const std::string& masks = subchannel_of(device).subchannel.pimpampom;
  return masks.substr(masks.find(' ') + 1, 2) + "\n";
}

// initiate_logging.
Result<void> store_logging(HostDevice& device, std::string_view) {
  device.core.log().print(model::Level::notice,
                          fmt::format("Logging for subchannel {} was triggered", device.name()));
  return {};
}

}  // namespace

ChannelSubsystem::ChannelSubsystem(model::Core& owner)
    : HostDevice(owner, {.name = "css0", .is_parent = false}) {
  add_attribute({.name = "real_cssid", .text = "0\n"});
  add_attribute({.name = "rescan", .mode = 0200, .store = store_rescan});
  add_attribute({.name = "cm_enable", .mode = 0644, .show = show_cm_enable, .store = store_cm_enable});
}

Subchannel::Subchannel(model::Core& owner, std::shared_ptr<model::Bus> bus, std::shared_ptr<HostDevice> css,
                       SubchannelInfo subchannel_info)
    : HostDevice(owner, {.name = subchannel_info.name, .bus = std::move(bus), .above = std::move(css)}),
      subchannel(std::move(subchannel_info)) {
  add_attribute({.name = "type", .text = fmt::format("{:x}\n", subchannel.type)});
  add_attribute({.name = "modalias", .text = fmt::format("css:t{:X}\n", subchannel.type)});
  add_attribute({.name = "driver_override",
                 .mode = 0644,
                 .show = show_driver_override,
                 .store = store_driver_override,
                 .waits = true});
  if (subchannel.type != kIoSubchannel) return;
  add_attribute({.name = "chpids", .text = subchannel.chpids + " \n"});
  add_attribute({.name = "pimpampom", .text = subchannel.pimpampom + "\n"});
  add_attribute({.name = "dev_busid", .text = subchannel.dev_busid + "\n"});
}

// css_uevent.
std::string Subchannel::bus_uevent_text() const {
  return fmt::format("ST={0:X}\nMODALIAS=css:t{0:X}\n", subchannel.type);
}

std::optional<std::string> Subchannel::driver_override() const {
  const Lock lock(lock_);
  return driver_override_;
}

void Subchannel::set_driver_override(std::optional<std::string> name) {
  const Lock lock(lock_);
  driver_override_ = std::move(name);
}

// css_bus_match.
bool CssDriver::matches(const HostDevice& device) const {
  const auto& its = static_cast<const Subchannel&>(device);
  return its.driver_override().value_or(name()) == name() && its.subchannel.type == kIoSubchannel;
}

// io_subchannel_probe.
Result<void> IoSubchannelDriver::probe(HostDevice& device) {
  static const std::array<model::HostAttribute, 2> files = {{
      {.name = "logging", .mode = 0200, .store = store_logging},
      {.name = "vpm", .show = show_vpm},
  }};
  Subchannel& its = subchannel_of(device);
  its.files =
      core.make<model::BindingFiles>(std::static_pointer_cast<HostDevice>(device.shared_from_this()), files);
  core.tree().appear(*its.files, {model::kSelf});
  return {};
}

// io_subchannel_remove.
void IoSubchannelDriver::remove(HostDevice& device) noexcept {
  Subchannel& its = subchannel_of(device);
  core.tree().vanish(*its.files, {model::kSelf});
  its.files.reset();
}

}  // namespace mdevfs::backends::css
