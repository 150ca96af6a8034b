// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs run`: a command that sees the tree at /sys, beside the host's own entries, and nothing left when it
// ends.
//
// Four processes take part. The *runner* (the one that was started) makes the namespaces, starts the others,
// waits and passes signals on. The *daemon* serves the tree; it stays in a mount namespace whose /sys is the
// real one, because libc reads /sys from any thread and a daemon that asks itself never gets an answer. The
// runner then moves to a mount namespace of the *command*'s, in which the tree lies at /sys, and starts the
// command there, its companions (companion.h) before it. The *guard* stays with the daemon and sleeps until
// the runner is gone: when that was killed, the guard kills what is left under the tree. So whichever of them
// dies, another one cleans up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "companion.h"
#include "server.h"

namespace mdevfs::cli {

struct RunRequest {
  Hardware hardware;
  std::optional<std::string> mdevctl_directory;
  bool uevents = false;  // in a network namespace of the command's own
  std::chrono::microseconds poll = fs::kDefaultPoll;
  bool cached = false;
  std::optional<std::string> log;     // a file, "-" is stderr
  std::vector<Companion> companions;  // started in this order
  std::string name;                   // to be entered by; empty: none
  std::vector<std::string> command;   // empty: a shell
};

// The wait status to end with: the command's.
Outcome<int> run_command(const RunRequest& request);

}  // namespace mdevfs::cli
