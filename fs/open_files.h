// SPDX-License-Identifier: Apache-2.0
//
// All descriptors that are open, of files and of directories, and which of them somebody polls for a change.
// They are kept here so that the ones that the kernel never closes (the mount is gone, its last message with
// it) end too.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "open_file.h"

struct fuse_pollhandle;

namespace mdevfs::fs {

// Thread-safety: all functions from any thread.
class OpenFiles {
 public:
  OpenFiles() = default;
  ~OpenFiles();  // closes them
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;

  OpenFile& add(std::unique_ptr<OpenFile> file);
  void close(OpenFile& file);
  model::HeldNode& add(std::unique_ptr<model::HeldNode> directory);
  void close(model::HeldNode& directory);

  // The kernel wants to be told when what poll(2) says of this descriptor changes. Takes the handle over.
  void watch(OpenFile& file, fuse_pollhandle* handle);
  // It has changed for all descriptors of this file.
  void wake(std::uint64_t inode) noexcept;

 private:
  struct Destroy {
    void operator()(fuse_pollhandle* handle) const noexcept;
  };
  using PollHandle = std::unique_ptr<fuse_pollhandle, Destroy>;
  struct Opened {
    std::unique_ptr<OpenFile> file;
    PollHandle watched_by;
  };
  std::mutex mutex_;  // a leaf
  std::unordered_map<const OpenFile*, Opened> files_;
  std::unordered_map<const model::HeldNode*, std::unique_ptr<model::HeldNode>> directories_;
};

}  // namespace mdevfs::fs
