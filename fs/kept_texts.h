// SPDX-License-Identifier: Apache-2.0
//
// What the kernel keeps of files' texts where it answers opens by itself (`-o cached`). It has no word for an
// open then, and sends a READ only where it has no page; so it must be told of every change before whoever
// made it gets his answer. Two rules make that exact:
//
// - Each lookup of a file is another inode to the kernel (alias.h). A change takes away the names of all
//   files whose texts are kept, and their pages: who opens one from then on has an inode without a past.
// - An inode's text stays as it was rendered first. The kernel takes its length for the file's size, and
//   would cut off what is longer, or show zeros behind what is shorter, if another text took its place while
//   somebody reads. Only who asks for the size after a change is told of another, and finds the text that it
//   is the size of: that is a descriptor that was open over the change and is read again. (It asks because
//   its attributes went with its pages; reads of fewer bytes than the size do not ask.)
//
// A file that can be written to is kept for one open: its page takes what is written before a store has seen
// it, and cannot be invalidated while a store runs. The kernel asks for its size at each read, and drops its
// page where that is not what it was.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "channel.h"
#include "model/errno.h"
#include "model/tree.h"
#include "reply.h"

namespace mdevfs::fs {

// Thread-safety: all functions from any thread; invalidate() from the notifier's alone.
class KeptTexts {
 public:
  enum class Scope : std::uint8_t { all_opens, one_open };
  using Render = std::function<model::Result<std::string>()>;

  KeptTexts(const model::Tree& tree, const Channel& channel) : tree_(tree), channel_(channel) {}

  // READ. Errors: render's, which are not kept.
  void read(std::uint64_t inode, Scope scope, std::uint64_t offset, std::size_t size, const Render& render,
            Reply reply);
  // GETATTR: the size that the kernel is to believe. nullopt: the one that a lookup tells.
  std::optional<std::uint64_t> size(std::uint64_t inode, Scope scope, const Render& render);
  // The kernel is told the size that a lookup tells, and drops what it has.
  void restart(std::uint64_t inode);
  void forget(std::uint64_t inode);  // FORGET

  // Something has changed, perhaps a text: none that has been rendered so far is given to a new open any
  // more. Returns the inodes for invalidate(), which must be called before the change is answered, and even
  // where the kernel is told nothing any more.
  std::vector<std::uint64_t> outdate();
  void invalidate(const std::vector<std::uint64_t>& inodes, bool tell);

 private:
  struct Text {
    std::string text;
    std::uint64_t generation = 0;
  };
  // Errors: render's. The lock is released while it renders.
  model::Result<void> keep_current(std::unique_lock<std::mutex>& lock, std::uint64_t inode,
                                   const Render& render);
  void wait_until_dropped(std::unique_lock<std::mutex>& lock, std::uint64_t inode);
  // A text was given that is out of date already.
  void drop_page(std::uint64_t inode);
  void note_dropped(std::uint64_t inode);
  void forget_name(std::uint64_t inode) const;

  const model::Tree& tree_;
  const Channel& channel_;
  std::mutex mutex_;  // a leaf; held while a READ is answered, so that no invalidation overtakes it
  std::uint64_t generation_ = 0;  // of the changes
  std::unordered_map<std::uint64_t, Text> texts_;
  // Whose pages are to go. No new size is told meanwhile: if it were the same, the kernel would keep the
  // page.
  std::unordered_multiset<std::uint64_t> dropping_;
  std::condition_variable dropped_;
  std::unordered_set<std::uint64_t> told_;  // since the last change, for all opens
};

}  // namespace mdevfs::fs
