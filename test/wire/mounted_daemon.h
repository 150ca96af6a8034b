// SPDX-License-Identifier: Apache-2.0
//
// A daemon in a process of its own behind a real mount, for what the kernel alone can show: its locks, its
// caches, its side-by-side. The mount is in a mount namespace of the test's own, so that none is left behind.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "fs/filesystem.h"
#include "model/core.h"

namespace mdevfs::test {

// Thread-safety: construct and destroy with no other thread about; the rest from any thread, one order at a
// time.
class MountedDaemon {
 public:
  // Carries out an order, in the daemon.
  using Handler = std::function<void(char order)>;
  // Runs in the daemon: puts something on the machine and says who takes orders.
  using Setup = std::function<Handler(model::Core& core)>;

  // Why there can be no mount here; nullopt: there can.
  static std::optional<std::string> impossible();

  MountedDaemon(const fs::Options& options, const Setup& setup);
  ~MountedDaemon();
  MountedDaemon(const MountedDaemon&) = delete;
  MountedDaemon& operator=(const MountedDaemon&) = delete;

  const std::string& path() const { return path_; }
  void order(char what) const;  // returns when it has been carried out
  // Returns when the kernel has heard of all that orders did. Needs a worker that is idle.
  void settle() const;
  unsigned waiting() const;  // requests that the kernel has no answer to yet
  void abort() const;        // ends a mount that hangs: all its requests fail

 private:
  [[noreturn]] void run(const fs::Options& options, const Setup& setup, int orders);

  std::string path_;
  std::string control_;      // where the control filesystem is mounted
  unsigned connection_ = 0;  // its name there
  int orders_ = -1;
  pid_t daemon_ = -1;
};

}  // namespace mdevfs::test
