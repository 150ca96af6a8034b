// SPDX-License-Identifier: Apache-2.0
//
// The command of `run` and `enter` where none is given: the user's shell, whose prompt shows where one is.
#pragma once

#include <string>
#include <vector>

namespace mdevfs::cli {

// The command for it. `name` is that of the run, or empty. At a terminal it also says, on stderr, what is
// emulated here and the `notes`, a line each.
std::vector<std::string> prepare_shell(const std::string& name, const std::vector<std::string>& notes);

}  // namespace mdevfs::cli
