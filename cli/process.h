// SPDX-License-Identifier: Apache-2.0
//
// Processes: pipes between them, leaving the terminal behind, waiting with an end to one's patience.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "outcome.h"
#include "unique_fd.h"

namespace mdevfs::cli {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};
Outcome<Pipe> make_pipe();  // both ends close-on-exec

// Leaves the caller's session, directory, terminal and descriptors (but for those in `keep`; -1 is none), as
// whoever waits for a pipe of the caller's to close must not wait for a daemon. stderr stays until
// drop_stderr().
void become_daemon(std::vector<int> keep);
void drop_stderr();

// Waits for a child and returns its wait status; kills it when it takes longer than `patience`.
int wait_or_kill(pid_t child, std::chrono::milliseconds patience);

// The signals by which a person or a system ends a program. Blocked, they make the descriptor readable and
// stay pending.
sigset_t end_signals();
UniqueFd open_end_signals();

std::string working_directory();  // empty where no path leads to it

std::string describe_status(int wait_status);  // "exited with status 1", "was killed by signal 9 (Killed)"

// Ends this process the way the one with this wait status ended: the same exit status, or the same signal
// (without a second core file).
[[noreturn]] void end_like(int wait_status);

}  // namespace mdevfs::cli
