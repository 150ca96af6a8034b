// SPDX-License-Identifier: Apache-2.0
//
// The command of `run` and of `enter`: the environment it gets, and its start.
#pragma once

#include <string>
#include <vector>

namespace mdevfs::cli {

// What has to be in the environment of everything that looks at the tree.
void set_environment();

// Becomes the command: a failure is said on stderr and ends this process as a shell's would.
[[noreturn]] void execute(const std::vector<std::string>& command);

}  // namespace mdevfs::cli
