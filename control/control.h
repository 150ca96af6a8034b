// SPDX-License-Identifier: Apache-2.0
//
// kernel/config/mdevfs: the units of emulated hardware, each an item that a client can make, describe, set
// live and remove, as the kernel's gpio-sim has it. What the program was started with is there as items too.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backends/backends.h"
#include "model/core.h"

namespace mdevfs::control {

class Subsystem;

// Called when a unit goes live, with what its files say, and for each parent that comes later: the settings
// that the backend is given instead. The files stay as they are. The error is why there are none, a line or
// more. May be called by several threads at once, and may block; of locks at most the unit's Rank::plug is
// held.
using Complete = std::function<std::expected<backends::Settings, std::string>(const backends::Backend&,
                                                                              backends::Settings)>;

// Thread-safety: all functions from any thread.
class Control {
 public:
  // The core outlives it. Without `complete`, settings are complete.
  explicit Control(model::Core& core, Complete complete = nullptr);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // mkdir NAME, echo BACKEND > backend, and, where the backend needs no other key, echo 1 > live, in one;
  // nothing is left where one of them fails.
  // EEXIST: there is an item of that name. Otherwise what Backend::load says.
  model::Result<void> load(const std::string& name, const backends::Backend& backend);
  // The same with settings, and always live: the log's last line says why where it fails. EINVAL: a value.
  model::Result<void> load(const backends::Settings& settings, const backends::Backend& backend);

 private:
  std::shared_ptr<Subsystem> subsystem_;
};

}  // namespace mdevfs::control
