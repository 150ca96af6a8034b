// SPDX-License-Identifier: Apache-2.0
//
// What a figure has to be read with: the machine that it was taken on. No names of hosts or people.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace mdevfs::bench {

nlohmann::ordered_json machine();

}  // namespace mdevfs::bench
