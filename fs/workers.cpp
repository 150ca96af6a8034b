// SPDX-License-Identifier: Apache-2.0
#include "workers.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "fuse.h"
#include "model/waiting.h"

namespace mdevfs::fs {
namespace {

constexpr std::size_t kMostFollowers = 8;
// Wakes the leader out of its read(2); its handler does nothing.
const int kInterrupt = SIGURG;

void do_nothing(int) {}

// On a single processor whoever is to write the next request could not run meanwhile.
std::chrono::nanoseconds bound(std::chrono::nanoseconds asked) {
  cpu_set_t ours;
  const bool single = sched_getaffinity(0, sizeof ours, &ours) == 0 && CPU_COUNT(&ours) == 1;
  return single ? std::chrono::nanoseconds{} : asked;
}

// A buffer that libfuse allocates at the first message and uses again.
struct Message {
  fuse_buf buffer{};
  Message() = default;
  ~Message() { std::free(buffer.mem); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
};

}  // namespace

// What one thread is.
class Workers::Worker final : public model::WaitListener {
 public:
  explicit Worker(Workers& workers) : workers_(workers) { model::listen_to_waits(this); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void work();
  void before_wait() noexcept override {
    if (leads_) workers_.hand_over_lead();
    leads_ = false;
  }

 private:
  bool take_one();
  int receive();
  bool look();

  Workers& workers_;
  bool leads_ = false;
  Message message_;
};

Workers::Workers(fuse_session* session, int fd, Limits limits, std::function<void()> on_end)
    : session_(session),
      fd_(fd),
      most_(limits.most == 0 ? SIZE_MAX : limits.most),
      on_end_(std::move(on_end)),
      wake_(eventfd(0, EFD_CLOEXEC)),
      patience_(bound(limits.poll)) {
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
  {
    const std::lock_guard lock(mutex_);
    start_one();
  }
  pollfd wake{wake_, POLLIN, 0};
  while (poll(&wake, 1, -1) < 0 && errno == EINTR) {
  }
  on_end_();
  wait_for_the_end();
}

// The leader may be about to read when it is interrupted, and then reads all the same: it is interrupted
// until it has ended. One that carries out a request is waited for.
void Workers::wait_for_the_end() {
  std::unique_lock lock(mutex_);
  ending_ = true;
  lead_is_free_.notify_all();
  while (!threads_.empty()) {
    for (std::thread& thread : threads_) pthread_kill(thread.native_handle(), kInterrupt);
    ended_.wait_for(lock, std::chrono::milliseconds(10));
  }
  join_done();
}

// With mutex_ held.
void Workers::start_one() noexcept {
  if (threads_.size() >= most_) return;
  const auto at = threads_.emplace(threads_.end());
  try {
    *at = std::thread([this, at] {
      Worker(*this).work();
      retire(at);
    });
  } catch (const std::system_error&) {
    // No more threads: the ones there are go on, and requests wait their turn.
    threads_.erase(at);
  }
}

bool Workers::take_lead() {
  std::unique_lock lock(mutex_);
  if (has_leader_ && followers_ >= kMostFollowers) return false;
  ++followers_;
  lead_is_free_.wait(lock, [this] { return !has_leader_ || ending_; });
  --followers_;
  if (ending_) return false;
  has_leader_ = true;
  return true;
}

// Where there is no follower and can be none, whoever has done its work first takes it.
void Workers::hand_over_lead() noexcept {
  const std::lock_guard lock(mutex_);
  if (followers_ == 0) start_one();
  has_leader_ = false;
  lead_is_free_.notify_one();
}

void Workers::retire(Threads::iterator self) {
  const std::lock_guard lock(mutex_);
  join_done();
  done_.splice(done_.end(), threads_, self);
  ended_.notify_all();
}

// With mutex_ held: they have left retire(), or are about to.
void Workers::join_done() {
  for (std::thread& thread : done_) thread.join();
  done_.clear();
}

void Workers::Worker::work() {
  while (workers_.take_lead()) {
    leads_ = true;
    while (leads_) {
      if (!take_one()) return;
    }
  }
}

// Reads and carries out one request. False: no more are to be read.
bool Workers::Worker::take_one() {
  const int got = receive();
  if (got == -EINTR || got == -EAGAIN) return !workers_.ending_;
  if (got <= 0) {
    workers_.stop();  // 0 or ENODEV: unmounted
    return false;
  }
  fuse_session_process_buf(workers_.session_, &message_.buffer);
  if (fuse_session_exited(workers_.session_) == 0) return true;
  workers_.stop();  // libfuse could not agree with the kernel at INIT
  return false;
}

// Asleep in read(2): what looks at a descriptor in poll(2) would be woken for requests that others take.
int Workers::Worker::receive() {
  const bool found = look();
  const int got = fuse_session_receive_buf(workers_.session_, &message_.buffer);
  if (!found) workers_.patience_.slept(Patience::Clock::now());
  return got;
}

// True: a request is there.
bool Workers::Worker::look() {
  Patience& patience = workers_.patience_;
  if (!patience.begin(Patience::Clock::now())) return false;
  pollfd request{workers_.fd_, POLLIN, 0};
  while (poll(&request, 1, 0) == 0 && !workers_.ending_) {
    if (!patience.look_again(Patience::Clock::now())) return false;
  }
  return true;
}

}  // namespace mdevfs::fs
