// SPDX-License-Identifier: Apache-2.0
//
// A sorted sequence in chunks: a two-level B-tree of plain items. Insert, erase and lower_bound cost a binary
// search and a short move, iteration is a walk over arrays, and an item costs its own size and a tenth more.
// Directories of a million entries are kept in it; a node-based tree would cost four times the memory.
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
    if (chunks_.empty()) chunks_.push_back({item, {}});
    auto chunk = chunk_of(item);
    if (chunk == chunks_.end()) --chunk;
    auto& items = chunk->items;
    if (items.size() == items.capacity()) items.reserve(items.size() + kStep);
    items.insert(std::upper_bound(items.begin(), items.end(), item), item);
    chunk->last = items.back();
    ++size_;
    if (items.size() == kMost) split(chunk);
  }

  bool erase(const Item& item) {
    auto chunk = chunk_of(item);
    if (chunk == chunks_.end()) return false;
    auto& items = chunk->items;
    auto at = std::lower_bound(items.begin(), items.end(), item);
    if (at == items.end() || item < *at) return false;
    items.erase(at);
    --size_;
    if (items.empty()) {
      chunks_.erase(chunk);
      return true;
    }
    chunk->last = items.back();
    if (items.size() < items.capacity() / 4) items.shrink_to_fit();
    return true;
  }

  // Calls visit(item) for the items not less than `from`, in order, until it returns false.
  template <typename Visit>
  void walk(const Item& from, Visit visit) const {
    auto chunk = std::lower_bound(chunks_.begin(), chunks_.end(), from, ends_before);
    if (chunk == chunks_.end()) return;
    auto at = std::lower_bound(chunk->items.begin(), chunk->items.end(), from);
    while (true) {
      for (; at != chunk->items.end(); ++at) {
        if (!visit(*at)) return;
      }
      if (++chunk == chunks_.end()) return;
      at = chunk->items.begin();
    }
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kStep = 16;  // by which a chunk grows: doubling would leave a third unused

  // The last item is kept beside the others' because the search for a chunk would miss the cache at each.
  struct Chunk {
    Item last;
    std::vector<Item> items;
  };

  static bool ends_before(const Chunk& chunk, const Item& item) { return chunk.last < item; }

  // The first chunk whose last item is not less than this one.
  auto chunk_of(const Item& item) {
    return std::lower_bound(chunks_.begin(), chunks_.end(), item, ends_before);
  }

  void split(typename std::vector<Chunk>::iterator chunk) {
    auto& items = chunk->items;
    const auto half = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
    Chunk upper{chunk->last, {half, items.end()}};
    items.erase(half, items.end());
    items.shrink_to_fit();
    chunk->last = items.back();
    chunks_.insert(chunk + 1, std::move(upper));
  }

  std::vector<Chunk> chunks_;
  std::size_t size_ = 0;
};

}  // namespace mdevfs::model
