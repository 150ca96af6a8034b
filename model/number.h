// SPDX-License-Identifier: Apache-2.0
//
// Numbers as sysfs files take them: the kernel's kstrtoul with base 0.
#pragma once

#include <string_view>

#include "errno.h"

namespace mdevfs::model {

// The text up to its first NUL: an optional `+`, digits in base 10, 16 (`0x`) or 8 (leading `0`), at most one
// newline. ERANGE: too big a number, whatever follows it. EINVAL: anything else.
Result<unsigned long> parse_unsigned(std::string_view text);

}  // namespace mdevfs::model
