// SPDX-License-Identifier: Apache-2.0
//
// Masks of 256 adapters or domains, as AP's files show and take them: 64 hexadecimal digits of which the
// first bit is that of number 0, or changes to a mask that is there (`+5,-0x10-0x1f`). And numbers as
// sscanf() finds them, which is how the files of the bus take theirs.
#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "model/errno.h"

namespace mdevfs::backends::ap {

inline constexpr unsigned kNumbers = 256;  // AP_DEVICES, AP_DOMAINS

using Mask = std::bitset<kNumbers>;  // bit n is number n

// `0x` and 64 digits.
std::string to_text(const Mask& mask);

// hex2bitmap: the `0x` may be left out, and digits at the end, which are 0 then. EINVAL.
model::Result<Mask> parse_mask(std::string_view text);

// ap_parse_bitmap_str: such a text, or changes to `old`. EINVAL.
model::Result<Mask> parse_mask_or_changes(std::string_view text, const Mask& old);

// sscanf with %i (base 0), %d and %u (base 10): blanks before it and whatever follows do not matter. nullopt:
// there is no number.
std::optional<long long> scan_number(std::string_view text, int base);

// Visits the numbers in a mask in order.
template <typename Visit>
void for_each(const Mask& mask, Visit visit) {
  for (unsigned number = 0; number < kNumbers; ++number) {
    if (mask.test(number)) visit(number);
  }
}

}  // namespace mdevfs::backends::ap
