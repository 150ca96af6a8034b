// SPDX-License-Identifier: Apache-2.0
//
// A companion is a program that `run` starts beside the command, in the command's namespaces, because clients
// expect it on a machine: systemd-udevd for instance. It is started when the view is built, and the command
// only when it says that it is ready, as it would say to systemd (sd_notify(3)). It has a session of its own
// and ends after the command.
//
// A companion is described by one struct Companion; udev.h makes one. Directories that it would write into
// are covered in `prepare`, so that the host's stay as they are.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "outcome.h"
#include "private_directories.h"
#include "unique_fd.h"

namespace mdevfs::cli {

struct Companion {
  std::string name;                  // in messages
  std::vector<std::string> command;  // the program's path and its arguments; it stays in the foreground
  std::vector<std::string> environment = {};  // KEY=VALUE, beside the command's own
  std::vector<unsigned> without_capabilities =
      {};  // CAP_...: what it must not do to the host though root runs it
  std::function<Outcome<>(PrivateDirectories&)> prepare =
      nullptr;                                      // before the start, in the command's namespaces
  std::function<Outcome<>()> when_ready = nullptr;  // before the command starts
};

// One that runs. Thread-safety: none.
class RunningCompanion {
 public:
  // Starts it and waits until it is ready, or one of the end_signals() is pending. It writes to `log`;
  // without one (-1) its last line is the reason where it fails.
  static Outcome<RunningCompanion> start(const Companion& companion, int log);

  // Asks it to end, and kills it if it does not.
  void end();

  // Says whether it was this one that ended, with this status.
  bool has_ended(std::string* how);

 private:
  RunningCompanion(std::string name, pid_t process, UniqueFd output)
      : name_(std::move(name)), process_(process), output_(std::move(output)) {}
  Outcome<> wait_until_ready(int notifications);
  std::string last_line() const;

  std::string name_;
  pid_t process_;
  UniqueFd output_;
};

// Runs a program to its end, or kills it where one of the end_signals() is pending, as a companion's would
// be, for `when_ready`. The error has the last line that it printed.
Outcome<> run_to_end(const std::vector<std::string>& command);

}  // namespace mdevfs::cli
