// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "fuse.h"
#include "ops.h"

namespace mdevfs::fs {
namespace {

// The answer to INIT is the only one with a body of this shape: it is known by the unique of the request,
// which is noted when it passes. One session a process is usual, but a second does no harm: uniques of INIT
// are few.
thread_local std::uint64_t init_unique = 0;
thread_local std::uint32_t init_offers = 0;

// libfuse 3.14 never asks for FUSE_PARALLEL_DIROPS: without it the kernel sends the lookups in one directory
// one after another (8 lookups of 300 ms took 2421 ms; with it 317 ms). Later versions ask by themselves.
void complete_init_answer(iovec* parts, int count) {
  if (count < 2 || parts[1].iov_len < sizeof(fuse_init_out)) return;
  auto* const answer = static_cast<fuse_init_out*>(parts[1].iov_base);
  answer->flags |= init_offers & FUSE_PARALLEL_DIROPS;
}

}  // namespace

bool Channel::carry(fuse_session* session, int fd) {
  fd_ = fd;
  fuse_custom_io io{};  // later versions have more members
  io.writev = &Channel::write;
  io.read = &Channel::read;
  return fuse_session_custom_io(session, &io, fd) == 0;
}

ssize_t Channel::read(int fd, void* buffer, std::size_t size, void*) {
  const ssize_t got = ::read(fd, buffer, size);
  if (got >= static_cast<ssize_t>(sizeof(fuse_in_header))) {
    const auto* const header = static_cast<const fuse_in_header*>(buffer);
    if (header->opcode == FUSE_INIT &&
        got >= static_cast<ssize_t>(sizeof(fuse_in_header) + sizeof(fuse_init_in))) {
      init_unique = header->unique;
      init_offers = reinterpret_cast<const fuse_init_in*>(header + 1)->flags;
    }
  }
  return got;
}

ssize_t Channel::write(int fd, iovec* parts, int count, void* userdata) {
  const auto* const header = static_cast<const fuse_out_header*>(parts[0].iov_base);
  // INIT is answered by the thread that read it.
  const bool answers_init = init_unique != 0 && header->unique == init_unique && header->error == 0;
  if (answers_init) complete_init_answer(parts, count);
  const ssize_t written = ::writev(fd, parts, count);
  if (answers_init) {
    init_unique = 0;
    const auto& on_ready = static_cast<const Context*>(userdata)->on_ready;
    if (on_ready) on_ready();
  }
  return written;
}

void Channel::notify(std::int32_t code, const void* body, std::size_t size, const std::string& name) const {
  fuse_out_header header{};
  std::array<iovec, 3> parts{iovec{&header, sizeof header}, iovec{const_cast<void*>(body), size},
                             iovec{const_cast<char*>(name.c_str()), name.empty() ? 0 : name.size() + 1}};
  for (const iovec& part : parts) header.len += static_cast<std::uint32_t>(part.iov_len);
  header.error = code;
  // ENOENT: the kernel has forgotten it already. Anything else means that the mount is going: nothing to do
  // either.
  [[maybe_unused]] const ssize_t written = ::writev(fd_, parts.data(), name.empty() ? 2 : 3);
}

void Channel::invalidate_entry(std::uint64_t directory, const std::string& name) const {
  fuse_notify_inval_entry_out body{};
  body.parent = directory;
  body.namelen = static_cast<std::uint32_t>(name.size());
  body.flags = expires_ ? FUSE_EXPIRE_ONLY : 0;
  notify(FUSE_NOTIFY_INVAL_ENTRY, &body, sizeof body, name);
}

void Channel::invalidate_attributes(std::uint64_t inode) const {
  fuse_notify_inval_inode_out body{};
  body.ino = inode;
  body.off = -1;
  notify(FUSE_NOTIFY_INVAL_INODE, &body, sizeof body, {});
}

}  // namespace mdevfs::fs
