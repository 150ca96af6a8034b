// SPDX-License-Identifier: Apache-2.0
#include "open_files.h"

#include "fuse.h"

namespace mdevfs::fs {

void OpenFiles::Destroy::operator()(fuse_pollhandle* handle) const noexcept {
  fuse_pollhandle_destroy(handle);
}

OpenFiles::~OpenFiles() = default;

OpenFile& OpenFiles::add(std::unique_ptr<OpenFile> file) {
  OpenFile& opened = *file;
  const std::lock_guard lock(mutex_);
  files_[&opened].file = std::move(file);
  return opened;
}

void OpenFiles::close(OpenFile& file) {
  Opened closed;  // ends after the lock: a file's end may do anything
  const std::lock_guard lock(mutex_);
  const auto at = files_.find(&file);
  closed = std::move(at->second);
  files_.erase(at);
}

model::HeldNode& OpenFiles::add(std::unique_ptr<model::HeldNode> directory) {
  model::HeldNode& opened = *directory;
  const std::lock_guard lock(mutex_);
  directories_[&opened] = std::move(directory);
  return opened;
}

void OpenFiles::close(model::HeldNode& directory) {
  std::unique_ptr<model::HeldNode> closed;  // ends after the lock: it may be the last that holds its object
  const std::lock_guard lock(mutex_);
  const auto at = directories_.find(&directory);
  closed = std::move(at->second);
  directories_.erase(at);
}

void OpenFiles::watch(OpenFile& file, fuse_pollhandle* handle) {
  PollHandle taken(handle);
  const std::lock_guard lock(mutex_);
  files_.at(&file).watched_by.swap(taken);
}

// FUSE_NOTIFY_POLL takes no lock in the kernel that a request in flight could hold, so any thread may send
// it.
void OpenFiles::wake(std::uint64_t inode) noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& [file, opened] : files_) {
    if (opened.watched_by != nullptr && file->inode() == inode)
      fuse_lowlevel_notify_poll(opened.watched_by.get());
  }
}

}  // namespace mdevfs::fs
