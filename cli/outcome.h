// SPDX-License-Identifier: Apache-2.0
//
// How the program's parts fail: with one sentence for the person at the terminal, saying what is wrong and,
// where there is something, what to do about it. main() prints it after "mdevfs: ".
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <expected>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace mdevfs::cli {

template <typename T = void>
using Outcome = std::expected<T, std::string>;

template <typename... Args>
std::unexpected<std::string> failure(fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(fmt::format(text, std::forward<Args>(args)...));
}

inline std::string error_text(int error = errno) {
  return std::generic_category().message(error);
}

inline void complain(std::string_view sentence) {
  fmt::print(stderr, "mdevfs: {}\n", sentence);
}

// The program's own exit statuses; `run` otherwise ends as its command does.
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;

}  // namespace mdevfs::cli
