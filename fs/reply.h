// SPDX-License-Identifier: Apache-2.0
//
// The one answer to one request. It can be moved to whoever will give it, and given once; if nobody does, its
// end answers EIO. So "exactly one answer" holds by construction.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <utility>

#include "fuse.h"

namespace mdevfs::fs {

// Thread-safety: none; it has one owner at a time.
class Reply {
 public:
  explicit Reply(fuse_req_t request) : request_(request) {}
  Reply(Reply&& other) noexcept : request_(std::exchange(other.request_, nullptr)) {}
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (request_ != nullptr) error(EIO);
  }

  const fuse_ctx& caller() const { return *fuse_req_ctx(request_); }

  // The kernel drops an answer with an errno of 512 or more (a driver's probe may fail with one) and its
  // caller would wait for ever: EIO goes in its place.
  void error(int value) { fuse_reply_err(take(), value < kFirstInternal ? value : EIO); }
  void ok() { error(0); }
  void entry(const fuse_entry_param& entry) { fuse_reply_entry(take(), &entry); }
  void attributes(const struct stat& stat, double timeout) { fuse_reply_attr(take(), &stat, timeout); }
  void link(const std::string& target) { fuse_reply_readlink(take(), target.c_str()); }
  void written(std::size_t size) { fuse_reply_write(take(), size); }
  void data(const char* data, std::size_t size) { fuse_reply_buf(take(), data, size); }
  void events(unsigned events) { fuse_reply_poll(take(), events); }
  void statistics(const struct statvfs& statistics) { fuse_reply_statfs(take(), &statistics); }
  void xattr_size(std::size_t size) { fuse_reply_xattr(take(), size); }
  // False: the caller is gone, and there will be no release for what was opened.
  bool opened(const fuse_file_info& file) { return fuse_reply_open(take(), &file) == 0; }
  bool raw(const void* body, std::size_t size) {
    const iovec part{const_cast<void*>(body), size};
    return fuse_reply_iov(take(), &part, 1) == 0;
  }
  void none() { fuse_reply_none(take()); }

 private:
  static constexpr int kFirstInternal = 512;  // ERESTARTSYS, the first of the kernel's own errnos
  fuse_req_t take() { return std::exchange(request_, nullptr); }
  fuse_req_t request_;
};

}  // namespace mdevfs::fs
