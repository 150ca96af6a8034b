// SPDX-License-Identifier: Apache-2.0
#include "value_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/values.h"
#include "sentences.h"

namespace mdevfs::config {
namespace {

using Kind = Value::Kind;

constexpr std::size_t kLongestName = 255;  // NAME_MAX

// Nothing: not as this number is written.
std::optional<std::string> integer_text(const Value& value, backends::Check::Number number) {
  using Number = backends::Check::Number;
  if (number == Number::octal)
    return value.base == 8 ? std::optional(fmt::format("{:#o}", value.number)) : std::nullopt;
  if (number == Number::none && value.base != 10) return std::nullopt;
  return std::to_string(value.number);
}

}  // namespace

const Member* member_of(const Value& table, std::string_view name) {
  const auto found = std::ranges::find(table.members, name, &Member::name);
  return found == table.members.end() ? nullptr : &*found;
}

Names backend_names() {
  Names names;
  for (const backends::Backend& backend : backends::all()) names.push_back(backend.name);
  return names;
}

const backends::Group* find_group(const backends::Backend& backend, std::string_view name) {
  const auto found = std::ranges::find(backend.groups, name, &backends::Group::name);
  return found == backend.groups.end() ? nullptr : &*found;
}

const backends::Key* find_key(std::span<const backends::Key> keys, std::string_view name) {
  const auto found = std::ranges::find(keys, name, &backends::Key::name);
  return found == keys.end() ? nullptr : &*found;
}

bool ValueReader::expect_table(const Member& member) {
  if (member.value.kind == Kind::table) return true;
  complain(member.value.at,
           fmt::format("{} is {}, expected a table", shown(member.name), shown(member.value)));
  return false;
}

void ValueReader::expect_name(const Member& member) {
  const std::string& name = member.name;
  const auto taken = backends::check_name(name);
  if (taken && *taken == name && name.size() <= kLongestName && name.find('\0') == std::string::npos) return;
  complain(member.at, fmt::format("{} is no name for a directory, expected at most {} characters and no /",
                                  shown(name), kLongestName));
}

std::optional<std::string> ValueReader::text_in(const Value& value, std::string_view of) {
  if (value.kind != Kind::text) {
    complain(value.at, fmt::format("{} is {}, expected a text", of, shown(value)));
  } else if (value.text.find('\0') != std::string::npos) {
    complain(value.at, fmt::format("{} is {}, expected a text without \\u0000", of, shown(value)));
  } else {
    return value.text;
  }
  return std::nullopt;
}

std::optional<std::string> ValueReader::words_in(const Value& array, std::string_view of) {
  std::string words;
  bool right = true;
  for (const Value& element : array.elements) {
    const auto word = text_in(element, fmt::format("an element of {}", of));
    const bool is_word = word && !word->empty() && word->find_first_of(" \t\n") == std::string::npos;
    if (word && !is_word)
      complain(element.at, fmt::format("an element of {} is {}, expected a word", of, shown(element)));
    right = right && is_word;
    if (is_word) words.append(words.empty() ? "" : " ").append(*word);
  }
  return right ? std::optional(words) : std::nullopt;
}

std::optional<std::string> ValueReader::value_text(const Member& member, const backends::Check& check) {
  const Value& value = member.value;
  const std::size_t before = problems_.size();
  std::optional<std::string> text;
  if (value.kind == Kind::text) text = text_in(value, shown(member.name));
  if (value.kind == Kind::integer) text = integer_text(value, check.number);
  if (value.kind == Kind::boolean) text = value.number != 0 ? "true" : "false";
  if (value.kind == Kind::array) text = words_in(value, shown(member.name));
  if (problems_.size() != before) return std::nullopt;
  if (text) {
    if (auto kept = check(*text)) return std::move(*kept);
  }
  complain(value.at,
           fmt::format("{} is {}, expected {}", shown(member.name), shown(value), check.expected()));
  return std::nullopt;
}

}  // namespace mdevfs::config
