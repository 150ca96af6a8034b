// SPDX-License-Identifier: Apache-2.0
#include "mask.h"

#include <cctype>
#include <cstdlib>

#include "model/text.h"

namespace mdevfs::backends::ap {
namespace {

using model::fail;

constexpr std::string_view kDigits = "0123456789abcdef";

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

std::optional<unsigned> digit_value(char c) {
  const auto at = kDigits.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return at == std::string_view::npos ? std::nullopt : std::optional(static_cast<unsigned>(at));
}

// simple_strtoul with base 0: a number at the beginning of the text, which it takes off.
std::optional<unsigned long> take_number(std::string_view& text) {
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  const std::string digits(text);
  char* end = nullptr;
  const unsigned long value = std::strtoul(digits.c_str(), &end, 0);
  text.remove_prefix(static_cast<std::size_t>(end - digits.c_str()));
  return value;
}

struct Change {
  bool sets = false;
  unsigned first = 0;
  unsigned last = 0;
};

// One of modify_bitmap's terms: `+5`, `-0x10-0x1f`.
std::optional<Change> take_change(std::string_view& text) {
  const char sign = text[0];
  text.remove_prefix(1);
  const auto first = take_number(text);
  if ((sign != '+' && sign != '-') || !first || *first >= kNumbers) return std::nullopt;
  auto last = first;
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    last = take_number(text);
    if (!last || *last < *first || *last >= kNumbers) return std::nullopt;
  }
  return Change{sign == '+', static_cast<unsigned>(*first), static_cast<unsigned>(*last)};
}

// modify_bitmap.
model::Result<Mask> change_mask(std::string_view text, Mask mask) {
  while (!text.empty()) {
    const auto change = take_change(text);
    if (!change) return fail(EINVAL);
    for (unsigned number = change->first; number <= change->last; ++number) mask.set(number, change->sets);
    while (text.starts_with(',') || text.starts_with('\n')) text.remove_prefix(1);
  }
  return mask;
}

}  // namespace

std::string to_text(const Mask& mask) {
  std::string text = "0x";
  for (unsigned number = 0; number < kNumbers; number += 4) {
    unsigned digit = 0;
    for (unsigned bit = 0; bit < 4; ++bit) digit = digit << 1U | (mask.test(number + bit) ? 1U : 0U);
    text += kDigits[digit];
  }
  return text;
}

model::Result<Mask> parse_mask(std::string_view text) {
  text = model::up_to_nul(text);
  if (text.starts_with("0x")) text.remove_prefix(1);
  if (text.starts_with('x')) text.remove_prefix(1);
  Mask mask;
  for (unsigned number = 0; number < kNumbers && !text.empty(); number += 4) {
    const auto digit = digit_value(text[0]);
    if (!digit) break;
    for (unsigned bit = 0; bit < 4; ++bit) mask.set(number + bit, (*digit & (8U >> bit)) != 0);
    text.remove_prefix(1);
  }
  if (text.starts_with('\n')) text.remove_prefix(1);
  return text.empty() ? model::Result<Mask>(mask) : fail(EINVAL);
}

model::Result<Mask> parse_mask_or_changes(std::string_view text, const Mask& old) {
  text = model::up_to_nul(text);
  const bool changes = text.starts_with('+') || text.starts_with('-');
  return changes ? change_mask(text, old) : parse_mask(text);
}

std::optional<long long> scan_number(std::string_view text, int base) {
  text = model::up_to_nul(text);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text[0])) != 0) text.remove_prefix(1);
  const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || !is_digit(digits[0])) return std::nullopt;
  return std::strtoll(std::string(text).c_str(), nullptr, base);
}

}  // namespace mdevfs::backends::ap
