// SPDX-License-Identifier: Apache-2.0
//
// What the kernel keeps of directories' listings where it opens directories by itself (`-o cached`). It then
// has no word for an open, sends READDIR only where it has no listing, and must be told of every name that
// comes or goes before whoever made or removed it gets his answer. It can be: dropping a directory's pages
// drops its listing. But a READDIR's names may be on their way into those pages then, and of several readers
// at once each adds what fits behind what is there: by position, and by nothing else
// (fuse_add_dirent_to_cache in the kernel). So a listing may begin with what one reader was told before a
// change and end with what another was told after it. Hence the positions: each has a number in it, another
// for each reader who begins. Then what the kernel puts together is what one reader was told, and it takes
// that for whole when the READDIR behind the last name is answered, which says whose it is. If a change came
// since that one began, the pages are dropped before that answer: the kernel finds them missing, and begins
// anew. (One number for all readers between two changes was not enough, and stale listings were seen within
// seconds: the answer to one's last READDIR, slow to take effect, can make the next listing whole, which
// began with an old answer that was slower still.)
//
// Where a reader leaves off, or pages are dropped while the kernel adds to them, it never completes a listing
// of that directory: it goes on asking then, as without `-o cached`. So nothing is dropped needlessly.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "channel.h"
#include "model/tree.h"

namespace mdevfs::fs {

// A position in a listing, as the kernel has it: a positive off_t.
struct ListingPosition {
  std::uint32_t listing = 0;   // its number; 0: none, at the beginning and where there is no room for it
  std::uint64_t position = 0;  // the model's (Tree::list)

  static ListingPosition from(std::uint64_t offset);
  std::uint64_t offset() const;
};

// Thread-safety: all functions from any thread. invalidate() and end() wait for whoever has a page in hand.
class KeptListings {
 public:
  KeptListings(const model::Tree& tree, const Channel& channel) : tree_(tree), channel_(channel) {}

  // Does the kernel open directories by itself (5.1 and later)? Where it does not, it keeps no listings.
  void set_opened_by_kernel(bool opened) { opened_by_kernel_ = opened; }
  bool opened_by_kernel() const { return opened_by_kernel_; }

  // READDIR, of which this is the position that it is to begin at.
  ListingPosition begin(std::uint64_t directory, std::uint64_t offset);
  // The position that comes after that one, and is this one to the model.
  ListingPosition next(ListingPosition at, std::uint64_t position);
  // READDIR behind the last name: called before it is answered.
  void end(std::uint64_t directory, ListingPosition at);
  void forget(std::uint64_t directory);  // FORGET

  // Of these inodes those directories have changed. Returns the ones for invalidate(), which must be called
  // before the change is answered, and even where the kernel is told nothing any more.
  std::vector<std::uint64_t> outdate(const std::vector<std::uint64_t>& inodes);
  void invalidate(const std::vector<std::uint64_t>& directories, bool tell);
  // The kernel is told of all that invalidate() is still to be called for, now.
  void tell_all();

 private:
  struct Listing {
    std::uint64_t changed = 0;  // those begun up to this number are outdated
    bool is_whole = false;      // perhaps: one that is not has come to its end
  };
  std::uint32_t new_number();  // with mutex_ held

  const model::Tree& tree_;
  const Channel& channel_;
  std::atomic<bool> opened_by_kernel_{false};
  std::mutex mutex_;        // a leaf
  std::uint64_t last_ = 0;  // of the numbers given so far
  // Of directories that somebody has begun to list since they changed last.
  std::unordered_map<std::uint64_t, Listing> listings_;
  std::unordered_multiset<std::uint64_t> untold_;
};

}  // namespace mdevfs::fs
