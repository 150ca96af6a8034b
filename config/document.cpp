// SPDX-License-Identifier: Apache-2.0
#include "document.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "sentences.h"
#include "toml.h"

namespace mdevfs::config {
namespace {

// The parser counts how deep values are nested, but not how many parts a dotted key has, and takes stack for
// each; so has the destructor of what it makes. A line has one dotted key of a depth that matters.
constexpr unsigned kMostParts = 256;
constexpr unsigned kDeepest = 8;

Position position_of(const toml::source_position& at) {
  return {.line = at.line, .column = at.column};
}

bool is_part(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '_' || character == '-' ||
         character == '"' || character == '\'';
}

// Dots with another part behind them, but for those in quotes and comments.
unsigned dots_of(std::string_view line) {
  unsigned dots = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char character = line[i];
    if (quote != '\0') {
      if (character == '\\' && quote == '"') ++i;
      if (character == quote) quote = '\0';
    } else if (character == '"' || character == '\'') {
      quote = character;
    } else if (character == '#') {
      break;
    } else if (character == '.') {
      const auto next = line.find_first_not_of(" \t", i + 1);
      if (next != std::string_view::npos && is_part(line[next])) ++dots;
    }
  }
  return dots;
}

std::expected<void, Problem> check_depth(std::string_view text) {
  for (unsigned line = 1; !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    if (dots_of(content) > kMostParts) {
      return std::unexpected(Problem{
          {.line = line}, "a name of more than " + std::to_string(kMostParts) + " parts, expected few"});
    }
    text.remove_prefix(std::min(text.size(), content.size() + 1));
  }
  return {};
}

unsigned base_of(toml::value_flags flags) {
  constexpr std::pair<toml::value_flags, unsigned> kBases[] = {
      {toml::value_flags::format_as_binary, 2},
      {toml::value_flags::format_as_octal, 8},
      {toml::value_flags::format_as_hexadecimal, 16},
  };
  const auto* const found = std::ranges::find(kBases, flags, &std::pair<toml::value_flags, unsigned>::first);
  return found == std::end(kBases) ? 10 : found->second;
}

Value value_of(const toml::node& node, unsigned depth);

std::vector<Member> members_of(const toml::table& table, unsigned depth) {
  std::vector<Member> members;
  if (depth == kDeepest) return members;
  for (const auto& [key, node] : table)
    members.push_back({std::string(key.str()), position_of(key.source().begin), value_of(node, depth + 1)});
  std::ranges::sort(members, {}, &Member::at);
  return members;
}

std::vector<Value> elements_of(const toml::array& array, unsigned depth) {
  std::vector<Value> elements;
  if (depth == kDeepest) return elements;
  for (const toml::node& node : array) elements.push_back(value_of(node, depth + 1));
  return elements;
}

Value::Kind kind_of(const toml::node& node) {
  using Kind = Value::Kind;
  switch (node.type()) {
    case toml::node_type::table:
      return Kind::table;
    case toml::node_type::array:
      return Kind::array;
    case toml::node_type::string:
      return Kind::text;
    case toml::node_type::integer:
      return Kind::integer;
    case toml::node_type::boolean:
      return Kind::boolean;
    case toml::node_type::floating_point:
      return Kind::fraction;
    default:
      return Kind::time;
  }
}

Value value_of(const toml::node& node, unsigned depth) {
  Value value(kind_of(node), position_of(node.source().begin));
  if (const auto* const table = node.as_table()) value.members = members_of(*table, depth);
  if (const auto* const array = node.as_array()) value.elements = elements_of(*array, depth);
  if (const auto* const text = node.as_string()) value.text = text->get();
  if (const auto* const boolean = node.as_boolean()) value.number = boolean->get() ? 1 : 0;
  if (const auto* const integer = node.as_integer()) {
    value.number = integer->get();
    value.base = base_of(integer->flags());
  }
  return value;
}

}  // namespace

Value::Value(Kind its_kind, Position its_place) : kind(its_kind), at(its_place) {}

std::expected<Value, Problem> parse_document(std::string_view text) {
  if (auto checked = check_depth(text); !checked) return std::unexpected(std::move(checked.error()));
  try {
    return value_of(toml::parse(text), 0);
  } catch (const toml::parse_error& error) {
    return std::unexpected(Problem{position_of(error.source().begin), in_one_line(error.description())});
  }
}

}  // namespace mdevfs::config
