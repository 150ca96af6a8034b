// SPDX-License-Identifier: Apache-2.0
//
// How values and names appear in an error: always in one line of a bearable length, whatever the file has.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "document.h"

namespace mdevfs::config {

// With what is no character to print escaped.
std::string in_one_line(std::string_view text);
// In quotes, escaped and shortened.
std::string in_quotes(std::string_view text);
// The same where it is more than letters, digits, `_`, `-` and `.`.
std::string shown(std::string_view name);
// As it could stand in the file, or what kind of value it is.
std::string shown(const Value& value);

// "there is no KIND NAME: " and what might be meant, which is the nearest of those there are, or all of them.
std::string unknown(std::string_view kind, std::string_view name, std::span<const std::string_view> known);

}  // namespace mdevfs::config
