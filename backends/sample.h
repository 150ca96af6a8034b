// SPDX-License-Identifier: Apache-2.0
//
// What the init functions of the kernel's sample modules have in common: a module, a class, a driver and one
// parent device, all of one name, and the parameter `count`.
#pragma once

#include <climits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backends.h"
#include "model/core.h"
#include "values.h"

namespace mdevfs::backends {

// A module parameter of type int. EINVAL: not a number of that size, as the log says too.
inline constexpr Check check_int = check_number<INT_MIN, INT_MAX>;
model::Result<int> int_value(model::Core& core, const std::string& module, const Settings& settings,
                             const Key& key);

// The lines that its init function prints; {} is the major of its character device.
using Greeting = std::vector<const char*>;

void greet(model::Core& core, model::Module& module, const Greeting& greeting);

// A class and a parent device, both of the module's name, and its registration.
model::Result<void> add_sample(model::Core& core, model::Module& module,
                               const std::shared_ptr<model::Driver>& driver,
                               std::vector<model::TypeInfo> types);

template <typename SampleDriver, typename... Arguments>
model::Result<std::shared_ptr<Loaded>> load_sample(model::Core& core, model::ModuleInfo info,
                                                   const Greeting& greeting,
                                                   std::vector<model::TypeInfo> types,
                                                   Arguments&&... arguments) {
  const auto module = core.load_module(std::move(info));
  if (!module) return std::unexpected(module.error());
  greet(core, **module, greeting);
  const auto driver = core.make<SampleDriver>(*module, std::forward<Arguments>(arguments)...);
  if (const auto added = add_sample(core, **module, driver, std::move(types)); !added) {
    core.unload_module(**module);
    return std::unexpected(added.error());
  }
  core.module_loaded(**module);
  return std::make_shared<Loaded>(*module);
}

}  // namespace mdevfs::backends
