// SPDX-License-Identifier: Apache-2.0
//
// The descriptor between the kernel and us, below libfuse: messages pass through here unchanged but for what
// libfuse 3.14 leaves out of its answer to INIT, and notifications are written here in their own form, so
// that they do not depend on which of them a version of libfuse knows.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <string>

struct fuse_session;

namespace mdevfs::fs {

// Thread-safety: all functions from any thread; the descriptor is set once, before the first message.
class Channel {
 public:
  Channel() = default;

  // Routes the session's messages through this channel. False: libfuse refused.
  bool carry(fuse_session* session, int fd);

  // FUSE_NOTIFY_INVAL_ENTRY. Takes the parent directory's inode lock in the kernel, which a lookup in flight
  // there holds until it is answered: never call it from a worker.
  void forget_entry(std::uint64_t directory, const std::string& name) const;
  // The same, but the kernel asks for the name before it forgets it, and who stands in it keeps his path
  // until then.
  void expire_entry(std::uint64_t directory, const std::string& name) const;
  // FUSE_NOTIFY_INVAL_INODE, attributes only.
  void invalidate_attributes(std::uint64_t inode) const;
  // The same with the pages: a file's text, a directory's listing. Waits for whoever holds one: a READ or
  // WRITE of that file in flight.
  void invalidate_pages(std::uint64_t inode) const;

  // Can the kernel let a name expire (6.2 and later)? Where it cannot, expire_entry() is forget_entry().
  void set_expires(bool expires) { expires_ = expires; }

 private:
  static ssize_t read(int fd, void* buffer, std::size_t size, void* request_userdata);
  static ssize_t write(int fd, iovec* parts, int count, void* request_userdata);
  void invalidate_entry(std::uint64_t directory, const std::string& name, std::uint32_t flags) const;
  void invalidate_inode(std::uint64_t inode, std::int64_t offset) const;
  void notify(std::int32_t code, const void* body, std::size_t size, const std::string& name) const;

  int fd_ = -1;
  std::atomic<bool> expires_{false};
};

}  // namespace mdevfs::fs
