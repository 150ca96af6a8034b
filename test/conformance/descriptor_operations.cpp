// SPDX-License-Identifier: Apache-2.0
//
// Operations of the form `NAME PATH FLAGS ...`: a path is opened with these flags, one system call is made
// on the descriptor, and the transcript names that call when it fails.
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

constexpr std::size_t kSome = 4096;  // bytes to move, map or allocate, where any amount does

// A call on an open descriptor: its result, with errno set where it is negative.
using Call = long long (*)(int fd, int flags, Arguments& arguments);

bool writes(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY;
}

long long do_ftruncate(int fd, int, Arguments& arguments) {
  return ::ftruncate(fd, arguments.number());
}

long long do_fallocate(int fd, int, Arguments&) {
  return ::fallocate(fd, 0, 0, kSome);
}

long long do_fsync(int fd, int, Arguments&) {
  return ::fsync(fd);
}

long long do_fdatasync(int fd, int, Arguments&) {
  return ::fdatasync(fd);
}

long long do_syncfs(int fd, int, Arguments&) {
  return ::syncfs(fd);
}

long long do_fadvise(int fd, int, Arguments&) {
  errno = ::posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);  // returns its errno
  return errno == 0 ? 0 : -1;
}

long long do_flock(int fd, int, Arguments&) {
  return ::flock(fd, LOCK_EX | LOCK_NB);
}

long long do_fcntl_lock(int fd, int flags, Arguments&) {
  struct flock lock{};
  lock.l_type = writes(flags) ? F_WRLCK : F_RDLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd, F_SETLK, &lock);
}

long long do_lease(int fd, int, Arguments&) {
  return ::fcntl(fd, F_SETLEASE, F_RDLCK);
}

long long do_fchmod(int fd, int, Arguments& arguments) {
  return ::fchmod(fd, static_cast<mode_t>(arguments.number(0, 8)));
}

// For these the number of bytes belongs to the outcome.
long long do_sendfileto(int fd, int, Arguments&) {
  const Descriptor to(::memfd_create("sendfileto", MFD_CLOEXEC));
  return ::sendfile(to.get(), fd, nullptr, kSome);
}

long long do_spliceto(int fd, int, Arguments&) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -1;
  const Descriptor from(ends[0]);
  const Descriptor to(ends[1]);
  return ::splice(fd, nullptr, to.get(), nullptr, kSome, 0);
}

long long do_copy_file_range(int fd, int, Arguments&) {
  const Descriptor to(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!to) return -1;
  return ::copy_file_range(fd, nullptr, to.get(), nullptr, kSome, 0);
}

struct Whence {
  std::string_view name;
  int value;
};
constexpr Whence kWhences[] = {
    {"SET", SEEK_SET}, {"CUR", SEEK_CUR}, {"END", SEEK_END}, {"DATA", SEEK_DATA}, {"HOLE", SEEK_HOLE}};

long long do_lseek(int fd, int, Arguments& arguments) {
  const auto offset = arguments.number();
  return seek(fd, offset, arguments.word());
}

struct Request {
  std::string_view name;
  unsigned long number;
};
constexpr Request kRequests[] = {{"FIONREAD", FIONREAD},
                                 {"FIGETBSZ", FIGETBSZ},
                                 {"FIOQSIZE", FIOQSIZE},
                                 {"FS_IOC_GETFLAGS", FS_IOC_GETFLAGS},
                                 {"TCGETS", TCGETS}};

enum class Shows { kNothing, kValue };

template <Call call, Shows shows = Shows::kNothing>
Outcome on_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto flags = arguments.flags();
  const Descriptor fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return failed("open");
  const auto result = call(fd.get(), flags, arguments);
  if (result < 0) return failed(arguments.operation());
  return shows == Shows::kValue ? ok(result) : ok();
}

Outcome epoll_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const Descriptor fd(::open(path.c_str(), arguments.flags() | O_CLOEXEC));
  if (!fd) return failed("open");
  const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLPRI;
  return ::epoll_ctl(set.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0 ? ok() : failed("epoll_ctl");
}

std::string mapped(std::string_view kind, int fd, int share) {
  void* const address = ::mmap(nullptr, kSome, PROT_READ, share, fd, 0);
  if (address == MAP_FAILED) return fmt::format("mmap({}): {}", kind, errno_name(errno));
  ::munmap(address, kSome);
  return fmt::format("mmap({}): ok", kind);
}

Outcome mmap_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const Descriptor fd(::open(path.c_str(), arguments.flags() | O_CLOEXEC));
  if (!fd) return failed("open");
  const auto shared = mapped("shared", fd.get(), MAP_SHARED);
  return {fmt::format("{}, {}", shared, mapped("private", fd.get(), MAP_PRIVATE)), {}};
}

Outcome ioctl_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const Descriptor fd(::open(path.c_str(), arguments.flags() | O_CLOEXEC));
  if (!fd) return failed("open");
  const auto name = arguments.word();
  for (const auto& request : kRequests) {
    if (request.name == name) return ioctl_outcome(fd.get(), request.number);
  }
  return failed("ioctl", EINVAL);
}

Outcome fstatfs_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const Descriptor fd(::open(path.c_str(), arguments.flags() | O_CLOEXEC));
  if (!fd) return failed("open");
  struct statfs status{};
  return ::fstatfs(fd.get(), &status) == 0 ? Outcome{describe(status), {}} : failed("fstatfs");
}

constexpr Operation kOperations[] = {
    {"ftruncate", on_path<do_ftruncate>},
    {"fallocate", on_path<do_fallocate>},
    {"fsync", on_path<do_fsync>},
    {"fdatasync", on_path<do_fdatasync>},
    {"syncfs", on_path<do_syncfs>},
    {"fadvise", on_path<do_fadvise>},
    {"flock", on_path<do_flock>},
    {"fcntl_lock", on_path<do_fcntl_lock>},
    {"lease", on_path<do_lease>},
    {"fchmod", on_path<do_fchmod>},
    {"lseek", on_path<do_lseek, Shows::kValue>},
    {"sendfileto", on_path<do_sendfileto, Shows::kValue>},
    {"spliceto", on_path<do_spliceto, Shows::kValue>},
    {"cfr", on_path<do_copy_file_range, Shows::kValue>},
    {"epoll", epoll_path},
    {"mmap", mmap_path},
    {"ioctl", ioctl_path},
    {"fstatfs", fstatfs_path},
};

}  // namespace

std::span<const Operation> descriptor_operations() {
  return kOperations;
}

long long seek(int fd, long long offset, std::string_view whence) {
  for (const auto& known : kWhences) {
    if (known.name == whence) return ::lseek(fd, offset, known.value);
  }
  errno = EINVAL;
  return -1;
}

Outcome ioctl_outcome(int fd, unsigned long request) {
  std::array<char, 256> answer{};  // larger than what any of these requests fills in
  if (::ioctl(fd, request, answer.data()) != 0) return failed("ioctl");
  int value = 0;
  std::memcpy(&value, answer.data(), sizeof value);
  return ok(value);
}

std::string describe(const struct statfs& status) {
  return fmt::format(
      "ok type={:#x} bsize={} blocks={} bfree={} bavail={} files={} ffree={} namelen={} frsize={} "
      "flags={:#x}",
      static_cast<unsigned long>(status.f_type), status.f_bsize, status.f_blocks, status.f_bfree,
      status.f_bavail, status.f_files, status.f_ffree, status.f_namelen, status.f_frsize,
      static_cast<unsigned long>(status.f_flags));
}

}  // namespace mdevfs::conformance
