// SPDX-License-Identifier: Apache-2.0
//
// Where the emulated kernel's log goes: a file, or stderr, a line `<6> text` each.
#pragma once

#include <string>

#include "model/log.h"
#include "outcome.h"
#include "unique_fd.h"

namespace mdevfs::cli {

// The file at `path`, to be appended to; "-" is stderr, also when the daemon has dropped its own.
Outcome<UniqueFd> open_log(const std::string& path);

// Writes what the log has and what comes while it lives. Lines are lost where nobody takes them: the tree
// waits for no reader.
class LogWriter {
 public:
  LogWriter(model::Log& log, int fd);
  ~LogWriter() { log_.set_sink(nullptr); }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

 private:
  model::Log& log_;
};

}  // namespace mdevfs::cli
