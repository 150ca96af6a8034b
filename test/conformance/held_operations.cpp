// SPDX-License-Identifier: Apache-2.0
//
// Operations on descriptors that a scenario holds by name across the comings and goings of what they are of.
// A name that is not held (its open was refused) gives EBADF.
#include <fmt/format.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "operation.h"

namespace mdevfs::conformance {
namespace {

constexpr long long kReadSize = 16384;

int held(Context& context, Arguments& arguments) {
  return context.held.get(arguments.word());
}

Outcome done(std::string_view call, int result) {
  return result == 0 ? ok() : failed(call);
}

Outcome hold_as(Context& context, std::string_view name, std::string_view call, int fd) {
  if (fd < 0) return failed(call);
  context.held.put(std::string(name), Descriptor(fd));
  return ok();
}

Outcome hold(Context& context, Arguments& arguments) {
  const auto name = arguments.word();
  const auto path = arguments.path();
  return hold_as(context, name, "open", ::open(path.c_str(), arguments.flags() | O_CLOEXEC, 0644));
}

Outcome hold_at(Context& context, Arguments& arguments) {
  const auto name = arguments.word();
  const int directory = held(context, arguments);
  const auto path = arguments.path();
  return hold_as(context, name, "openat",
                 ::openat(directory, path.c_str(), arguments.flags() | O_CLOEXEC, 0644));
}

Outcome hold_read(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  std::string buffer(static_cast<std::size_t>(arguments.number(kReadSize)), '\0');
  return read_into_quotes("read", ::read(fd, buffer.data(), buffer.size()), buffer);
}

Outcome hold_pread(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  const auto offset = arguments.number();
  std::string buffer(static_cast<std::size_t>(arguments.number(kReadSize)), '\0');
  return read_into_quotes("pread", ::pread(fd, buffer.data(), buffer.size(), offset), buffer);
}

Outcome hold_write(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  const auto text = arguments.text();
  return wrote("write", ::write(fd, text.data(), text.size()), text.size());
}

Outcome hold_pwrite(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  const auto offset = arguments.number();
  const auto text = arguments.text();
  return wrote("pwrite", ::pwrite(fd, text.data(), text.size(), offset), text.size());
}

Outcome hold_seek(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  const auto offset = arguments.number();
  const auto position = seek(fd, offset, arguments.word());
  return position < 0 ? failed("lseek") : ok(position);
}

Outcome hold_stat(Context& context, Arguments& arguments) {
  struct stat status{};
  return ::fstat(held(context, arguments), &status) == 0 ? Outcome{describe(status), {}} : failed("fstat");
}

Outcome hold_stat_at(Context& context, Arguments& arguments) {
  struct stat status{};
  const int directory = held(context, arguments);
  const int result = ::fstatat(directory, arguments.path().c_str(), &status, AT_SYMLINK_NOFOLLOW);
  return result == 0 ? Outcome{describe(status), {}} : failed("fstatat");
}

Outcome hold_list(Context& context, Arguments& arguments) {
  return list(held(context, arguments), Listing::kSorted);
}

Outcome target(std::string_view call, std::string_view before, int directory, const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  const auto length = ::readlinkat(directory, path.c_str(), buffer.data(), buffer.size());
  if (length < 0) return failed(call);
  return {std::string(before) + std::string(buffer.data(), static_cast<std::size_t>(length)), {}};
}

std::string own_path(int fd) {
  return fmt::format("/proc/self/fd/{}", fd);
}

Outcome hold_readlink_at(Context& context, Arguments& arguments) {
  const int directory = held(context, arguments);
  return target("readlinkat", "ok ", directory, arguments.path());
}

Outcome hold_path(Context& context, Arguments& arguments) {
  return target("readlink", "", AT_FDCWD, own_path(held(context, arguments)));
}

Outcome hold_reopen(Context& context, Arguments& arguments) {
  const auto path = own_path(held(context, arguments));
  const Descriptor again(::open(path.c_str(), arguments.flags() | O_CLOEXEC));
  return again ? ok() : failed("open");
}

Outcome hold_poll(Context& context, Arguments& arguments) {
  return poll_outcome(held(context, arguments));
}

Outcome hold_ioctl(Context& context, Arguments& arguments) {
  return ioctl_outcome(held(context, arguments), FIONREAD);
}

Outcome hold_map(Context& context, Arguments& arguments) {
  constexpr std::size_t kSize = 4096;
  void* const address = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, held(context, arguments), 0);
  if (address == MAP_FAILED) return failed("mmap");
  ::munmap(address, kSize);
  return ok();
}

Outcome hold_sync(Context& context, Arguments& arguments) {
  return done("fsync", ::fsync(held(context, arguments)));
}

Outcome hold_truncate(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  return done("ftruncate", ::ftruncate(fd, arguments.number()));
}

Outcome hold_change_mode(Context& context, Arguments& arguments) {
  const int fd = held(context, arguments);
  return done("fchmod", ::fchmod(fd, static_cast<mode_t>(arguments.number(0, 8))));
}

Outcome hold_change_directory(Context& context, Arguments& arguments) {
  return done("fchdir", ::fchdir(held(context, arguments)));
}

Outcome hold_close(Context& context, Arguments& arguments) {
  return done("close", context.held.close(arguments.word()));
}

constexpr Operation kOperations[] = {
    {"hold", hold},
    {"holdat", hold_at},
    {"hread", hold_read},
    {"hpread", hold_pread},
    {"hwrite", hold_write},
    {"hpwrite", hold_pwrite},
    {"hseek", hold_seek},
    {"hstat", hold_stat},
    {"hstatat", hold_stat_at},
    {"hls", hold_list},
    {"hreadlinkat", hold_readlink_at},
    {"hpath", hold_path},
    {"hreopen", hold_reopen},
    {"hpoll", hold_poll},
    {"hioctl", hold_ioctl},
    {"hmmap", hold_map},
    {"hfsync", hold_sync},
    {"hftruncate", hold_truncate},
    {"hfchmod", hold_change_mode},
    {"hfchdir", hold_change_directory},
    {"hclose", hold_close},
};

}  // namespace

std::span<const Operation> held_operations() {
  return kOperations;
}

}  // namespace mdevfs::conformance
