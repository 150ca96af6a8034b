// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs enter`: a second command in what `mdevfs run --keep NAME` has made, with the same rights. It ends
// with the run.
#pragma once

#include <string>
#include <vector>

#include "outcome.h"

namespace mdevfs::cli {

struct EnterRequest {
  std::string name;
  std::vector<std::string> command;  // empty: a shell
};

// Becomes the command, or says why not.
Outcome<> enter_command(const EnterRequest& request);

}  // namespace mdevfs::cli
