// SPDX-License-Identifier: Apache-2.0
//
// Items in the order of a 31-bit hash, and found by it: a bucket is as many hashes in a row as there are for
// each bucket, so the buckets are in order, and a search for one is a shift. What is in a bucket is a short
// array in no order: to add to it is to write its end, and who walks sorts a copy. Directories of a million
// entries are kept in it: it costs two misses of the cache to find a place, where a tree costs one a level,
// and an item costs its own size and a fifth more.
//
// When there are too many items for the buckets each becomes two; one with each insert, from the first on, as
// all at once would hold up whoever waits for the lock (60 ms for half a million). Joined are they likewise.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace mdevfs::model {

// Thread-safety: as a std container. Item has a `hash` below 2^31 and is ordered by it first.
template <typename Item>
class HashBuckets {
 public:
  void insert(Item item) {
    if (buckets_.empty()) buckets_.resize(1);
    if (halves_.empty() && size_ >= buckets_.size() * kMost) halves_.resize(buckets_.size() * 2);
    split_or_join_one();
    Bucket& bucket = bucket_of(item.hash);
    if (bucket.size() == bucket.capacity()) bucket.reserve(bucket.size() + kStep);
    bucket.push_back(std::move(item));
    ++size_;
  }

  bool erase(const Item& item) {
    if (buckets_.empty()) return false;
    Bucket& bucket = bucket_of(item.hash);
    const auto at = std::find(bucket.rbegin(), bucket.rend(), item);  // the newest are the first to go
    if (at == bucket.rend()) return false;
    *at = std::move(bucket.back());
    bucket.pop_back();
    --size_;
    if (halves_.empty() && buckets_.size() > 1 && size_ < buckets_.size() * kLeast) begin_to_join();
    split_or_join_one();
    if (size_ == 0) buckets_.clear();
    return true;
  }

  // Calls visit(item) for the items of this hash, in no order, until it returns false.
  template <typename Visit>
  void find(std::uint32_t hash, Visit visit) const {
    if (buckets_.empty()) return;
    for (const Item& item : bucket_of(hash)) {
      if (item.hash == hash && !visit(item)) return;
    }
  }

  // Calls visit(item) for the items not less than `from`, in order, until it returns false.
  template <typename Visit>
  void walk(const Item& from, Visit visit) const {
    Bucket sorted;
    const auto visit_all_of = [&](const Bucket& bucket) {
      sorted = bucket;
      std::ranges::sort(sorted);
      return std::all_of(std::ranges::lower_bound(sorted, from), sorted.end(), std::ref(visit));
    };
    for (std::size_t half = half_of(from.hash); half < 2 * split_; ++half) {
      if (!visit_all_of(halves_[half])) return;
    }
    for (std::size_t place = std::max(place_of(from.hash), split_); place < buckets_.size(); ++place) {
      if (!visit_all_of(buckets_[place])) return;
    }
  }

  // Begins to fetch what an insert of such a hash will write, and does not wait for it.
  void prefetch(std::uint32_t hash) const {
    if (buckets_.empty()) return;
    const Bucket& bucket = bucket_of(hash);
    __builtin_prefetch(bucket.data() + bucket.size(), 1);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  // Of items a bucket, on average: so many, and the buckets are split; so few, and they are joined; between
  // them what has been begun is gone on with, or taken back.
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kLeast = kMost / 4;
  static constexpr std::size_t kMiddle = kMost * 3 / 4;
  static constexpr std::size_t kStep = 4;  // by which a bucket grows: doubling would leave a third unused
  static constexpr unsigned kHashBits = 31;
  using Bucket = std::vector<Item>;

  std::size_t place_of(std::uint32_t hash) const { return hash >> shift_; }
  std::size_t half_of(std::uint32_t hash) const { return hash >> (shift_ - 1); }

  const Bucket& bucket_of(std::uint32_t hash) const {
    const std::size_t place = place_of(hash);
    return place < split_ ? halves_[half_of(hash)] : buckets_[place];
  }
  Bucket& bucket_of(std::uint32_t hash) {
    return const_cast<Bucket&>(static_cast<const HashBuckets*>(this)->bucket_of(hash));
  }

  void split_or_join_one() {
    if (halves_.empty()) return;
    if (size_ >= buckets_.size() * kMiddle) {
      split_one();
    } else {
      join_one();
    }
  }

  void split_one() {
    Bucket& whole = buckets_[split_];
    const auto even = [&](const Item& item) { return (half_of(item.hash) & 1U) == 0; };
    const auto middle = std::partition(whole.begin(), whole.end(), even);
    Bucket first(whole.begin(), middle);
    halves_[2 * split_ + 1] = Bucket(middle, whole.end());
    halves_[2 * split_] = std::move(first);
    Bucket().swap(whole);
    if (++split_ < buckets_.size()) return;
    buckets_ = std::exchange(halves_, {});
    split_ = 0;
    --shift_;
  }

  void begin_to_join() {
    std::vector<Bucket> wholes(buckets_.size() / 2);
    halves_ = std::exchange(buckets_, std::move(wholes));
    split_ = buckets_.size();
    ++shift_;
  }

  void join_one() {
    if (split_ > 0) {
      Bucket& first = halves_[2 * split_ - 2];
      Bucket& second = halves_[2 * split_ - 1];
      first.insert(first.end(), second.begin(), second.end());
      Bucket().swap(second);
      buckets_[--split_] = std::move(first);
    }
    if (split_ == 0) halves_ = {};
  }

  std::vector<Bucket> buckets_;  // a power of two of them
  // While there are any, those that the first `split_` of them have become, two each.
  std::vector<Bucket> halves_;
  std::size_t split_ = 0;
  unsigned shift_ = kHashBits;  // of buckets_
  std::size_t size_ = 0;
};

}  // namespace mdevfs::model
