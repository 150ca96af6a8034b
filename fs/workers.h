// SPDX-License-Identifier: Apache-2.0
//
// The threads that read requests and carry them out. One of them leads: it alone reads, and carries out what
// it has read itself, for to wake another thread costs more than most requests. When one is going to wait (a
// slow probe, a contended lock: model/waiting.h) it hands the lead over first, so that it holds up nobody but
// its own caller. Who has no lead waits for it; those above a few end.
//
// The leader does not sleep at once when nothing is there: it keeps looking for a bounded time, because to be
// woken costs more than most requests too. Only while that pays: see Patience.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "patience.h"

struct fuse_session;

namespace mdevfs::fs {

// Thread-safety: run() from one thread, stop() from any and from a signal handler.
class Workers {
 public:
  struct Limits {
    unsigned most = 0;                   // threads; 0: no limit
    std::chrono::nanoseconds poll = {};  // how long the leader keeps looking at most
  };
  // `fd` is what the session reads from. `on_end` is called once, when it is time to end,
  // while requests are still read and carried out.
  Workers(fuse_session* session, int fd, Limits limits, std::function<void()> on_end);
  ~Workers();

  // Works until the session ends (unmounted) or stop(); then waits for those still at work.
  void run();
  void stop() noexcept;

 private:
  class Worker;
  using Threads = std::list<std::thread>;

  // False: there is no lead for this thread any more.
  bool take_lead();
  void hand_over_lead() noexcept;
  void start_one() noexcept;
  void retire(Threads::iterator self);
  void join_done();
  void wait_for_the_end();

  fuse_session* const session_;
  const int fd_;
  const std::size_t most_;
  const std::function<void()> on_end_;
  const int wake_;     // an eventfd: readable when it is time to end
  Patience patience_;  // the leader's
  std::atomic<bool> ending_{false};

  std::mutex mutex_;
  std::condition_variable lead_is_free_;
  std::condition_variable ended_;
  bool has_leader_ = false;
  std::size_t followers_ = 0;  // threads that wait for the lead
  Threads threads_;            // at work or idle
  Threads done_;               // to be joined
};

}  // namespace mdevfs::fs
