// SPDX-License-Identifier: Apache-2.0
//
// /proc/PID/mountinfo: what a process sees mounted where.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace mdevfs::cli {

struct Mount {
  dev_t device = 0;
  std::string mountpoint;
  std::string type;
};

// Empty where the process is gone or /proc is not there. `process` is a directory of /proc: "self", "1234".
std::vector<Mount> read_mounts(const std::string& process = "self");

}  // namespace mdevfs::cli
