// SPDX-License-Identifier: Apache-2.0
#include "filesystem.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <optional>

#include "channel.h"
#include "fuse.h"
#include "kept.h"
#include "notifier.h"
#include "ops.h"
#include "workers.h"

namespace mdevfs::fs {
namespace {

// libfuse prints why it could not mount; we keep its last word for our own sentence.
thread_local std::string last_word;

void keep_last_word(fuse_log_level, const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  last_word = line;
  while (last_word.ends_with('\n')) last_word.pop_back();
}

struct Arguments {
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  explicit Arguments(const Options& options) {
    fuse_opt_add_arg(&args, "mdevfs");
    for (const auto& option : options.mount_options) {
      fuse_opt_add_arg(&args, "-o");
      fuse_opt_add_arg(&args, option.c_str());
    }
    fuse_opt_add_arg(&args, "-o");
    fuse_opt_add_arg(&args, fmt::format("fsname={},subtype=mdevfs", options.source).c_str());
  }
  ~Arguments() { fuse_opt_free_args(&args); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
};

}  // namespace

class Filesystem::Impl {
 public:
  Impl(model::Core& core, Options options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::expected<void, std::string> mount(const std::string& mountpoint);
  std::expected<void, std::string> attach(int fd);
  void serve();
  void stop() noexcept { workers_->stop(); }

 private:
  std::expected<void, std::string> make_session();
  std::expected<void, std::string> carry(int fd);

  model::Core& core_;
  const Options options_;
  Channel channel_;
  OpenFiles open_files_;
  std::optional<Kept> kept_;
  SplitWrites split_writes_;
  std::optional<Notifier> notifier_;
  std::optional<Context> context_;
  fuse_session* session_ = nullptr;
  std::optional<Workers> workers_;
  bool mounted_ = false;
};

Filesystem::Impl::Impl(model::Core& core, Options options) : core_(core), options_(std::move(options)) {
  fuse_set_log_func(keep_last_word);
  if (options_.cached) kept_.emplace(core_.tree(), channel_);
  Kept* const kept = kept_ ? &*kept_ : nullptr;
  notifier_.emplace(channel_, open_files_, kept, options_.invalidate, options_.send_uevent);
  context_.emplace(core_, channel_, *notifier_, open_files_, kept, split_writes_, options_.on_ready,
                   options_.on_request);
}

Filesystem::Impl::~Impl() {
  core_.tree().set_watcher(nullptr);
  notifier_.reset();  // gives the last answers, for which it needs the descriptor
  if (mounted_) fuse_session_unmount(session_);
  workers_.reset();
  if (session_ != nullptr) fuse_session_destroy(session_);
}

std::expected<void, std::string> Filesystem::Impl::make_session() {
  Arguments arguments(options_);
  last_word.clear();
  session_ = fuse_session_new(&arguments.args, &operations(), sizeof(fuse_lowlevel_ops), &*context_);
  if (session_ == nullptr) return std::unexpected(fmt::format("bad mount options: {}", last_word));
  core_.tree().set_watcher(&*notifier_);
  return {};
}

std::expected<void, std::string> Filesystem::Impl::mount(const std::string& mountpoint) {
  if (auto made = make_session(); !made) return made;
  last_word.clear();
  if (fuse_session_mount(session_, mountpoint.c_str()) != 0) {
    return std::unexpected(fmt::format("cannot mount on {}: {}", mountpoint,
                                       last_word.empty() ? "the kernel or fusermount3 refused" : last_word));
  }
  mounted_ = true;
  return carry(fuse_session_fd(session_));
}

std::expected<void, std::string> Filesystem::Impl::attach(int fd) {
  if (auto made = make_session(); !made) return made;
  return carry(fd);
}

std::expected<void, std::string> Filesystem::Impl::carry(int fd) {
  if (!channel_.carry(session_, fd)) return std::unexpected("libfuse refused the descriptor");
  workers_.emplace(session_, fd, Workers::Limits{options_.most_workers, options_.poll}, [this] {
    core_.end_waits();
    notifier_->become_quiet();
  });
  return {};
}

void Filesystem::Impl::serve() {
  workers_->run();
}

Filesystem::Filesystem(model::Core& core, Options options)
    : impl_(std::make_unique<Impl>(core, std::move(options))) {}
Filesystem::~Filesystem() = default;

std::expected<void, std::string> Filesystem::mount(const std::string& mountpoint) {
  return impl_->mount(mountpoint);
}
std::expected<void, std::string> Filesystem::attach(int fd) {
  return impl_->attach(fd);
}
void Filesystem::serve() {
  impl_->serve();
}
void Filesystem::stop() noexcept {
  impl_->stop();
}

}  // namespace mdevfs::fs
