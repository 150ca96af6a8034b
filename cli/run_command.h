// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs run`: a command that sees the tree at /sys, beside the host's own entries, and nothing left when it
// ends.
//
// Four processes take part. The *runner* (the one that was started) makes the namespaces, starts the others,
// waits and passes signals on. The *daemon* serves the tree; it stays in the runner's mount namespace, whose
// /sys is the real one, because libc reads /sys from any thread and a daemon that asks itself never gets an
// answer. The *command* has a mount namespace of its own, in which the tree lies at /sys. The *guard* sleeps
// until the runner is gone: when that was killed, the guard kills what is left under the tree. So whichever
// of them dies, another one cleans up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server.h"

namespace mdevfs::cli {

struct RunRequest {
  BackendList backends;
  std::optional<std::string> mdevctl_directory;
  bool uevents = false;            // in a network namespace of the command's own
  std::optional<std::string> log;  // a file, "-" is stderr
  std::vector<std::string> command;
};

// The wait status to end with: the command's.
Outcome<int> run_command(const RunRequest& request);

}  // namespace mdevfs::cli
