// SPDX-License-Identifier: Apache-2.0
//
// The kernel log, as far as the emulated kernel writes to it: lines with a level, in order. Who wants to see
// them gives a sink; the newest lines are kept for those who come later.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "lock.h"

namespace mdevfs::model {

// The kernel's levels, by their numbers.
enum class Level : int { error = 3, warning = 4, notice = 5, info = 6 };

// Thread-safety: all functions from any thread, with any lock of the model held.
class Log {
 public:
  using Sink = std::function<void(Level, const std::string&)>;

  // A line without its newline. Newlines in it (names may have them) are printed as the kernel does, `\x0a`.
  void print(Level level, std::string line) EXCLUDES(lock_);
  // Called with each line from now on, one at a time; must not print.
  void set_sink(Sink sink) EXCLUDES(lock_);
  // The newest lines, oldest first, each as `<6> text`.
  std::vector<std::string> lines() const EXCLUDES(lock_);

 private:
  static constexpr std::size_t kKept = 1000;
  mutable Mutex lock_{Rank::log};
  Sink sink_ GUARDED_BY(lock_);
  std::deque<std::string> lines_ GUARDED_BY(lock_);
};

}  // namespace mdevfs::model
