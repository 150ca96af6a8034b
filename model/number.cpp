// SPDX-License-Identifier: Apache-2.0
#include "number.h"

#include <charconv>

namespace mdevfs::model {
namespace {

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// _parse_integer_fixup_radix: `0x` is a prefix only before a hex digit, and `0x` alone is octal 0 and a stray
// x.
int take_base(std::string_view& text) {
  if (!text.starts_with('0')) return 10;
  if (text.size() > 2 && (text[1] == 'x' || text[1] == 'X') && is_hex_digit(text[2])) {
    text.remove_prefix(2);
    return 16;
  }
  return 8;
}

}  // namespace

Result<unsigned long> parse_unsigned(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const int base = take_base(text);
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error == std::errc::result_out_of_range) return fail(ERANGE);
  if (error != std::errc{} || end != text.data() + text.size()) return fail(EINVAL);
  return value;
}

}  // namespace mdevfs::model
