// SPDX-License-Identifier: Apache-2.0
//
// A sorted sequence in chunks: a two-level B-tree of plain items. Insert, erase and lower_bound cost a binary
// search and a short move, iteration is a walk over arrays, and an item costs its own size and a quarter
// more. Directories of a million entries are kept in it; a node-based tree would cost four times the memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mdevfs::model {

// Thread-safety: as a std container.
template <typename Item>
class SortedChunks {
 public:
  void insert(const Item& item) {
    if (chunks_.empty()) chunks_.emplace_back();
    auto chunk = chunk_of(item);
    if (chunk == chunks_.end()) --chunk;
    chunk->insert(std::upper_bound(chunk->begin(), chunk->end(), item), item);
    ++size_;
    if (chunk->size() > kMost) split(chunk);
  }

  bool erase(const Item& item) {
    auto chunk = chunk_of(item);
    if (chunk == chunks_.end()) return false;
    auto at = std::lower_bound(chunk->begin(), chunk->end(), item);
    if (at == chunk->end() || item < *at) return false;
    chunk->erase(at);
    --size_;
    if (chunk->empty()) {
      chunks_.erase(chunk);
    } else if (chunk->size() < chunk->capacity() / 4) {
      chunk->shrink_to_fit();
    }
    return true;
  }

  // Calls visit(item) for the items not less than `from`, in order, until it returns false.
  template <typename Visit>
  void walk(const Item& from, Visit visit) const {
    auto chunk = std::lower_bound(chunks_.begin(), chunks_.end(), from,
                                  [](const Chunk& c, const Item& item) { return c.back() < item; });
    if (chunk == chunks_.end()) return;
    auto at = std::lower_bound(chunk->begin(), chunk->end(), from);
    while (true) {
      for (; at != chunk->end(); ++at) {
        if (!visit(*at)) return;
      }
      if (++chunk == chunks_.end()) return;
      at = chunk->begin();
    }
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kMost = 256;
  using Chunk = std::vector<Item>;

  // The first chunk whose last item is not less than this one.
  auto chunk_of(const Item& item) {
    return std::lower_bound(chunks_.begin(), chunks_.end(), item,
                            [](const Chunk& c, const Item& i) { return !c.empty() && c.back() < i; });
  }

  void split(typename std::vector<Chunk>::iterator chunk) {
    const auto half = chunk->begin() + static_cast<std::ptrdiff_t>(chunk->size() / 2);
    Chunk upper(half, chunk->end());
    upper.reserve(kMost + 1);
    chunk->erase(half, chunk->end());
    chunks_.insert(chunk + 1, std::move(upper));
  }

  std::vector<Chunk> chunks_;
  std::size_t size_ = 0;
};

}  // namespace mdevfs::model
