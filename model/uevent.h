// SPDX-License-Identifier: Apache-2.0
//
// Writes to `uevent` files: an action, and optionally a UUID and KEY=VALUE arguments, to be announced as a
// synthetic event of that node (lib/kobject_uevent.c, kobject_synth_uevent).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "entry.h"

namespace mdevfs::model {

struct SyntheticUevent {
  std::string action;
  std::string uuid = "0";
  std::vector<std::pair<std::string, std::string>> arguments;
};

// EINVAL for anything that the kernel refuses.
Result<SyntheticUevent> parse_synthetic_uevent(std::string_view text);

// The store of every `uevent` file.
Result<void> store_uevent(Object& object, Slot slot, std::string_view text);

}  // namespace mdevfs::model
