// SPDX-License-Identifier: Apache-2.0
//
// Fault injection for one parent: how long its devices' probe and remove take, which probes fail, and, on
// ages whose drivers may refuse one, which removes. The knobs are files under kernel/debug/mdevfs/PARENT and
// mean what the kernel's own fault injection means by them (struct fault_attr, should_fail).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

#include "errno.h"
#include "lock.h"

namespace mdevfs::model {

class Schema;
void define_debug(Schema& schema);

// Thread-safety: all functions from any thread.
class FaultPoint {
 public:
  // What is written to the files of its directory, one number each.
  struct Knobs {
    std::int64_t probability = 0;  // percent
    std::int64_t interval = 1;     // only each so many-th call may fail
    std::int64_t times = 1;        // how many more calls may fail; -1: no limit
    std::int64_t space = 0;        // so many calls are let through first
    std::int64_t error = EIO;      // what a failing call answers; below 0: it returns a positive number
  };

  // Decides on one call: the errno with which it fails, or nothing. Counts down what has to be counted.
  std::optional<Errno> should_fail() EXCLUDES(lock_);

  std::int64_t knob(std::int64_t Knobs::* which) const EXCLUDES(lock_);
  void set_knob(std::int64_t Knobs::* which, std::int64_t value) EXCLUDES(lock_);

 private:
  mutable Mutex lock_{Rank::backend};
  Knobs knobs_ GUARDED_BY(lock_);
  std::int64_t calls_ GUARDED_BY(lock_) = 0;
  std::minstd_rand random_ GUARDED_BY(lock_){std::random_device{}()};
};

struct Fault {
  FaultPoint fail_probe;
  FaultPoint fail_remove;
  std::atomic<std::uint32_t> probe_delay_ms{0};
  std::atomic<std::uint32_t> remove_delay_ms{0};
};

}  // namespace mdevfs::model
