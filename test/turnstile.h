// SPDX-License-Identifier: Apache-2.0
//
// Where whoever comes is let through, or held until a test lets it go on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace mdevfs::test {

// Thread-safety: all functions from any thread.
class Turnstile {
 public:
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    closed_ = false;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !closed_; });
    --waiting_;
  }
  // Waits until so many stand before it; false: they have not come within a minute.
  [[nodiscard]] bool wait_for(unsigned waiting) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return waiting_ >= waiting; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  unsigned waiting_ = 0;
  bool closed_ = false;
};

}  // namespace mdevfs::test
