// SPDX-License-Identifier: Apache-2.0
#include "kept_texts.h"

#include <algorithm>

#include "alias.h"
#include "model/waiting.h"

namespace mdevfs::fs {

// Renders until no change has come between.
model::Result<void> KeptTexts::keep_current(std::unique_lock<std::mutex>& lock, std::uint64_t inode,
                                            const Render& render) {
  while (true) {
    const std::uint64_t generation = generation_;
    lock.unlock();
    auto text = render();
    lock.lock();
    if (!text) return std::unexpected(text.error());
    if (generation != generation_) continue;
    texts_[inode] = {std::move(*text), generation};
    return {};
  }
}

// Answered with the lock held, so that no invalidation overtakes the answer.
void KeptTexts::read(std::uint64_t inode, Scope scope, std::uint64_t offset, std::size_t size,
                     const Render& render, Reply reply) {
  std::unique_lock lock(mutex_);
  if (!texts_.contains(inode)) {
    const auto kept = keep_current(lock, inode, render);
    if (!kept) return reply.error(kept.error().value);
  }
  const auto& [text, generation] = texts_.at(inode);
  const bool for_all = scope == Scope::all_opens;
  const bool outdated = generation != generation_;
  if (for_all && outdated) dropping_.insert(inode);
  if (for_all && !outdated) told_.insert(inode);
  const std::size_t from = std::min<std::uint64_t>(offset, text.size());
  reply.data(text.data() + from, std::min(size, text.size() - from));
  lock.unlock();
  if (for_all && outdated) drop_page(inode);
}

void KeptTexts::drop_page(std::uint64_t inode) {
  model::announce_wait();
  channel_.invalidate_pages(inode);
  note_dropped(inode);
}

void KeptTexts::note_dropped(std::uint64_t inode) {
  const std::lock_guard lock(mutex_);
  dropping_.erase(dropping_.find(inode));
  dropped_.notify_all();
}

std::optional<std::uint64_t> KeptTexts::size(std::uint64_t inode, Scope scope, const Render& render) {
  std::unique_lock lock(mutex_);
  wait_until_dropped(lock, inode);
  const auto at = texts_.find(inode);
  if (at == texts_.end()) return std::nullopt;
  if (at->second.generation == generation_) return at->second.text.size();
  if (scope == Scope::one_open || !keep_current(lock, inode, render)) {
    texts_.erase(inode);
    return std::nullopt;
  }
  told_.insert(inode);
  return texts_.at(inode).text.size();
}

void KeptTexts::wait_until_dropped(std::unique_lock<std::mutex>& lock, std::uint64_t inode) {
  if (!dropping_.contains(inode)) return;
  lock.unlock();
  model::announce_wait();
  lock.lock();
  dropped_.wait(lock, [&] { return !dropping_.contains(inode); });
}

void KeptTexts::restart(std::uint64_t inode) {
  const std::lock_guard lock(mutex_);
  texts_.erase(inode);
}

void KeptTexts::forget(std::uint64_t inode) {
  const std::lock_guard lock(mutex_);
  texts_.erase(inode);
  told_.erase(inode);
}

std::vector<std::uint64_t> KeptTexts::outdate() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  std::vector<std::uint64_t> told(told_.begin(), told_.end());
  for (const auto inode : told_) dropping_.insert(inode);
  told_.clear();
  return told;
}

// The name first: who opens the file in between has the new inode.
void KeptTexts::invalidate(const std::vector<std::uint64_t>& inodes, bool tell) {
  for (const auto inode : inodes) {
    if (tell) forget_name(inode);
    if (tell) channel_.invalidate_pages(inode);
    note_dropped(inode);
  }
}

void KeptTexts::forget_name(std::uint64_t inode) const {
  const auto node = tree_.resolve(without_alias(inode));
  if (!node.object) return;
  const model::Node file{node.object.get(), node.slot};
  const auto directory = model::Tree::directory_of(file);
  if (directory.object != nullptr)
    channel_.forget_entry(model::inode_of(directory), model::Tree::name_of(file));
}

}  // namespace mdevfs::fs
