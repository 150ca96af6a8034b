// SPDX-License-Identifier: Apache-2.0
//
// What others wait for while somebody unregisters a parent with very many devices, through a mount, after all
// of them have been looked at: so the kernel has everything to forget.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mdevfs::bench {

// How long one client waited for the same thing again and again, in milliseconds.
struct Waits {
  std::string what;
  std::size_t times = 0;
  double median = 0;
  double p99 = 0;
  double most = 0;
};

struct Unregistration {
  double seconds = 0;
  std::vector<Waits> meanwhile;
};

// Throws std::system_error and std::runtime_error as operations.h and served.h do.
Unregistration measure_unregistration(std::size_t devices);

}  // namespace mdevfs::bench
