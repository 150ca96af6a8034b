// SPDX-License-Identifier: Apache-2.0
//
// The names of runs, by which `enter` finds them. A name is a file of the user's with a record lock of the
// runner's on its first byte: the kernel says whose it is and lets go of it when that process ends, however
// it ends, so no name outlives its run and none can be forged by a number that has come to mean another
// process. The second byte is locked while the run starts.
//
// They are in $XDG_RUNTIME_DIR/mdevfs, /run/user/UID/mdevfs, for root in /run/mdevfs, or in /tmp/mdevfs-UID:
// the first of these that can be.
#pragma once

#include <string>
#include <vector>

#include "outcome.h"
#include "unique_fd.h"

namespace mdevfs::cli {

bool is_name(const std::string& name);  // letters, digits and ._- , 64 at most, the first a letter or digit

// Thread-safety: none.
class KeptName {
 public:
  KeptName() = default;  // none

  // Takes the name for this process, in its starting state. Before it has entered any namespace.
  static Outcome<KeptName> take(const std::string& name);

  void started() const;            // those who wait to enter may
  void give_back();                // nobody enters any more
  void clear_after_death() const;  // by another process than the one that took it, which has ended

  std::vector<int> descriptors() const { return {base_.get(), directory_.get()}; }  // for clear_after_death()

 private:
  void remove() const;

  UniqueFd base_;
  std::string leaf_;  // what the directory is called in it
  UniqueFd directory_;
  std::string name_;
  UniqueFd file_;
};

// The process that runs under a name.
class FoundRun {
 public:
  // Waits while it starts.
  static Outcome<FoundRun> find(const std::string& name);

  const UniqueFd& process() const { return process_; }
  pid_t pid() const { return pid_; }
  bool is_kept() const;  // the process has the name still

 private:
  UniqueFd file_;
  UniqueFd process_;
  pid_t pid_ = -1;
};

}  // namespace mdevfs::cli
