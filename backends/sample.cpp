// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <fmt/format.h>

namespace mdevfs::backends {

model::Result<int> int_value(model::Core& core, const std::string& module, const Settings& settings,
                             const Key& key) {
  const std::string text = text_of(settings.values, key, settings.name);
  const auto value = parse_number(text, INT_MIN, INT_MAX);
  if (value) return static_cast<int>(*value);
  core.look_at_module(module);
  core.log().print(model::Level::error,
                   fmt::format("{}: `{}' invalid for parameter `{}'", module, text, key.name));
  return std::unexpected(value.error());
}

void greet(model::Core& core, model::Module& module, const Greeting& greeting) {
  const unsigned major = core.take_char_major(module);
  for (const char* line : greeting)
    core.log().print(model::Level::info, fmt::format(fmt::runtime(line), major));
}

model::Result<void> add_sample(model::Core& core, model::Module& module,
                               const std::shared_ptr<model::Driver>& driver,
                               std::vector<model::TypeInfo> types) {
  if (const auto added = core.add_driver(driver); !added) return added;
  const auto device_class = core.add_class(module, module.name());
  if (!device_class) return std::unexpected(device_class.error());
  const auto device = core.add_parent_device(module, *device_class, module.name(), driver->info.parent_files);
  if (!device) return std::unexpected(device.error());
  const auto parent = core.register_parent(*device, driver, std::move(types));
  return parent ? model::Result<void>{} : std::unexpected(parent.error());
}

}  // namespace mdevfs::backends
