// SPDX-License-Identifier: Apache-2.0
//
// The test driver of the recordings: see slowmdev.h.
#include "slowmdev.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>

namespace mdevfs::conformance {
namespace {

using model::fail;
using model::Level;
using model::Result;

std::optional<long> number(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// As the kernel's bool parameters take it.
std::optional<bool> truth(std::string_view text) {
  if (text == "1" || text == "y" || text == "Y") return true;
  if (text == "0" || text == "n" || text == "N") return false;
  return std::nullopt;
}

void sleep_ms(long time) {
  std::this_thread::sleep_for(std::chrono::milliseconds(time));
}

Result<std::string> show_vendor_attr(model::Device&) {
  return "slow vendor\n";
}

model::DriverInfo driver_info(unsigned max_instances, bool vendor_group, bool use_vfio) {
  model::DriverInfo info{.name = "slow",
                         .device_api = "slow-api",
                         .uses_vfio = use_vfio,
                         .counts_itself = false,
                         .max_instances = max_instances,
                         .traces = true,
                         .groups = {}};
  if (vendor_group) info.groups = {{"vendor", {{.name = "vendor_attr", .show = show_vendor_attr}}}};
  return info;
}

// Thread-safety: as Driver.
class SlowDriver final : public model::Driver {
 public:
  SlowDriver(model::Core& owner, std::shared_ptr<model::Module> owner_module, model::DriverInfo driver_info,
             std::shared_ptr<SlowParameters> parameters)
      : Driver(owner, std::move(owner_module), std::move(driver_info)), parameters_(std::move(parameters)) {}

  // A negative probe_errno is a probe that returns a positive number: it fails all the same.
  Result<void> probe(model::Device&) override {
    sleep_ms(parameters_->probe_delay_ms);
    const long error = parameters_->probe_errno;
    if (error != 0) return fail(static_cast<int>(error));
    return {};
  }

  void remove(model::Device&) noexcept override { sleep_ms(parameters_->remove_delay_ms); }

 private:
  const std::shared_ptr<SlowParameters> parameters_;
};

std::vector<model::TypeInfo> types() {
  return {{"a", "Slow A"}, {"b", ""}};
}

// The parameters at loading, and their texts in /sys/module.
struct Settings {
  std::string device_name = "slow";
  long max_instances = 3;
  long nparents = 1;
  bool use_vfio = false;
  bool vendor_group = false;
  long probe_delay_ms = 0;
  long remove_delay_ms = 0;
  long probe_errno = 0;
};

template <auto field>
bool parse(Settings& settings, const std::string& text) {
  auto& value = settings.*field;
  if constexpr (std::is_same_v<decltype(settings.*field), std::string&>) {
    value = text;
    return true;
  } else if constexpr (std::is_same_v<decltype(settings.*field), bool&>) {
    const auto given = truth(text);
    value = given.value_or(false);
    return given.has_value();
  } else {
    const auto given = number(text);
    value = given.value_or(0);
    return given.has_value();
  }
}

template <auto field>
std::string text_of(const Settings& settings) {
  const auto& value = settings.*field;
  if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, bool>) {
    return value ? "Y\n" : "N\n";
  } else {
    return fmt::format("{}\n", value);
  }
}

struct Parameter {
  std::string_view name;
  bool (*parse)(Settings&, const std::string&);
  std::string (*text)(const Settings&);
  std::atomic<long> SlowParameters::* live;  // null: not to be set while loaded
};

template <auto field>
constexpr Parameter parameter(std::string_view name, std::atomic<long> SlowParameters::* live = nullptr) {
  return {name, parse<field>, text_of<field>, live};
}

constexpr Parameter kParameters[] = {
    parameter<&Settings::device_name>("device_name"),
    parameter<&Settings::max_instances>("max_instances"),
    parameter<&Settings::nparents>("nparents"),
    parameter<&Settings::probe_delay_ms>("probe_delay_ms", &SlowParameters::probe_delay_ms),
    parameter<&Settings::probe_errno>("probe_errno", &SlowParameters::probe_errno),
    parameter<&Settings::remove_delay_ms>("remove_delay_ms", &SlowParameters::remove_delay_ms),
    parameter<&Settings::use_vfio>("use_vfio"),
    parameter<&Settings::vendor_group>("vendor_group"),
};

// A name that is none is ignored, as the kernel does with a remark in the log.
Result<Settings> settings_from(const backends::Values& given) {
  Settings settings;
  for (const auto& parameter : kParameters) {
    const auto it = given.find(std::string(parameter.name));
    if (it != given.end() && !parameter.parse(settings, it->second)) return fail(EINVAL);
  }
  return settings;
}

model::ModuleInfo module_info(const Settings& settings) {
  model::ModuleInfo info{.name = "slowmdev"};
  for (const auto& parameter : kParameters) {
    info.parameters.push_back({std::string(parameter.name), parameter.text(settings)});
  }
  return info;
}

}  // namespace

Result<std::unique_ptr<Slowmdev>> Slowmdev::load(model::Core& core, const backends::Values& given) {
  std::unique_ptr<Slowmdev> module(new Slowmdev(core));
  if (const auto done = module->set_up(given); !done) return std::unexpected(done.error());
  return module;
}

Result<void> Slowmdev::set_up(const backends::Values& given) {
  const auto settings = settings_from(given);
  if (!settings) return std::unexpected(settings.error());
  const auto loaded = core_.load_module(module_info(*settings));
  if (!loaded) return std::unexpected(loaded.error());
  module_ = *loaded;
  device_name_ = settings->device_name;
  parameters_->probe_delay_ms = settings->probe_delay_ms;
  parameters_->remove_delay_ms = settings->remove_delay_ms;
  parameters_->probe_errno = settings->probe_errno;
  driver_ = core_.make<SlowDriver>(
      module_,
      driver_info(static_cast<unsigned>(settings->max_instances), settings->vendor_group, settings->use_vfio),
      parameters_);
  core_.add_driver(driver_);
  class_ = core_.add_class(*module_, "slow");
  for (long i = 0; i < settings->nparents; ++i) {
    const auto position = std::to_string(i);
    if (const auto added = add_device(position); !added) return added;
    if (const auto registered = register_parent(position); !registered) return registered;
  }
  core_.module_loaded(*module_);
  return {};
}

void Slowmdev::unload() {
  core_.unload_module(*module_);
}

struct Slowmdev::Command {
  std::string_view name;
  Result<void> (Slowmdev::*run)(std::string_view);
};

Result<void> Slowmdev::control(std::string_view text) {
  static constexpr Command kCommands[] = {
      {"register", &Slowmdev::register_parent},
      {"unregister", &Slowmdev::unregister_parent},
      {"device_add", &Slowmdev::add_device},
      {"device_del", &Slowmdev::delete_device},
      {"dup", &Slowmdev::add_duplicate},
      {"register_twice", &Slowmdev::register_twice},
      {"register_twins", &Slowmdev::register_twins},
  };
  const auto space = text.find(' ');
  const auto argument = space == std::string_view::npos ? "" : text.substr(space + 1);
  for (const auto& command : kCommands) {
    if (command.name == text.substr(0, space)) return (this->*command.run)(argument);
  }
  return fail(EINVAL);
}

Result<void> Slowmdev::set(std::string_view name, std::string_view text) {
  for (const auto& parameter : kParameters) {
    if (parameter.name != name) continue;
    if (parameter.live == nullptr) return fail(EACCES);
    const auto value = number(text);
    if (!value) return fail(EINVAL);
    (*parameters_).*parameter.live = *value;
    return {};
  }
  return fail(ENOENT);
}

Result<Slowmdev::Place> Slowmdev::at(std::string_view position) {
  const auto i = number(position);
  if (!i || *i < 0) return fail(EINVAL);
  const std::scoped_lock guard(lock_);
  if (static_cast<std::size_t>(*i) >= places_.size()) return Place{};
  return places_[static_cast<std::size_t>(*i)];
}

void Slowmdev::keep(std::string_view position, Place place) {
  const auto i = static_cast<std::size_t>(number(position).value_or(0));
  const std::scoped_lock guard(lock_);
  if (places_.size() <= i) places_.resize(i + 1);
  places_[i] = std::move(place);
}

Result<void> Slowmdev::add_device(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (place->device) return fail(EEXIST);
  const auto suffix = *number(position) == 0 ? "" : std::to_string(*number(position));
  const auto device = core_.add_parent_device(*module_, class_, device_name_ + suffix);
  if (!device) return std::unexpected(device.error());
  keep(position, {*device, nullptr});
  return {};
}

Result<void> Slowmdev::delete_device(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (!place->device || place->parent) return fail(EBUSY);
  core_.remove_parent_device(*place->device);
  keep(position, {});
  return {};
}

Result<void> Slowmdev::register_parent(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (!place->device) return fail(ENODEV);
  const auto parent = core_.register_parent(place->device, driver_, types());
  if (!parent) return std::unexpected(parent.error());
  keep(position, {place->device, *parent});
  return {};
}

Result<void> Slowmdev::unregister_parent(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (!place->parent) return fail(ENODEV);
  core_.unregister_parent(*place->parent);
  keep(position, {place->device, nullptr});
  return {};
}

// What was tried and what came of it, in the log.
template <typename T>
Result<void> Slowmdev::said(const char* what, const Result<T>& result) {
  core_.log().print(Level::info, fmt::format("slow: {}: {}", what, result ? 0 : -result.error().value));
  if (result) return {};
  return std::unexpected(result.error());
}

Result<void> Slowmdev::add_duplicate(std::string_view name) {
  const auto device = core_.add_parent_device(*module_, class_, std::string(name));
  return said("dup device", device);
}

Result<void> Slowmdev::register_twice(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (!place->parent) return fail(ENODEV);
  const auto second = core_.register_parent(place->device, driver_, types());
  return said("second registration", second);
}

Result<void> Slowmdev::register_twins(std::string_view position) {
  const auto place = at(position);
  if (!place) return std::unexpected(place.error());
  if (!place->device || place->parent) return fail(ENODEV);
  const auto twins = core_.register_parent(place->device, driver_, {{"twin", "One"}, {"twin", "Other"}});
  return said("twin registration", twins);
}

}  // namespace mdevfs::conformance
