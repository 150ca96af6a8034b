// SPDX-License-Identifier: Apache-2.0
#include "modules_by_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

#include "descriptor.h"

namespace mdevfs::conformance {
namespace {

using Parameters = std::map<std::string, std::string>;

const std::string kUnits = "/sys/kernel/config/mdevfs/";
const std::string kSlow = kUnits + "slowmdev/";
const std::string kDebug = "/sys/kernel/debug/mdevfs/";

int write_file(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

int make_directory(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 ? 0 : errno;
}

int remove_directory(const std::string& path) {
  return ::rmdir(path.c_str()) == 0 ? 0 : errno;
}

// One after another, until one fails.
class Steps {
 public:
  Steps& make(const std::string& path) {
    return step([&] { return make_directory(path); });
  }
  Steps& remove(const std::string& path) {
    return step([&] { return remove_directory(path); });
  }
  Steps& write(const std::string& path, const std::string& text) {
    return step([&] { return write_file(path, text); });
  }
  template <typename Step>
  Steps& step(Step todo) {
    if (error == 0) error = todo();
    return *this;
  }
  int error = 0;
};

std::optional<long> number(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Parameters parameters_of(std::string_view text) {
  Parameters parameters;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) parameters[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return parameters;
}

enum class Kind { text, whole, truth };

struct Parameter {
  const char* name;
  const char* otherwise;
  Kind kind;
  const char* mode;
};

constexpr Parameter kParameters[] = {
    {"device_name", "slow", Kind::text, "0444"}, {"max_instances", "3", Kind::whole, "0444"},
    {"nparents", "1", Kind::whole, "0444"},      {"probe_delay_ms", "0", Kind::whole, "0644"},
    {"probe_errno", "0", Kind::whole, "0644"},   {"remove_delay_ms", "0", Kind::whole, "0644"},
    {"remove_errno", "0", Kind::whole, "0644"},  {"use_vfio", "N", Kind::truth, "0444"},
    {"vendor_group", "N", Kind::truth, "0444"},
};

// As the kernel keeps it; nullopt: EINVAL.
std::optional<std::string> value_of(const Parameter& parameter, const std::string& text) {
  if (parameter.kind == Kind::text) return text;
  if (parameter.kind == Kind::whole) {
    const auto value = number(text);
    return value ? std::optional(std::to_string(*value)) : std::nullopt;
  }
  if (text == "1" || text == "y" || text == "Y") return "Y";
  if (text == "0" || text == "n" || text == "N") return "N";
  return std::nullopt;
}

}  // namespace

// The driver of ages whose drivers may refuse a remove does so by a parameter.
bool ModulesByFiles::has(const std::string& parameter) const {
  return parameter != "remove_errno" || age_.driver_may_refuse_remove;
}

// --- modules

int ModulesByFiles::insmod(const std::string& module, std::string_view text) {
  const std::string item = kUnits + module;
  if (const int error = make_directory(item); error != 0) return error;
  const auto given = parameters_of(text);
  Steps steps;
  if (module == "slowmdev") {
    steps.step([&] { return make_slowmdev(given); });
  } else {
    steps.write(item + "/backend", module);
    for (const auto& [key, value] : given) steps.write(item + "/" + key, value);
  }
  steps.write(item + "/live", "1");
  if (module == "slowmdev") steps.step([&] { return set_live_parameters(); });
  if (steps.error != 0) remove_directory(item);
  return steps.error;
}

int ModulesByFiles::rmmod(const std::string& module) {
  const std::string item = kUnits + module;
  return Steps().write(item + "/live", "unload").remove(item).error;
}

int ModulesByFiles::make_slowmdev(const Parameters& given) {
  Steps steps;
  steps.write(kSlow + "backend", "sim");
  Parameters values;
  for (const auto& parameter : kParameters) {
    const auto found = given.find(parameter.name);
    const auto value = value_of(parameter, found == given.end() ? parameter.otherwise : found->second);
    if (!value) return EINVAL;
    values[parameter.name] = *value;
    if (!has(parameter.name)) continue;
    const std::string item = kSlow + "parameters/" + parameter.name;
    steps.make(item).write(item + "/mode", parameter.mode).write(item + "/value", *value);
  }
  {
    const std::lock_guard lock(lock_);
    parameters_ = values;
  }
  const std::pair<const char*, std::string> keys[] = {{"class", "slow"},
                                                      {"driver", "slow"},
                                                      {"device_api", "slow-api"},
                                                      {"max_instances", values["max_instances"]},
                                                      {"vfio", values["use_vfio"]},
                                                      {"start_empty", "1"},
                                                      {"trace", "1"}};
  for (const auto& [key, value] : keys) steps.write(kSlow + key, value);
  // The twins are there for register_twins alone.
  for (const auto* type : {"a", "b", "one", "other"}) steps.make(kSlow + "types/" + type);
  steps.write(kSlow + "types/a/name", "Slow A");
  for (const auto* twin : {"one", "other"}) steps.write(kSlow + "types/" + twin + "/sysfs_name", "twin");
  const std::string attribute = kSlow + "attributes/vendor_attr";
  if (values["vendor_group"] == "Y") steps.make(attribute).write(attribute + "/value", "slow vendor");
  for (long i = 0; i < *number(values["nparents"]); ++i) {
    const std::string parent = kSlow + "parents/" + parent_of(std::to_string(i));
    steps.make(parent).write(parent + "/types", "a b");
  }
  return steps.error;
}

// --- parameters that can be changed while it is loaded

// The knobs are each parent's own; those whose device is not there get them when it comes.
int ModulesByFiles::set_live_parameters() {
  Parameters values;
  {
    const std::lock_guard lock(lock_);
    values = parameters_;
  }
  for (long i = 0; i < std::max(2L, *number(values["nparents"])); ++i) {
    const std::string parent = kDebug + parent_of(std::to_string(i));
    if (::access(parent.c_str(), F_OK) != 0) continue;
    Steps steps;
    for (const std::string call : {"probe", "remove"}) {
      const long error = *number(values[call + "_errno"]);
      const std::string fail = parent + "/fail_" + call + "/";
      if (!has(call + "_errno")) continue;
      if (error != 0) steps.write(fail + "errno", std::to_string(error));
      steps.write(fail + "times", "-1").write(fail + "probability", error != 0 ? "100" : "0");
    }
    for (const auto* delay : {"probe_delay_ms", "remove_delay_ms"})
      steps.write(parent + "/" + delay, values[delay]);
    if (steps.error != 0) return steps.error;
  }
  return 0;
}

int ModulesByFiles::set_parameter(const std::string& name, std::string_view text) {
  const auto value = number(text);
  if (!value) return EINVAL;
  {
    const std::lock_guard lock(lock_);
    parameters_[name] = std::to_string(*value);
  }
  return set_live_parameters();
}

// --- the control file

struct ModulesByFiles::Verb {
  std::string_view name;
  int (ModulesByFiles::*run)(std::string_view);
};

int ModulesByFiles::control(std::string_view text) {
  static constexpr Verb kVerbs[] = {
      {"register", &ModulesByFiles::register_parent},
      {"unregister", &ModulesByFiles::unregister_parent},
      {"device_add", &ModulesByFiles::add_device},
      {"device_del", &ModulesByFiles::delete_device},
      {"dup", &ModulesByFiles::add_duplicate},
      {"register_twice", &ModulesByFiles::register_twice},
      {"register_twins", &ModulesByFiles::register_twins},
  };
  const auto space = text.find(' ');
  const auto argument = space == std::string_view::npos ? "" : text.substr(space + 1);
  for (const auto& verb : kVerbs) {
    if (verb.name == text.substr(0, space)) return (this->*verb.run)(argument);
  }
  return EINVAL;
}

std::string ModulesByFiles::parent_of(std::string_view position) const {
  const std::lock_guard lock(lock_);
  const long i = number(position).value_or(0);
  return parameters_.at("device_name") + (i == 0 ? "" : std::to_string(i));
}

int ModulesByFiles::register_parent(std::string_view position) {
  const std::string parent = kSlow + "parents/" + parent_of(position);
  if (::access(parent.c_str(), F_OK) != 0) return ENODEV;
  return write_file(parent + "/live", "1");
}

int ModulesByFiles::unregister_parent(std::string_view position) {
  const std::string parent = kSlow + "parents/" + parent_of(position);
  if (::access(parent.c_str(), F_OK) != 0) return ENODEV;
  return write_file(parent + "/live", "0");
}

int ModulesByFiles::add_device(std::string_view position) {
  const std::string parent = kSlow + "parents/" + parent_of(position);
  Steps steps;
  steps.make(parent).write(parent + "/types", "a b").write(parent + "/device", "1");
  return steps.step([&] { return set_live_parameters(); }).error;
}

int ModulesByFiles::delete_device(std::string_view position) {
  return remove_directory(kSlow + "parents/" + parent_of(position));
}

int ModulesByFiles::add_duplicate(std::string_view name) {
  const std::string parent = kSlow + "parents/dup";
  Steps steps;
  steps.make(parent).write(parent + "/device_name", std::string(name)).write(parent + "/device", "1");
  if (steps.error != 0) remove_directory(parent);
  return say("dup device", steps.error);
}

int ModulesByFiles::register_twice(std::string_view position) {
  return say("second registration", register_parent(position));
}

int ModulesByFiles::register_twins(std::string_view position) {
  const std::string types = kSlow + "parents/" + parent_of(position) + "/types";
  Steps steps;
  steps.write(types, "one other").step([&] { return register_parent(position); });
  write_file(types, "a b");
  return say("twin registration", steps.error);
}

int ModulesByFiles::say(std::string_view what, int error) {
  const std::lock_guard lock(lock_);
  lines_.push_back(fmt::format("<6> slow: {}: {}", what, -error));
  return error;
}

std::vector<std::string> ModulesByFiles::take_lines() {
  const std::lock_guard lock(lock_);
  return std::exchange(lines_, {});
}

}  // namespace mdevfs::conformance
