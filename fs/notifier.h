// SPDX-License-Identifier: Apache-2.0
//
// The one thread that tells the kernel what is gone. Workers must not: invalidating a name takes its
// directory's inode lock in the kernel, and a lookup in flight there holds that lock until a worker answers
// it. A writer's reply is given here too, behind the changes that its write made: when `echo 1 > remove`
// returns, the path is gone. And so are uevents: who hears of a removal and looks sees it. What cannot wait
// is told by whoever publishes it, if nothing is ahead of it.
//
// There is one queue, in the order in which things happened, because whoever's name or number was free again
// may be told of it only when the kernel has forgotten whose it was. It is kept short: who takes away a
// hundred thousand devices waits in between (keep_up), so that no other writer's reply is behind all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <variant>

#include "channel.h"
#include "kept.h"
#include "model/change.h"
#include "model/lock.h"
#include "open_files.h"
#include "reply.h"

namespace mdevfs::fs {

// Thread-safety: all functions from any thread but the notifier's own.
class Notifier final : public model::Watcher {
 public:
  using SendUevent = std::function<void(const model::Uevent&)>;
  // `kept`: null where the kernel keeps nothing of what is read.
  Notifier(const Channel& channel, OpenFiles& open_files, Kept* kept, bool enabled,
           const SendUevent& send_uevent);
  ~Notifier() override;  // what is queued is done first

  void publish(model::Changes changes) noexcept override;
  bool keep_up() noexcept override;
  void wake(std::uint64_t inode) noexcept override { open_files_.wake(inode); }
  bool hears_uevents() const override { return static_cast<bool>(send_uevent_); }
  void announce(model::Uevent event) noexcept override;
  // The mount is going: the kernel is told nothing more. Returns when what is under way has been done; the
  // workers must still be at work, as the kernel may hold it up until they answer a lookup.
  void become_quiet();
  // Answers when all that has been published so far is known to the kernel; at once where nothing is waiting.
  void answer_after(Reply reply, int error, std::size_t written);

 private:
  struct Answer {
    Reply reply;
    int error;
    std::size_t written;
    void give();
  };
  struct OutdatedTexts {
    std::vector<std::uint64_t> inodes;
  };
  struct OutdatedListings {
    std::vector<std::uint64_t> directories;
  };
  // The queue that one writer may leave behind, and the one that it waits for then.
  static constexpr std::size_t kMany = 64;
  static constexpr std::size_t kFew = 16;
  using Job = std::variant<OutdatedTexts, OutdatedListings, model::Changes, model::Uevent, Answer>;

  void add(Job job);
  // Nobody is told or answered anything before what was read before it is gone. Both with mutex_ held.
  void add_outdated_texts();
  void add_outdated_listings(const Job& job);
  static bool waits_for_nobody(const Job& job);
  void run();
  void carry_out(std::unique_lock<std::mutex>& lock, Job& job);  // the lock is released meanwhile
  void carry_out(const OutdatedTexts& texts) const;
  void carry_out(const OutdatedListings& listings) const;
  Job take_job();
  void carry_out(model::Changes& changes) const;
  void carry_out(const model::Uevent& event) const { send_uevent_(event); }
  static void carry_out(Answer& answer) { answer.give(); }

  const Channel& channel_;
  OpenFiles& open_files_;
  Kept* const kept_;
  const SendUevent& send_uevent_;  // empty: none are sent
  std::mutex mutex_;               // only those of what is kept are taken with it held
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::condition_variable shorter_;  // the queue is short, or empty and nothing under way
  bool busy_ = false;                // something is being carried out, by the notifier or not
  bool stopping_ = false;
  std::atomic<bool> quiet_{false};
  std::thread thread_;
};

}  // namespace mdevfs::fs
