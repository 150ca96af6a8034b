// SPDX-License-Identifier: Apache-2.0
#include "order.h"

#include <algorithm>
#include <cctype>

namespace mdevfs::capture {
namespace {

// Takes the digits that the text begins with, without leading zeros.
std::string_view take_digits(std::string_view& text) {
  const auto* const end = std::ranges::find_if(text, [](unsigned char c) { return std::isdigit(c) == 0; });
  std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

bool begins_with_digit(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) != 0;
}

}  // namespace

bool naturally_before(std::string_view one, std::string_view other) {
  const std::string_view whole_one = one, whole_other = other;
  while (!one.empty() && !other.empty()) {
    if (begins_with_digit(one) && begins_with_digit(other)) {
      const auto number = take_digits(one), other_number = take_digits(other);
      if (number.size() != other_number.size()) return number.size() < other_number.size();
      if (number != other_number) return number < other_number;
      continue;
    }
    if (one[0] != other[0]) return one[0] < other[0];
    one.remove_prefix(1);
    other.remove_prefix(1);
  }
  if (one.empty() != other.empty()) return one.empty();
  return whole_one < whole_other;
}

}  // namespace mdevfs::capture
