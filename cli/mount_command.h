// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs mount`: the tree on a directory, until it is unmounted or its daemon gets SIGTERM, SIGINT or
// SIGHUP.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server.h"

namespace mdevfs::cli {

struct MountRequest {
  Hardware hardware;
  std::vector<std::string> options;
  std::string source = "mdevfs";
  std::string mountpoint;
  bool foreground = false;
  bool uevents = false;
  std::chrono::microseconds poll = fs::kDefaultPoll;
  bool cached = false;
  std::optional<std::string> log;  // a file, "-" is stderr; nothing: stderr in the foreground
};

Outcome<> mount_command(const MountRequest& request);

}  // namespace mdevfs::cli
