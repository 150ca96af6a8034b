// SPDX-License-Identifier: Apache-2.0
//
// The threads that read requests and carry them out. A new one starts when the last idle one has got a
// request, so that a store that waits (a slow probe) holds up nobody but its own caller; those above a few
// end when idle.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

struct fuse_session;

namespace mdevfs::fs {

// Thread-safety: run() from one thread, stop() from any and from a signal handler.
class Workers {
 public:
  // At most so many threads; 0: no limit. `on_end` is called once, when it is time to end, while requests are
  // still read and carried out.
  Workers(fuse_session* session, unsigned most, std::function<void()> on_end);
  ~Workers();

  // Works until the session ends (unmounted) or stop(); then waits for those still at work.
  void run();
  void stop() noexcept;

 private:
  using Threads = std::list<std::thread>;
  void start_one();
  void work(Threads::iterator self);
  bool take_one();
  bool may_leave();
  void retire(Threads::iterator self);
  void wait_for_the_end();

  fuse_session* const session_;
  const std::size_t most_;
  const std::function<void()> on_end_;
  int wake_;  // an eventfd: readable when it is time to end
  std::atomic<int> idle_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable ended_;
  Threads threads_;  // at work or idle
  Threads done_;     // to be joined
};

}  // namespace mdevfs::fs
