// SPDX-License-Identifier: Apache-2.0
//
// The table of backends that this build has: each one a kernel module's worth of emulated hardware.
#pragma once

#include <span>
#include <string_view>

namespace mdevfs::model {
class Core;
}

namespace mdevfs::backends {

struct Backend {
  std::string_view name;     // as in --backend NAME, and the kernel module's name
  std::string_view summary;  // one line for `mdevfs backends`
  void (*load)(model::Core& core);
};

std::span<const Backend> all();
const Backend* find(std::string_view name);

}  // namespace mdevfs::backends
