// SPDX-License-Identifier: Apache-2.0
//
// The filesystem as the program sees it: a model rendered through FUSE, mounted, answering, unmounted.
// Everything that knows libfuse is behind this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mdevfs::model {
class Core;
struct Uevent;
}  // namespace mdevfs::model

namespace mdevfs::fs {

inline constexpr std::chrono::microseconds kDefaultPoll{50};

struct Options {
  std::vector<std::string> mount_options = {};  // as after -o: "allow_other", "ro", ...
  std::string source = "mdevfs";                // the first column of /proc/mounts
  std::function<void()> on_ready = {};          // called once, when the kernel's INIT has been answered
  std::function<void(std::uint32_t opcode)> on_request =
      {};  // called with each request that is read (for tests)
  // Called with each uevent, one at a time, when whoever hears of it and looks sees what has happened. Empty:
  // none are made. Must not wait for anybody.
  std::function<void(const model::Uevent&)> send_uevent = {};
  unsigned most_workers = 0;  // 0: as many as there are requests at once (a limit is for tests)
  std::chrono::nanoseconds poll = kDefaultPoll;  // how long to look for the next request before sleeping
  bool cached = false;     // the kernel answers opens and keeps what is read: see kept.h
  bool invalidate = true;  // false: the kernel is never told what is gone (for tests of that)
};

// Thread-safety: serve() from one thread; stop() from any thread and from a signal handler.
class Filesystem {
 public:
  Filesystem(model::Core& core, Options options);
  ~Filesystem();  // unmounts
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  // Mounts on `mountpoint`. The error is one sentence: what is wrong and what to do about it.
  std::expected<void, std::string> mount(const std::string& mountpoint);
  // Instead of a mount: a descriptor that speaks as /dev/fuse does, a message a read. It is owned from here
  // on.
  std::expected<void, std::string> attach(int fd);

  // Answers until the mount goes or stop() is called, and returns when no worker is left.
  void serve();
  void stop() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mdevfs::fs
