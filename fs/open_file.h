// SPDX-License-Identifier: Apache-2.0
//
// What an open descriptor is: kernfs's struct kernfs_open_file, with the sequence file behind it. One
// descriptor does one thing at a time; several descriptors of one file do not hold each other up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/lock.h"
#include "model/tree.h"

namespace mdevfs::fs {

// Thread-safety: all functions from any thread.
class OpenFile {
 public:
  // The entry's `open` has been called already, its `close` is called at the end.
  explicit OpenFile(model::HeldNode node)
      : node_(std::move(node)), generation_(node_.object->gate(node_.entry->part).generation()) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  // Text from an offset: rendered anew unless the last read ended there, so that a text read in parts is of
  // one moment. ENODEV: the file is gone. EIO: it cannot be read.
  model::Result<std::string> read(model::Tree& tree, std::uint64_t offset, std::size_t size);
  // One store call with the first page of what is written; returns how much that was.
  // ENODEV: the file is gone. EIO: it cannot be written. Otherwise the store's.
  model::Result<std::size_t> write(std::string_view data);
  // What poll(2) reports. Of a sysfs file: always ready, and changed until the first read and for ever when
  // it is gone.
  unsigned events(const model::Tree& tree) const;

  std::uint64_t inode() const { return model::inode_of(node_.object->id, node_.slot); }

 private:
  class Active;
  const model::HeldNode node_;
  const std::uint32_t generation_;  // of the gate when it was opened
  mutable model::Mutex mutex_{model::Rank::open_file};
  std::string text_ GUARDED_BY(mutex_);
  std::uint64_t read_to_ GUARDED_BY(mutex_) = 0;
  std::atomic<bool> has_read_{false};  // poll must not wait for a slow store
};

}  // namespace mdevfs::fs
