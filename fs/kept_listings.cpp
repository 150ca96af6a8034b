// SPDX-License-Identifier: Apache-2.0
#include "kept_listings.h"

#include "model/waiting.h"

namespace mdevfs::fs {
namespace {

// From the lowest bit on: 31 bits of hash, and 31 bits of a number, or of an object's id and then one bit
// that says so. The id tells names apart that hash alike.
constexpr unsigned kHashBits = 31;
constexpr unsigned kIdShift = 32;  // the model's
constexpr std::uint64_t kLow = (std::uint64_t{1} << kHashBits) - 1;
constexpr std::uint64_t kHasId = std::uint64_t{1} << (2 * kHashBits);

// Of the number's bits the highest: behind a position that had none. Such a listing may be several readers'.
constexpr std::uint32_t kMixed = std::uint32_t{1} << 30U;
constexpr std::uint32_t kNumber = kMixed - 1;

}  // namespace

ListingPosition ListingPosition::from(std::uint64_t offset) {
  const std::uint64_t high = offset >> kHashBits & kLow;
  if ((offset & kHasId) != 0) return {0, high << kIdShift | (offset & kLow)};
  return {static_cast<std::uint32_t>(high), offset & kLow};
}

std::uint64_t ListingPosition::offset() const {
  if (position > kLow) return kHasId | position >> kIdShift << kHashBits | (position & kLow);
  return std::uint64_t{listing} << kHashBits | position;
}

// Never 0.
std::uint32_t KeptListings::new_number() {
  if ((++last_ & kNumber) == 0) ++last_;
  return static_cast<std::uint32_t>(last_ & kNumber);
}

ListingPosition KeptListings::begin(std::uint64_t directory, std::uint64_t offset) {
  if (offset != 0) return ListingPosition::from(offset);
  const std::lock_guard lock(mutex_);
  listings_.try_emplace(directory, Listing{.changed = last_});
  return {new_number(), 0};
}

ListingPosition KeptListings::next(ListingPosition at, std::uint64_t position) {
  if (position > kLow) return {0, position};
  if (at.listing != 0) return {at.listing, position};
  const std::lock_guard lock(mutex_);
  return {new_number() | kMixed, position};
}

void KeptListings::end(std::uint64_t directory, ListingPosition at) {
  {
    const std::lock_guard lock(mutex_);
    const auto listing = listings_.find(directory);
    const std::uint64_t ago = (last_ - at.listing) & kNumber;
    const bool is_mixed = at.listing == 0 || (at.listing & kMixed) != 0;
    if (!is_mixed && listing != listings_.end() && last_ - ago > listing->second.changed) {
      listing->second.is_whole = true;
      return;
    }
  }
  model::announce_wait();
  channel_.invalidate_pages(directory);
}

// A FORGET may come late, when the kernel knows the directory again: what is there still is remembered.
void KeptListings::forget(std::uint64_t directory) {
  {
    const std::lock_guard lock(mutex_);
    if (!listings_.contains(directory)) return;
  }
  if (tree_.alive(tree_.resolve(directory))) return;
  const std::lock_guard lock(mutex_);
  listings_.erase(directory);
}

std::vector<std::uint64_t> KeptListings::outdate(const std::vector<std::uint64_t>& inodes) {
  std::vector<std::uint64_t> whole;
  const std::lock_guard lock(mutex_);
  for (const auto inode : inodes) {
    const auto at = listings_.find(inode);
    if (at == listings_.end()) continue;
    if (at->second.is_whole) {
      whole.push_back(inode);
      untold_.insert(inode);
    }
    listings_.erase(at);
  }
  return whole;
}

void KeptListings::invalidate(const std::vector<std::uint64_t>& directories, bool tell) {
  for (const auto directory : directories) {
    if (tell) channel_.invalidate_pages(directory);
    const std::lock_guard lock(mutex_);
    untold_.erase(untold_.find(directory));
  }
}

void KeptListings::tell_all() {
  std::vector<std::uint64_t> directories;
  {
    const std::lock_guard lock(mutex_);
    directories.assign(untold_.begin(), untold_.end());
  }
  for (const auto directory : directories) channel_.invalidate_pages(directory);
}

}  // namespace mdevfs::fs
