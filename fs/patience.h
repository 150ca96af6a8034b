// SPDX-License-Identifier: Apache-2.0
//
// How long to keep looking for a request before sleeping. Looking takes a whole processor, so it is done only
// while it pays: requests follow one another closely, and nobody else wants the processor. As KVM's
// halt_poll_ns, the bound opens when a request comes soon after the sleep began, and halves when none does.
#pragma once

#include <chrono>

namespace mdevfs::fs {

// Thread-safety: none; the leader's.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  // At most so long; 0: not at all.
  explicit Patience(std::chrono::nanoseconds most) : most_(most) {}

  // A wait begins. True: look; false: sleep.
  bool begin(Time now);
  // Nothing is there. True: look again; false: sleep.
  bool look_again(Time now);
  // The wait has ended after a sleep.
  void slept(Time now);

 private:
  // Between two looks so much passes only when somebody else had the processor, who will want it again.
  static constexpr std::chrono::microseconds kDisturbed{300};
  static constexpr std::chrono::milliseconds kRest{200};
  static constexpr std::chrono::microseconds kLeast{4};  // less than this is not worth beginning

  const std::chrono::nanoseconds most_;
  std::chrono::nanoseconds bound_ = {};
  Time began_ = {};
  Time looked_ = {};
  Time rests_until_ = {};
};

}  // namespace mdevfs::fs
