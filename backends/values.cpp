// SPDX-License-Identifier: Apache-2.0
#include "values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "model/text.h"

namespace mdevfs::backends {
namespace {

using model::fail;
using model::without_newline;

constexpr std::array<std::string_view, 5> kYes = {"1", "y", "Y", "on", "true"};
constexpr std::array<std::string_view, 5> kNo = {"0", "n", "N", "off", "false"};

}  // namespace

model::Result<std::string> take_text(std::string_view text) {
  return std::string(without_newline(text));
}

model::Result<std::string> take_name(std::string_view text) {
  text = without_newline(text);
  if (text.empty() || text == "." || text == ".." || text.find('/') != std::string_view::npos)
    return fail(EINVAL);
  return std::string(text);
}

model::Result<std::string> take_flag(std::string_view text) {
  text = without_newline(text);
  if (std::ranges::find(kYes, text) != kYes.end()) return "1";
  if (std::ranges::find(kNo, text) != kNo.end()) return "0";
  return fail(EINVAL);
}

model::Result<std::string> take_mode(std::string_view text) {
  text = without_newline(text);
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc{} || end != text.data() + text.size() || mode > 0777) return fail(EINVAL);
  return fmt::format("{:#o}", mode);
}

model::Result<std::int64_t> parse_number(std::string_view text, std::int64_t least, std::int64_t most) {
  text = without_newline(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return fail(EINVAL);
  return value;
}

std::string text_of(const Values& values, const Key& key, const std::string& name) {
  const auto given = values.find(key.name);
  if (given != values.end()) return given->second;
  return key.otherwise == kItemName ? name : std::string(key.otherwise);
}

std::string Reader::text(std::string_view key) const {
  return text_of(values_, *std::ranges::find(keys_, key, &Key::name), name_);
}

std::int64_t Reader::number(std::string_view key) const {
  return parse_number(text(key), INT64_MIN, INT64_MAX).value_or(0);
}

unsigned Reader::mode(std::string_view key) const {
  unsigned mode = 0;
  const std::string octal = text(key);
  std::from_chars(octal.data(), octal.data() + octal.size(), mode, 8);
  return mode;
}

}  // namespace mdevfs::backends
