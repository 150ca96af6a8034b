// SPDX-License-Identifier: Apache-2.0
#include "draft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <sstream>

#include "toml_text.h"

namespace mdevfs::capture {
namespace {

using backends::Check;
using backends::Key;

constexpr std::size_t kLongestShown = 60;
constexpr std::size_t kLongestName = 200;  // of 255, with room for what makes it the only one

std::string shortened(std::string_view text) {
  return text.size() <= kLongestShown ? std::string(text)
                                      : std::string(text.substr(0, kLongestShown)) + "...";
}

const Key* find_key(std::span<const Key> keys, std::string_view name) {
  const auto found = std::ranges::find(keys, name, &Key::name);
  return found == keys.end() ? nullptr : &*found;
}

std::string words_in_array(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream input(text);
  for (std::string word; input >> word;) words.push_back(in_quotes(word).value_or("\"\""));
  return fmt::format("[{}]", fmt::join(words, ", "));
}

std::optional<std::string> literal(const Key& key, const std::string& value, const std::string& kept,
                                   bool in_one_line) {
  constexpr std::string_view kTypes = "types";
  if (key.check.number == Check::Number::decimal) return kept;
  if (key.check.number == Check::Number::octal)
    return "0o" + (kept.size() > 1 && kept[0] == '0' ? kept.substr(1) : kept);
  if (key.name == kTypes && in_quotes(value)) return words_in_array(value);
  return in_one_line ? in_quotes(value) : in_lines(value);
}

}  // namespace

bool Table::has_key(std::string_view key) const {
  return find_key(keys_, key) != nullptr;
}

void Table::guessed(std::string_view what) {
  say(fmt::format("guessed: {}", what));
}

void Table::set(std::string_view name, std::string value, std::string_view guess) {
  const Key* const key = find_key(keys_, name);
  if (key == nullptr) {
    say(fmt::format("left out, as there is no such key: {} is {}", name, shortened(value)));
    return;
  }
  if (value.ends_with('\n')) value += '\n';  // a check takes one away
  const auto kept = key->check(value);
  const auto in_line = kept ? literal(*key, value, *kept, true) : std::nullopt;
  const auto in_lines = kept ? literal(*key, value, *kept, false) : std::nullopt;
  if (!in_line || !in_lines) {
    say(fmt::format("left out, as a machine file cannot say it: {} is {}", name, shortened(value)));
    return;
  }
  const std::string otherwise(key->otherwise == backends::kItemName ? name_ : key->otherwise);
  const auto kept_otherwise = key->check(otherwise);
  if (*kept == otherwise || (kept_otherwise && *kept == *kept_otherwise)) {
    if (!guess.empty()) guessed(fmt::format("{} is {}, as by itself: {}", name, shortened(*kept), guess));
    return;
  }
  values_.insert_or_assign(std::string(name), *kept);
  settings_.push_back({std::string(name), *in_line, *in_lines, std::string(guess)});
}

void Table::rename(std::string name) {
  name_ = std::move(name);
  std::erase_if(settings_, [&](const Setting& setting) {
    return find_key(keys_, setting.key)->otherwise == backends::kItemName && values_.at(setting.key) == name_;
  });
}

std::string Table::comment_lines() const {
  std::string text;
  for (const std::string& comment : comments_) text += as_comment(comment);
  return text;
}

std::string Table::lines() const {
  std::string text = comment_lines();
  for (const Setting& setting : settings_) {
    if (!setting.guess.empty()) text += as_comment("guessed: " + setting.guess);
    text += fmt::format("{} = {}\n", setting.key, setting.in_lines);
  }
  return text;
}

std::string Table::line() const {
  std::string text = comment_lines();
  std::vector<std::string> all;
  for (const Setting& setting : settings_) {
    if (!setting.guess.empty())
      text += as_comment(fmt::format("guessed: {}: {}", setting.key, setting.guess));
    all.push_back(fmt::format("{} = {}", setting.key, setting.in_line));
  }
  const std::string values = all.empty() ? "{}" : fmt::format("{{ {} }}", fmt::join(all, ", "));
  return fmt::format("{}{} = {}\n", text, as_key(name_).value_or("\"\""), values);
}

// A word of what every machine file can have in a name.
std::string Names::give(std::string_view wanted) {
  std::string name(wanted.substr(0, kLongestName));
  if (!as_key(name))
    name.erase(std::ranges::remove_if(name, [](char c) { return (c & 0x80) != 0 || c == 0; }).begin(),
               name.end());
  std::ranges::replace_if(name, [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == '/'; }, '_');
  if (name.empty() || name == "." || name == "..") name += '_';
  std::string given = name;
  for (unsigned number = 2; taken_.contains(given); ++number) given = fmt::format("{}-{}", name, number);
  taken_.insert(given);
  return given;
}

std::span<const Key> UnitDraft::keys_of(std::string_view group) const {
  const auto found = std::ranges::find(backend->groups, group, &backends::Group::name);
  return found == backend->groups.end() ? std::span<const Key>() : found->keys;
}

Table& UnitDraft::add(std::string_view group, std::string name) {
  return items.emplace_back(std::string(group), Table(std::move(name), keys_of(group))).second;
}

Table& UnitDraft::add_parent(std::string name) {
  const auto keys = keys_of(backends::kParents);
  return parents.emplace_back(std::move(name), keys.empty() ? backend->keys : keys);
}

std::string text_of(const UnitDraft& unit) {
  const std::string name = as_key(unit.table.name()).value_or("\"\"");
  std::string text =
      fmt::format("\n[units.{}]\nbackend = \"{}\"\n{}", name, unit.backend->name, unit.table.lines());
  for (const backends::Group& group : unit.backend->groups) {
    std::string lines;
    for (const auto& [its_group, table] : unit.items) {
      if (its_group == group.name) lines += table.line();
    }
    if (!lines.empty()) text += fmt::format("\n[units.{}.{}]\n{}", name, group.name, lines);
  }
  return text;
}

std::string parents_text_of(const UnitDraft& unit) {
  std::string text;
  for (const Table& parent : unit.parents) {
    text += fmt::format("\n[parents.{}]\nunit = {}\n{}", as_key(parent.name()).value_or("\"\""),
                        in_quotes(unit.table.name()).value_or("\"\""), parent.lines());
  }
  return text;
}

}  // namespace mdevfs::capture
