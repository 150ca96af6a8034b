// SPDX-License-Identifier: Apache-2.0
//
// A floor: what a figure must not pass. Printed in one form by all benchmarks, so that a reader and a script
// find them.
#pragma once

#include <fmt/core.h>

#include <string_view>

namespace mdevfs::bench {

inline bool check_floor(std::string_view what, double value, double most, std::string_view unit) {
  const bool passed = value <= most;
  fmt::print("{}  {}: {:.3g}{} (at most {:g}{})\n", passed ? "PASS" : "FAIL", what, value, unit, most, unit);
  return passed;
}

}  // namespace mdevfs::bench
