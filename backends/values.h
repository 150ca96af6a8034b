// SPDX-License-Identifier: Apache-2.0
//
// Checks for the values of keys, and the values themselves as what they are. A value that has passed its
// check can be taken without another look.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "backends.h"

namespace mdevfs::backends {

model::Result<std::string> take_text(std::string_view text);
model::Result<std::string> take_name(std::string_view text);
model::Result<std::string> take_flag(std::string_view text);
model::Result<std::string> take_mode(std::string_view text);

// Any text, without the newline it may end in.
inline constexpr Check check_text{take_text, [] { return std::string("a text"); }};
// A name for a directory: not empty, no `/`, not `.` or `..`.
inline constexpr Check check_name{take_name, [] { return std::string("a name without /"); }};
// 1, y, Y, on; 0, n, N, off: kstrtobool's words. Kept as 1 and 0.
inline constexpr Check check_flag{take_flag, [] { return std::string("1 or 0"); }, Check::Number::decimal};
// An octal file mode, as 0644.
inline constexpr Check check_mode{take_mode, [] { return std::string("an octal mode from 0 to 0777"); },
                                  Check::Number::octal};

model::Result<std::int64_t> parse_number(std::string_view text, std::int64_t least, std::int64_t most);

template <std::int64_t kLeast, std::int64_t kMost>
model::Result<std::string> take_number(std::string_view text) {
  const auto value = parse_number(text, kLeast, kMost);
  if (!value) return std::unexpected(value.error());
  return std::to_string(*value);
}

template <std::int64_t kLeast, std::int64_t kMost>
inline constexpr Check check_number{take_number<kLeast, kMost>,
                                    [] { return fmt::format("a number from {} to {}", kLeast, kMost); },
                                    Check::Number::decimal};

// One of an array's words. What follows a newline is of no interest.
template <const auto& kWords>
model::Result<std::string> take_word(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  for (const std::string_view word : kWords) {
    if (word == text) return std::string(text);
  }
  return model::fail(EINVAL);
}

template <const auto& kWords>
inline constexpr Check check_word{take_word<kWords>,
                                  [] { return fmt::format("one of {}", fmt::join(kWords, ", ")); }};

// The value of a key of a thing of this name: what is set, or the key's `otherwise`.
std::string text_of(const Values& values, const Key& key, const std::string& name);

// The values of one thing, by the keys that it can have.
class Reader {
 public:
  Reader(const Values& values, std::span<const Key> keys, const std::string& name)
      : values_(values), keys_(keys), name_(name) {}
  std::string text(std::string_view key) const;
  std::int64_t number(std::string_view key) const;
  bool flag(std::string_view key) const { return number(key) != 0; }
  unsigned mode(std::string_view key) const;

 private:
  const Values& values_;
  const std::span<const Key> keys_;
  const std::string& name_;
};

}  // namespace mdevfs::backends
