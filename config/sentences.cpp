// SPDX-License-Identifier: Apache-2.0
#include "sentences.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <utility>
#include <vector>

namespace mdevfs::config {
namespace {

constexpr std::size_t kMostShown = 60;
constexpr std::size_t kNear = 2;

bool is_bare(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '_' || character == '-' ||
         character == '.';
}

// Not within a character of UTF-8.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kMostShown) return text;
  std::size_t end = kMostShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// How many letters have to be put in, taken out or changed.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t changed = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_near(std::string_view name, std::string_view known) {
  const std::size_t apart = std::max(name.size(), known.size()) - std::min(name.size(), known.size());
  return apart <= kNear && known.size() > kNear && distance(name, known) <= kNear;
}

}  // namespace

std::string in_one_line(std::string_view text) {
  std::string result;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += character;
    }
  }
  return result;
}

std::string in_quotes(std::string_view text) {
  std::string result;
  for (const char character : shortened(text)) {
    if (character == '"' || character == '\\') result += '\\';
    result += character;
  }
  return fmt::format("\"{}{}\"", in_one_line(result), text.size() > kMostShown ? "..." : "");
}

std::string shown(std::string_view name) {
  if (!name.empty() && name.size() <= kMostShown && std::ranges::all_of(name, is_bare))
    return std::string(name);
  return in_quotes(name);
}

std::string shown(const Value& value) {
  switch (value.kind) {
    case Value::Kind::text:
      return in_quotes(value.text);
    case Value::Kind::integer:
      if (value.base == 16) return fmt::format("{:#x}", value.number);
      if (value.base == 8) return fmt::format("0o{:o}", value.number);
      if (value.base == 2) return fmt::format("{:#b}", value.number);
      return std::to_string(value.number);
    case Value::Kind::boolean:
      return value.number != 0 ? "true" : "false";
    case Value::Kind::fraction:
      return "a floating-point number";
    case Value::Kind::time:
      return "a date or time";
    case Value::Kind::array:
      return "an array";
    case Value::Kind::table:
      return "a table";
  }
  return {};
}

std::string unknown(std::string_view kind, std::string_view name, std::span<const std::string_view> known) {
  const std::string sentence = fmt::format("there is no {} {}", kind, shown(name));
  const auto apart = [&](std::string_view candidate) {
    return is_near(name, candidate) ? distance(name, candidate) : kNear + 1;
  };
  const auto near = std::ranges::min_element(known, {}, apart);
  if (near != known.end() && is_near(name, *near))
    return fmt::format("{}, expected perhaps {}", sentence, *near);
  if (known.empty()) return fmt::format("{}, expected none", sentence);
  return fmt::format("{}, expected one of {}", sentence, fmt::join(known, ", "));
}

}  // namespace mdevfs::config
