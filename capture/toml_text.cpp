// SPDX-License-Identifier: Apache-2.0
#include "toml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

namespace mdevfs::capture {
namespace {

// A reader may refuse a line with very many dots, which it takes for a name of very many parts.
constexpr std::ptrdiff_t kMostDots = 100;

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;
};

// The first character. Nothing: it is none that UTF-8 has, the shortest way to write it only.
std::optional<Character> first_of(std::string_view text) {
  struct Form {
    unsigned mask, lead;
    std::uint32_t least;
  };
  constexpr Form kForms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
  const unsigned lead = static_cast<unsigned char>(text[0]);
  const auto* const form =
      std::ranges::find_if(kForms, [&](const Form& each) { return (lead & each.mask) == each.lead; });
  if (form == std::end(kForms)) return std::nullopt;
  Character found{.code = lead & ~form->mask & 0xffU, .bytes = 1U + static_cast<std::size_t>(form - kForms)};
  if (text.size() < found.bytes) return std::nullopt;
  for (const char c : text.substr(1, found.bytes - 1)) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) return std::nullopt;
    found.code = found.code << 6U | (static_cast<unsigned char>(c) & 0x3fU);
  }
  const bool surrogate = found.code >= 0xd800 && found.code <= 0xdfff;
  if (found.code < form->least || found.code > 0x10ffff || surrogate) return std::nullopt;
  return found;
}

std::string escaped(std::uint32_t code) {
  struct Short {
    std::uint32_t code;
    const char* text;
  };
  constexpr Short kShort[] = {{'"', "\\\""}, {'\\', "\\\\"}, {'\n', "\\n"}, {'\t', "\\t"}, {'\r', "\\r"}};
  const auto* const known = std::ranges::find(kShort, code, &Short::code);
  return known != std::end(kShort) ? known->text : fmt::format("\\u{:04X}", code);
}

// U+FEFF is nothing to see, and some take it for the mark of a file's beginning.
bool needs_escape(std::uint32_t code) {
  return code < 0x20 || code == '"' || code == '\\' || (code >= 0x7f && code < 0xa0) || code == 0xfeff;
}

std::optional<std::string> escaped(std::string_view text, bool with_lines) {
  std::string result;
  while (!text.empty()) {
    const auto character = first_of(text);
    if (!character || character->code == 0) return std::nullopt;
    if (with_lines && character->code == '\n') {
      result += '\n';
    } else if (needs_escape(character->code)) {
      result += escaped(character->code);
    } else {
      result += text.substr(0, character->bytes);
    }
    text.remove_prefix(character->bytes);
  }
  return result;
}

}  // namespace

std::optional<std::string> in_quotes(std::string_view text) {
  const auto content = escaped(text, false);
  return content ? std::optional('"' + *content + '"') : std::nullopt;
}

std::optional<std::string> in_lines(std::string_view text) {
  if (!text.contains('\n') || std::ranges::count(text, '.') > kMostDots) return in_quotes(text);
  const auto content = escaped(text, true);
  return content ? std::optional("\"\"\"\n" + *content + "\"\"\"") : std::nullopt;
}

std::optional<std::string> as_key(std::string_view name) {
  const auto is_bare = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
  if (!name.empty() && std::ranges::all_of(name, is_bare)) return std::string(name);
  return in_quotes(name);
}

std::string as_comment(std::string_view text) {
  std::string result = "#";
  if (!text.empty()) result += ' ';
  for (const unsigned char c : text) {
    if (c >= 0x20 && c < 0x7f) {
      result += static_cast<char>(c);
    } else {
      result += fmt::format("\\x{:02x}", c);
    }
  }
  return result + '\n';
}

}  // namespace mdevfs::capture
