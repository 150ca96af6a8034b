// SPDX-License-Identifier: Apache-2.0
#include "notifier.h"

#include <algorithm>
#include <iterator>

#include "model/waiting.h"

namespace mdevfs::fs {

Notifier::Notifier(const Channel& channel, OpenFiles& open_files, Kept* kept, bool enabled,
                   const SendUevent& send_uevent)
    : channel_(channel),
      open_files_(open_files),
      kept_(kept),
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
  if (kept_ == nullptr) return;
  auto inodes = kept_->texts.outdate();
  if (!inodes.empty()) jobs_.emplace_back(OutdatedTexts{std::move(inodes)});
}

void Notifier::add_outdated_listings(const Job& job) {
  const auto* const changes = std::get_if<model::Changes>(&job);
  if (kept_ == nullptr || changes == nullptr) return;
  auto directories = kept_->listings.outdate(changes->attributes);
  if (!directories.empty()) jobs_.emplace_back(OutdatedListings{std::move(directories)});
}

// Where nothing is ahead of it, to wake the notifier would take longer than all that it has to say.
void Notifier::add(Job job) {
  std::unique_lock lock(mutex_);
  add_outdated_texts();
  add_outdated_listings(job);
  if (!busy_ && jobs_.empty() && waits_for_nobody(job)) return carry_out(lock, job);
  jobs_.push_back(std::move(job));
  lock.unlock();
  wake_.notify_one();
}

// Attributes that are others now: the kernel takes no lock for them that a lookup holds.
bool Notifier::waits_for_nobody(const Job& job) {
  const auto* const changes = std::get_if<model::Changes>(&job);
  return changes != nullptr && changes->gone.empty();
}

void Notifier::carry_out(std::unique_lock<std::mutex>& lock, Job& job) {
  busy_ = true;
  lock.unlock();
  std::visit([this](auto& what) { this->carry_out(what); }, job);
  lock.lock();
  busy_ = false;
  if (jobs_.size() <= kFew) shorter_.notify_all();
  if (stopping_ || !jobs_.empty()) wake_.notify_one();
}

void Notifier::answer_after(Reply reply, int error, std::size_t written) {
  Answer answer{std::move(reply), error, written};
  {
    const std::lock_guard lock(mutex_);
    add_outdated_texts();
    if (busy_ || !jobs_.empty()) {
      jobs_.emplace_back(std::move(answer));
      wake_.notify_one();
      return;
    }
  }
  answer.give();
}

// With a limit: the one who asks may hold what a rmdir waits for, during which the kernel keeps us from
// invalidating a name beside it.
bool Notifier::keep_up() noexcept {
  constexpr std::chrono::seconds kPatience{5};
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() <= kMany) return true;
  }
  model::announce_wait();
  std::unique_lock lock(mutex_);
  return shorter_.wait_for(lock, kPatience, [this] { return jobs_.size() <= kFew; });
}

// With mutex_ held. Changes in a row are one, though not too many: a directory that loses some is invalidated
// once.
Notifier::Job Notifier::take_job() {
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  auto* const changes = std::get_if<model::Changes>(&job);
  for (std::size_t jobs = 1; changes != nullptr && jobs < kMany && !jobs_.empty(); ++jobs) {
    auto* const more = std::get_if<model::Changes>(&jobs_.front());
    if (more == nullptr) break;
    std::ranges::move(more->gone, std::back_inserter(changes->gone));
    changes->attributes.insert(changes->attributes.end(), more->attributes.begin(), more->attributes.end());
    jobs_.pop_front();
  }
  return job;
}

void Notifier::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !busy_ && (stopping_ || !jobs_.empty()); });
    if (jobs_.empty()) return;
    Job job = take_job();
    carry_out(lock, job);
  }
}

// With a limit, for a peer that takes nothing and is not the kernel.
void Notifier::become_quiet() {
  constexpr std::chrono::seconds kPatience{5};
  quiet_ = true;
  std::unique_lock lock(mutex_);
  shorter_.wait_for(lock, kPatience, [this] { return !busy_ && jobs_.empty(); });
}

void Notifier::carry_out(const OutdatedTexts& texts) const {
  kept_->texts.invalidate(texts.inodes, !quiet_);
}

void Notifier::carry_out(const OutdatedListings& listings) const {
  kept_->listings.invalidate(listings.directories, !quiet_);
}

void Notifier::carry_out(model::Changes& changes) const {
  for (const auto& gone : changes.gone) {
    if (quiet_) break;
    if (gone.may_linger) {
      channel_.expire_entry(gone.directory, gone.name);
    } else {
      channel_.forget_entry(gone.directory, gone.name);
    }
  }
  std::ranges::sort(changes.attributes);
  const auto repeated = std::ranges::unique(changes.attributes);
  changes.attributes.erase(repeated.begin(), repeated.end());
  for (const auto inode : changes.attributes) {
    if (!quiet_) channel_.invalidate_attributes(inode);
  }
}

}  // namespace mdevfs::fs
