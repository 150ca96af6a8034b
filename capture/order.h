// SPDX-License-Identifier: Apache-2.0
//
// The order in which people expect names with numbers in them: nvidia-63 before nvidia-222.
#pragma once

#include <string_view>

namespace mdevfs::capture {

bool naturally_before(std::string_view one, std::string_view other);

}  // namespace mdevfs::capture
