// SPDX-License-Identifier: Apache-2.0
//
// Items in the order of a 31-bit hash, and found by it: a bucket is as many hashes in a row as there are for
// each bucket, so the buckets are in order, and a search for one is a shift. What is in a bucket is a short
// array in no order: to add to it is to write its end, and who walks sorts a copy. Directories of a million
// entries are kept in it: it costs two misses of the cache to find a place, where a tree costs one a level,
// and an item costs its own size and a fifth more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mdevfs::model {

// Thread-safety: as a std container. Item has a `hash` below 2^31 and is ordered by it first.
template <typename Item>
class HashBuckets {
 public:
  void insert(Item item) {
    if (size_ >= buckets_.size() * kMost) grow();
    Bucket& bucket = buckets_[place_of(item.hash)];
    if (bucket.size() == bucket.capacity()) bucket.reserve(bucket.size() + kStep);
    bucket.push_back(std::move(item));
    ++size_;
  }

  bool erase(const Item& item) {
    if (buckets_.empty()) return false;
    Bucket& bucket = buckets_[place_of(item.hash)];
    const auto at = std::find(bucket.rbegin(), bucket.rend(), item);  // the newest are the first to go
    if (at == bucket.rend()) return false;
    *at = std::move(bucket.back());
    bucket.pop_back();
    --size_;
    if (size_ < buckets_.size() * kLeast) shrink();
    return true;
  }

  // Calls visit(item) for the items of this hash, in no order, until it returns false.
  template <typename Visit>
  void find(std::uint32_t hash, Visit visit) const {
    if (buckets_.empty()) return;
    for (const Item& item : buckets_[place_of(hash)]) {
      if (item.hash == hash && !visit(item)) return;
    }
  }

  // Calls visit(item) for the items not less than `from`, in order, until it returns false.
  template <typename Visit>
  void walk(const Item& from, Visit visit) const {
    Bucket sorted;
    for (std::size_t place = place_of(from.hash); place < buckets_.size(); ++place) {
      sorted = buckets_[place];
      std::ranges::sort(sorted);
      for (auto at = std::ranges::lower_bound(sorted, from); at != sorted.end(); ++at) {
        if (!visit(*at)) return;
      }
    }
  }

  // Begins to fetch what an insert of such a hash will write, and does not wait for it.
  void prefetch(std::uint32_t hash) const {
    if (buckets_.empty()) return;
    const Bucket& bucket = buckets_[place_of(hash)];
    __builtin_prefetch(bucket.data() + bucket.size(), 1);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  // Of items a bucket, on average.
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kLeast = kMost / 4;
  static constexpr std::size_t kStep = 4;  // by which a bucket grows: doubling would leave a third unused
  static constexpr unsigned kHashBits = 31;
  using Bucket = std::vector<Item>;

  std::size_t place_of(std::uint32_t hash) const { return hash >> shift_; }

  // Each bucket becomes two.
  void grow() {
    if (buckets_.empty()) {
      buckets_.resize(1);
      return;
    }
    std::vector<Bucket> halves;
    halves.reserve(buckets_.size() * 2);
    --shift_;
    for (Bucket& bucket : buckets_) {
      const auto even = [&](const Item& item) { return (place_of(item.hash) & 1U) == 0; };
      const auto middle = std::partition(bucket.begin(), bucket.end(), even);
      halves.emplace_back(bucket.begin(), middle);
      halves.emplace_back(middle, bucket.end());
      Bucket().swap(bucket);
    }
    buckets_ = std::move(halves);
  }

  // Each two become one.
  void shrink() {
    if (buckets_.size() == 1) {
      if (size_ == 0) buckets_.clear();
      return;
    }
    std::vector<Bucket> wholes;
    wholes.reserve(buckets_.size() / 2);
    for (std::size_t i = 0; i < buckets_.size(); i += 2) {
      Bucket& whole = wholes.emplace_back(std::move(buckets_[i]));
      whole.insert(whole.end(), buckets_[i + 1].begin(), buckets_[i + 1].end());
    }
    ++shift_;
    buckets_ = std::move(wholes);
  }

  std::vector<Bucket> buckets_;  // a power of two of them
  unsigned shift_ = kHashBits;
  std::size_t size_ = 0;
};

}  // namespace mdevfs::model
