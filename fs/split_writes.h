// SPDX-License-Identifier: Apache-2.0
//
// With `-o cached` the kernel sends a write that goes over the end of a page in two: who writes one UUID
// after another to one descriptor of `create` would have every 110th refused. So a half that ends where a
// page does and that the store takes for no value is kept, and is put before the one that follows it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace mdevfs::fs {

// Thread-safety: all functions from any thread.
class SplitWrites {
 public:
  // What was kept of this inode's last write, if this one follows it: it is given once.
  std::string first_half(std::uint64_t inode, std::uint64_t offset) {
    const std::lock_guard lock(mutex_);
    const auto at = halves_.find(inode);
    if (at == halves_.end()) return {};
    auto [end, text] = std::move(at->second);
    halves_.erase(at);
    return end == offset ? std::move(text) : std::string();
  }

  // False: it is none. Otherwise it is kept, to be answered as if it had been stored.
  bool keep(std::uint64_t inode, std::uint64_t offset, std::string_view text, int error) {
    const std::uint64_t end = offset + text.size();
    if (error != EINVAL || text.empty() || text.size() >= kPage || end % kPage != 0) return false;
    const std::lock_guard lock(mutex_);
    halves_[inode] = {end, std::string(text)};
    return true;
  }

  void forget(std::uint64_t inode) {
    const std::lock_guard lock(mutex_);
    halves_.erase(inode);
  }

 private:
  static constexpr std::uint64_t kPage = 4096;
  std::mutex mutex_;  // a leaf
  std::unordered_map<std::uint64_t, std::pair<std::uint64_t, std::string>> halves_;
};

}  // namespace mdevfs::fs
