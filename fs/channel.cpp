// SPDX-License-Identifier: Apache-2.0
#include "channel.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
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

// What a request of this kind has at least behind its header.
std::size_t fixed_part(std::uint32_t opcode) {
  switch (opcode) {
    case FUSE_INIT:
      return offsetof(fuse_init_in, flags2);
    case FUSE_FORGET:
      return sizeof(fuse_forget_in);
    case FUSE_BATCH_FORGET:
      return sizeof(fuse_batch_forget_in);
    case FUSE_INTERRUPT:
      return sizeof(fuse_interrupt_in);
    case FUSE_GETATTR:
      return sizeof(fuse_getattr_in);
    case FUSE_SETATTR:
      return sizeof(fuse_setattr_in);
    case FUSE_MKNOD:
      return sizeof(fuse_mknod_in);
    case FUSE_CREATE:
      return sizeof(fuse_create_in);
    case FUSE_READ:
    case FUSE_READDIR:
      return sizeof(fuse_read_in);
    case FUSE_WRITE:
      return sizeof(fuse_write_in);
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
      return sizeof(fuse_release_in);
    case FUSE_POLL:
      return sizeof(fuse_poll_in);
    default:
      return 0;  // names and small structs, of which nothing is believed
  }
}

// What the request itself says that it carries.
std::size_t payload(const fuse_in_header* header, std::size_t size) {
  const auto* const body = reinterpret_cast<const char*>(header + 1);
  if (header->opcode == FUSE_WRITE) return reinterpret_cast<const fuse_write_in*>(body)->size;
  if (header->opcode != FUSE_SETXATTR || size < FUSE_COMPAT_SETXATTR_IN_SIZE) return 0;
  const std::size_t name = strnlen(body + FUSE_COMPAT_SETXATTR_IN_SIZE, size - FUSE_COMPAT_SETXATTR_IN_SIZE);
  return FUSE_COMPAT_SETXATTR_IN_SIZE + name + 1 + reinterpret_cast<const fuse_setxattr_in*>(body)->size;
}

// libfuse takes a message's word for its own size. The kernel's can be trusted; whoever else has the
// descriptor's other end gets EIO for a message that is not all there.
bool is_whole(const fuse_in_header* header, std::size_t size) {
  const std::size_t fixed = fixed_part(header->opcode);
  const std::size_t body = size - sizeof *header;
  return header->len == size && body >= fixed && body - fixed >= payload(header, body);
}

void refuse(int fd, const fuse_in_header* header) {
  if (header->opcode == FUSE_FORGET || header->opcode == FUSE_BATCH_FORGET) return;  // never answered
  const fuse_out_header answer{.len = sizeof answer, .error = -EIO, .unique = header->unique};
  [[maybe_unused]] const ssize_t written = ::write(fd, &answer, sizeof answer);
}

}  // namespace

bool Channel::carry(fuse_session* session, int fd) {
  fd_ = fd;
  fuse_custom_io io{};  // later versions have more members
  io.writev = &Channel::write;
  io.read = &Channel::read;
  return fuse_session_custom_io(session, &io, fd) == 0;
}

ssize_t Channel::read(int fd, void* buffer, std::size_t size, void* userdata) {
  const auto& on_request = static_cast<const Context*>(userdata)->on_request;
  constexpr std::size_t kEnd = 2;  // a name may lack its end, and a second one may lack altogether
  const auto* const header = static_cast<const fuse_in_header*>(buffer);
  while (true) {
    const ssize_t got = ::read(fd, buffer, size - kEnd);
    if (got <= 0) return got;
    const auto length = static_cast<std::size_t>(got);
    if (length < sizeof *header) continue;
    if (!is_whole(header, length)) {
      refuse(fd, header);
      continue;
    }
    if (on_request) on_request(header->opcode);
    std::memset(static_cast<char*>(buffer) + length, 0, kEnd);
    if (header->opcode == FUSE_INIT) {
      init_unique = header->unique;
      init_offers = reinterpret_cast<const fuse_init_in*>(header + 1)->flags;
    }
    return got;
  }
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

void Channel::invalidate_entry(std::uint64_t directory, const std::string& name, std::uint32_t flags) const {
  fuse_notify_inval_entry_out body{};
  body.parent = directory;
  body.namelen = static_cast<std::uint32_t>(name.size());
  body.flags = flags;
  notify(FUSE_NOTIFY_INVAL_ENTRY, &body, sizeof body, name);
}

void Channel::expire_entry(std::uint64_t directory, const std::string& name) const {
  invalidate_entry(directory, name, expires_ ? FUSE_EXPIRE_ONLY : 0);
}

void Channel::forget_entry(std::uint64_t directory, const std::string& name) const {
  invalidate_entry(directory, name, 0);
}

// A negative offset: the attributes alone.
void Channel::invalidate_inode(std::uint64_t inode, std::int64_t offset) const {
  fuse_notify_inval_inode_out body{};
  body.ino = inode;
  body.off = offset;
  notify(FUSE_NOTIFY_INVAL_INODE, &body, sizeof body, {});
}

void Channel::invalidate_attributes(std::uint64_t inode) const {
  invalidate_inode(inode, -1);
}

void Channel::invalidate_pages(std::uint64_t inode) const {
  invalidate_inode(inode, 0);
}

}  // namespace mdevfs::fs
