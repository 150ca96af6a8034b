// SPDX-License-Identifier: Apache-2.0
//
// Checks for the values of keys, and the values themselves as what they are. A value that has passed its
// check can be taken without another look.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backends.h"

namespace mdevfs::backends {

// Any text, without the newline it may end in.
model::Result<std::string> check_text(std::string_view text);
// A name for a directory: not empty, no `/`, not `.` or `..`.
model::Result<std::string> check_name(std::string_view text);
// 1, y, Y, on; 0, n, N, off: kstrtobool's words. Kept as 1 and 0.
model::Result<std::string> check_flag(std::string_view text);
// An octal file mode, as 0644.
model::Result<std::string> check_mode(std::string_view text);

model::Result<std::int64_t> parse_number(std::string_view text, std::int64_t least, std::int64_t most);

template <std::int64_t kLeast, std::int64_t kMost>
model::Result<std::string> check_number(std::string_view text) {
  const auto value = parse_number(text, kLeast, kMost);
  if (!value) return std::unexpected(value.error());
  return std::to_string(*value);
}

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
