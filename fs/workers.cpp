// SPDX-License-Identifier: Apache-2.0
#include "workers.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "fuse.h"

namespace mdevfs::fs {
namespace {

constexpr int kMostIdle = 8;
// Wakes a worker out of its read(2); its handler does nothing.
const int kInterrupt = SIGURG;

void do_nothing(int) {}

// A buffer that libfuse allocates at the first message and uses again.
struct Message {
  fuse_buf buffer{};
  Message() = default;
  ~Message() { std::free(buffer.mem); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
};

}  // namespace

Workers::Workers(fuse_session* session, unsigned most, std::function<void()> on_end)
    : session_(session),
      most_(most == 0 ? SIZE_MAX : most),
      on_end_(std::move(on_end)),
      wake_(eventfd(0, EFD_CLOEXEC)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  struct sigaction action{};
  action.sa_handler = do_nothing;  // without SA_RESTART: the read must return
  sigaction(kInterrupt, &action, nullptr);
}

Workers::~Workers() {
  close(wake_);
}

void Workers::stop() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

void Workers::run() {
  start_one();
  pollfd wake{wake_, POLLIN, 0};
  while (poll(&wake, 1, -1) < 0 && errno == EINTR) {
  }
  on_end_();
  stopping_ = true;
  wait_for_the_end();
}

void Workers::start_one() {
  const std::lock_guard lock(mutex_);
  if (threads_.size() >= most_) return;
  ++idle_;
  const auto at = threads_.emplace(threads_.end());
  try {
    *at = std::thread([this, at] { work(at); });
  } catch (const std::system_error&) {
    // No more threads: the ones there are go on, and requests wait their turn.
    --idle_;
    threads_.erase(at);
  }
}

// Reads and carries out one request. False: there will be no more.
bool Workers::take_one() {
  thread_local Message message;
  const int got = fuse_session_receive_buf(session_, &message.buffer);
  if (got == -EINTR || got == -EAGAIN) return true;
  if (got <= 0) {
    stop();  // 0 or ENODEV: unmounted
    return false;
  }
  if (--idle_ == 0) start_one();
  fuse_session_process_buf(session_, &message.buffer);
  ++idle_;
  if (fuse_session_exited(session_) == 0) return true;
  stop();  // libfuse could not agree with the kernel at INIT
  return false;
}

// Who leaves is not idle from this moment: of several that leave at once none may count on another, or nobody
// is left to read.
bool Workers::may_leave() {
  int idle = idle_;
  while (idle > kMostIdle) {
    if (idle_.compare_exchange_weak(idle, idle - 1)) return true;
  }
  return false;
}

void Workers::work(Threads::iterator self) {
  while (!stopping_ && take_one() && !may_leave()) {
  }
  retire(self);
}

void Workers::retire(Threads::iterator self) {
  const std::lock_guard lock(mutex_);
  for (std::thread& thread : done_) {
    if (thread.joinable()) thread.join();  // has left this function, or is about to
  }
  done_.clear();
  done_.splice(done_.end(), threads_, self);
  ended_.notify_all();
}

// A worker may be about to read when it is interrupted, and then reads all the same: it is interrupted until
// it has ended. One that carries out a request is waited for.
void Workers::wait_for_the_end() {
  std::unique_lock lock(mutex_);
  while (!threads_.empty()) {
    for (std::thread& thread : threads_) pthread_kill(thread.native_handle(), kInterrupt);
    ended_.wait_for(lock, std::chrono::milliseconds(10));
  }
  for (std::thread& thread : done_) thread.join();
  done_.clear();
}

}  // namespace mdevfs::fs
