// SPDX-License-Identifier: Apache-2.0
//
// The scenario language's text: see text.h.
#include "text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace mdevfs::conformance {
namespace {

struct Piece {
  std::string text;
  std::size_t length;  // how much of the source it takes
};

struct Escape {
  char letter;
  char meaning;
};
constexpr Escape kEscapes[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'0', '\0'}, {'s', ' '}, {'\\', '\\'}};

template <typename Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One character of the source, or one escape.
Piece next_character(std::string_view text) {
  if (text.size() >= 2 && text[0] == '\\') {
    for (const auto& escape : kEscapes) {
      if (text[1] == escape.letter) return {std::string(1, escape.meaning), 2};
    }
    if (text[1] == 'x' && text.size() >= 4) {
      if (const auto byte = number<unsigned>(text.substr(2, 2), 16)) {
        return {std::string(1, static_cast<char>(*byte)), 4};
      }
    }
  }
  return {std::string(1, text[0]), 1};
}

// `@N*C`, if that is what the source begins with.
std::optional<Piece> repetition(std::string_view text) {
  const auto star = text.find('*');
  if (text.empty() || text[0] != '@' || star == std::string_view::npos || star + 1 >= text.size()) {
    return std::nullopt;
  }
  const auto count = number<std::size_t>(text.substr(1, star - 1), 10);
  if (!count) return std::nullopt;
  const auto what = next_character(text.substr(star + 1));
  return Piece{std::string(*count, what.text[0]), star + 1 + what.length};
}

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

struct Reference {
  std::string_view name;
  std::size_t length;  // with the `$` and the braces
};

// `$NAME` or `${NAME}`, if that is what the source begins with.
std::optional<Reference> reference(std::string_view text) {
  if (!text.starts_with('$')) return std::nullopt;
  const bool braced = text.starts_with("${");
  const auto rest = text.substr(braced ? 2 : 1);
  if (rest.empty() || !is_name_start(rest[0])) return std::nullopt;
  const auto end = std::ranges::find_if(rest, [](char c) { return !is_name_start(c) && !is_digit(c); });
  const auto length = static_cast<std::size_t>(end - rest.begin());
  if (!braced) return Reference{rest.substr(0, length), length + 1};
  if (end == rest.end() || *end != '}') return std::nullopt;
  return Reference{rest.substr(0, length), length + 3};
}

std::optional<std::string> uuid_variable(std::string_view name) {
  if (name.size() < 2 || name[0] != 'U') return std::nullopt;
  const auto n = number<std::uint64_t>(name.substr(1), 10);
  if (!n) return std::nullopt;
  return made_up_uuid(*n);
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto repeated = repetition(text);
    const auto piece = repeated ? *repeated : next_character(text);
    out += piece.text;
    text.remove_prefix(piece.length);
  }
  return out;
}

std::string quote(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : fmt::format("errno{}", error);
}

std::string made_up_uuid(std::uint64_t n) {
  const auto hash = static_cast<std::uint32_t>(n * 0x9e3779b1U);
  return fmt::format("{:08x}-0000-4000-8000-{:012}", hash, n);
}

void Variables::set(std::string name, std::string value) {
  values_.insert_or_assign(std::move(name), std::move(value));
}

const std::string* Variables::find(std::string_view name) const {
  const auto it = values_.find(name);
  return it == values_.end() ? nullptr : &it->second;
}

std::string Variables::expand(std::string_view text) const {
  std::string out;
  while (!text.empty()) {
    std::string piece(1, text[0]);
    std::size_t length = 1;
    if (const auto found = reference(text)) {
      const auto* value = find(found->name);
      length = found->length;
      piece = value != nullptr ? *value
                               : uuid_variable(found->name).value_or(std::string(text.substr(0, length)));
    }
    out += piece;
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace mdevfs::conformance
