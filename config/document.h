// SPDX-License-Identifier: Apache-2.0
//
// A TOML text as a tree of values that know where they stand, in the order in which they stand there. The
// library that parses it has its tables sorted by name and stays behind this file.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mdevfs::config {

struct Position {
  unsigned line = 1;
  unsigned column = 1;  // in characters
  friend auto operator<=>(const Position&, const Position&) = default;
};

struct Problem {
  Position at;
  std::string what;
  friend auto operator<=>(const Problem&, const Problem&) = default;
};

struct Member;

struct Value {
  enum class Kind { text, integer, boolean, fraction, time, array, table };

  Value(Kind its_kind, Position its_place);

  Kind kind;
  Position at;
  std::string text;         // of a text
  std::int64_t number = 0;  // of an integer; 1 and 0 of a boolean
  unsigned base = 10;       // in which an integer is written
  std::vector<Value> elements;
  std::vector<Member> members;
};

struct Member {
  std::string name;
  Position at;  // of the name, where it is first seen
  Value value;
};

// The table that the whole text is. What is nested deeper than anything can be that has a meaning is empty.
// The error is the first; nothing is known of what follows it.
std::expected<Value, Problem> parse_document(std::string_view text);

}  // namespace mdevfs::config
