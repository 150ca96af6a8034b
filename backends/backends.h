// SPDX-License-Identifier: Apache-2.0
//
// The table of backends that this build has: each one a kernel module's worth of emulated hardware.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "model/errno.h"

namespace mdevfs::model {
class Core;
}

namespace mdevfs::backends {

// As given to insmod: `count=4`.
using Parameters = std::map<std::string, std::string>;

struct Backend {
  std::string_view name;     // as in --backend NAME, and the kernel module's name
  std::string_view summary;  // one line for `mdevfs backends`
  // Registers its parents. EINVAL: a parameter's value. EEXIST: it is loaded already. Unloading is the
  // core's.
  model::Result<void> (*load)(model::Core& core, const Parameters& parameters);
};

std::span<const Backend> all();
const Backend* find(std::string_view name);

}  // namespace mdevfs::backends
