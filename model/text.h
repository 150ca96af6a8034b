// SPDX-License-Identifier: Apache-2.0
//
// Texts as sysfs stores compare them.
#pragma once

#include <string_view>

namespace mdevfs::model {

// What a C string function sees of a write: up to the first NUL.
inline std::string_view up_to_nul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

// Without the one newline that sysfs_streq lets a text end in.
inline std::string_view without_newline(std::string_view text) {
  text = up_to_nul(text);
  if (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// sysfs_streq.
inline bool equals_line(std::string_view text, std::string_view word) {
  return without_newline(text) == word;
}

}  // namespace mdevfs::model
