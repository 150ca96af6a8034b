// SPDX-License-Identifier: Apache-2.0
//
// kernel/config/mdevfs: the units of emulated hardware, each an item that a client can make, describe, set
// live and remove, as the kernel's gpio-sim has it. What the program was started with is there as items too.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "backends/backends.h"
#include "model/core.h"

namespace mdevfs::control {

class Subsystem;

// Thread-safety: all functions from any thread.
class Control {
 public:
  explicit Control(model::Core& core);  // which outlives it
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // mkdir NAME, echo BACKEND > backend, and, where the backend needs no other key, echo 1 > live, in one;
  // nothing is left where one of them fails.
  // EEXIST: there is an item of that name. Otherwise what Backend::load says.
  model::Result<void> load(const std::string& name, const backends::Backend& backend);

 private:
  std::shared_ptr<Subsystem> subsystem_;
};

}  // namespace mdevfs::control
