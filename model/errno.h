// SPDX-License-Identifier: Apache-2.0
//
// Errors are values below the C boundary: an errno, or what was asked for. The numbers are part of the
// contract with the client (a shell prints them), so they are plain errno numbers, also those that libc has
// no name for (a probe may fail with 512).
#pragma once

#include <cerrno>
#include <expected>

namespace mdevfs::model {

struct Errno {
  int value = 0;
  friend bool operator==(Errno, Errno) = default;
};

// EPROBE_DEFER, which libc does not know: what a driver's probe answers where it would rather be asked later.
inline constexpr int kProbeDeferred = 517;

template <typename T>
using Result = std::expected<T, Errno>;

inline std::unexpected<Errno> fail(int value) {
  return std::unexpected(Errno{value});
}

}  // namespace mdevfs::model
