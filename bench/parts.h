// SPDX-License-Identifier: Apache-2.0
//
// The rows of mount_bench, in parts: those of one part take turns. A figure more is a line in a table of
// parts.cpp, or a function there and its line in kParts; its goal, if it has one, is in goals.toml.
#pragma once

#include <span>
#include <vector>

#include "measure.h"
#include "systems.h"

namespace mdevfs::bench {

struct Part {
  const char* name;
  std::vector<Row> (*measured)(const Peers& peers, int rounds);
};

std::span<const Part> parts();
// That the peers have to have directories of.
std::vector<std::size_t> counts_of_devices();

}  // namespace mdevfs::bench
