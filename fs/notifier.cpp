// SPDX-License-Identifier: Apache-2.0
#include "notifier.h"

namespace mdevfs::fs {

Notifier::Notifier(const Channel& channel, OpenFiles& open_files, KeptTexts* kept_texts, bool enabled,
                   const SendUevent& send_uevent)
    : channel_(channel),
      open_files_(open_files),
      kept_texts_(kept_texts),
      send_uevent_(send_uevent),
      quiet_(!enabled),
      thread_([this] { run(); }) {}

Notifier::~Notifier() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Notifier::Answer::give() {
  if (error != 0) {
    reply.error(error);
  } else {
    reply.written(written);
  }
}

void Notifier::publish(model::Changes changes) noexcept {
  add(std::move(changes));
}

void Notifier::announce(model::Uevent event) noexcept {
  add(std::move(event));
}

void Notifier::add_outdated_texts() {
  if (kept_texts_ == nullptr) return;
  auto inodes = kept_texts_->outdate();
  if (!inodes.empty()) jobs_.emplace_back(OutdatedTexts{std::move(inodes)});
}

void Notifier::add(Job job) {
  {
    const std::lock_guard lock(mutex_);
    add_outdated_texts();
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Notifier::answer_after(Reply reply, int error, std::size_t written) {
  Answer answer{std::move(reply), error, written};
  bool at_once = false;
  {
    const std::lock_guard lock(mutex_);
    add_outdated_texts();
    at_once = !busy_ && jobs_.empty();
    if (!at_once) jobs_.emplace_back(std::move(answer));
  }
  if (at_once) {
    answer.give();
  } else {
    wake_.notify_one();
  }
}

void Notifier::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    busy_ = true;
    lock.unlock();
    std::visit([this](auto& what) { this->carry_out(what); }, job);
    lock.lock();
    busy_ = false;
    if (jobs_.empty()) idle_.notify_all();
  }
}

// With a limit, for a peer that takes nothing and is not the kernel.
void Notifier::become_quiet() {
  constexpr std::chrono::seconds kPatience{5};
  quiet_ = true;
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, kPatience, [this] { return !busy_ && jobs_.empty(); });
}

void Notifier::carry_out(const OutdatedTexts& texts) const {
  kept_texts_->invalidate(texts.inodes, !quiet_);
}

void Notifier::carry_out(const model::Changes& changes) const {
  for (const auto& gone : changes.gone) {
    if (!quiet_) channel_.invalidate_entry(gone.directory, gone.name);
  }
  for (const auto inode : changes.attributes) {
    if (!quiet_) channel_.invalidate_attributes(inode);
  }
}

}  // namespace mdevfs::fs
