// SPDX-License-Identifier: Apache-2.0
#include "uuid.h"

namespace mdevfs::model {
namespace {

constexpr bool is_dash(std::size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

// The digit's value; -1: it is none.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Result<Uuid> parse_create_text(std::string_view text) {
  if (text.size() < kUuidLength || text.size() > kUuidLength + 1) return fail(EINVAL);
  Uuid uuid{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < kUuidLength; ++i) {
    if (is_dash(i)) {
      if (text[i] != '-') return fail(EINVAL);
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return fail(EINVAL);
    auto& byte = uuid.data[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | value);
  }
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(kUuidLength, '-');
  std::size_t at = 0;
  for (const std::uint8_t byte : uuid) {
    if (is_dash(at)) ++at;
    text[at++] = kDigits[byte >> 4];
    text[at++] = kDigits[byte & 15];
  }
  return text;
}

}  // namespace mdevfs::model
