// SPDX-License-Identifier: Apache-2.0
//
// Operations on what is known about a name: stat and its relatives, modes, owners, times, extended
// attributes; and those that would make or take away names.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

Outcome done(std::string_view call, int result) {
  return result == 0 ? ok() : failed(call);
}

std::string times(const struct stat& status) {
  const auto& [changed, modified] = std::pair{status.st_ctim, status.st_mtim};
  const auto order = changed.tv_sec != modified.tv_sec ? changed.tv_sec <=> modified.tv_sec
                                                       : changed.tv_nsec <=> modified.tv_nsec;
  return fmt::format(" atime={} mtime={} ctime{}mtime", status.st_atim.tv_sec, modified.tv_sec,
                     order == 0 ? "==" : (order > 0 ? ">" : "<"));
}

Outcome stat_path(Context&, Arguments& arguments) {
  struct stat status{};
  return ::lstat(arguments.path().c_str(), &status) == 0 ? Outcome{describe(status), {}} : failed("lstat");
}

Outcome stat_target(Context&, Arguments& arguments) {
  struct stat status{};
  return ::stat(arguments.path().c_str(), &status) == 0 ? Outcome{describe(status), {}} : failed("stat");
}

Outcome stat_times(Context&, Arguments& arguments) {
  struct stat status{};
  if (::lstat(arguments.path().c_str(), &status) != 0) return failed("lstat");
  return {describe(status) + times(status), {}};
}

Outcome statfs_path(Context&, Arguments& arguments) {
  struct statfs status{};
  return ::statfs(arguments.path().c_str(), &status) == 0 ? Outcome{describe(status), {}} : failed("statfs");
}

struct AccessMode {
  char letter;
  int mode;
};
constexpr AccessMode kAccessModes[] = {{'r', R_OK}, {'w', W_OK}, {'x', X_OK}, {'f', F_OK}};

Outcome access_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  int mode = 0;
  for (const char letter : arguments.word()) {
    for (const auto& known : kAccessModes) {
      if (known.letter == letter) mode |= known.mode;
    }
  }
  return done("faccessat", ::faccessat(AT_FDCWD, path.c_str(), mode, 0));
}

Outcome exists(Context&, Arguments& arguments) {
  struct stat status{};
  const bool found = ::lstat(arguments.path().c_str(), &status) == 0;
  return {found ? "yes" : errno_name(errno), {}};
}

Outcome make_directory(Context&, Arguments& arguments) {
  return done("mkdir", ::mkdir(arguments.path().c_str(), 0755));
}

Outcome remove_directory(Context&, Arguments& arguments) {
  return done("rmdir", ::rmdir(arguments.path().c_str()));
}

Outcome unlink_path(Context&, Arguments& arguments) {
  return done("unlink", ::unlink(arguments.path().c_str()));
}

template <int (*call)(const char*, const char*)>
Outcome on_two_paths(Context&, Arguments& arguments) {
  const auto from = arguments.path();
  return done(arguments.operation(), call(from.c_str(), arguments.path().c_str()));
}

struct NodeType {
  std::string_view letter;
  mode_t mode;
};
constexpr NodeType kNodeTypes[] = {
    {"f", S_IFREG}, {"c", S_IFCHR}, {"b", S_IFBLK}, {"p", S_IFIFO}, {"s", S_IFSOCK}};

Outcome make_node(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto letter = arguments.word();
  for (const auto& type : kNodeTypes) {
    if (type.letter == letter) return done("mknod", ::mknod(path.c_str(), type.mode | 0644, ::makedev(1, 3)));
  }
  return failed("mknod", EINVAL);
}

Outcome create_path(Context&, Arguments& arguments) {
  const Descriptor fd(::creat(arguments.path().c_str(), 0644));
  return fd ? ok() : failed("creat");
}

Outcome truncate_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  return done("truncate", ::truncate(path.c_str(), arguments.number()));
}

Outcome change_mode(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  return done("chmod", ::chmod(path.c_str(), static_cast<mode_t>(arguments.number(0, 8))));
}

Outcome change_owner(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto user = static_cast<uid_t>(arguments.number(-1));
  return done("chown", ::lchown(path.c_str(), user, static_cast<gid_t>(arguments.number(-1))));
}

Outcome change_times(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const bool now = arguments.empty();
  const timespec given{arguments.number(), 0};
  const std::array<timespec, 2> both{given, given};
  return done("utimensat",
              ::utimensat(AT_FDCWD, path.c_str(), now ? nullptr : both.data(), AT_SYMLINK_NOFOLLOW));
}

Outcome set_attribute(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto name = arguments.path();
  const auto value = arguments.text();
  return done("setxattr", ::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0));
}

Outcome get_attribute(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  std::array<char, 65536> value{};
  const auto length = ::lgetxattr(path.c_str(), arguments.path().c_str(), value.data(), value.size());
  return read_into_quotes("getxattr", length, {value.data(), value.size()});
}

Outcome list_attributes(Context&, Arguments& arguments) {
  std::array<char, 65536> names{};
  const auto length = ::llistxattr(arguments.path().c_str(), names.data(), names.size());
  return read_into_quotes("listxattr", length, {names.data(), names.size()});
}

Outcome remove_attribute(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  return done("removexattr", ::lremovexattr(path.c_str(), arguments.path().c_str()));
}

// With a name the watch is held, for inread.
Outcome watch(Context& context, Arguments& arguments) {
  const auto path = arguments.path();
  Descriptor fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (::inotify_add_watch(fd.get(), path.c_str(), IN_ALL_EVENTS) < 0) return failed("inotify_add_watch");
  if (!arguments.empty()) context.held.put(std::string(arguments.word()), std::move(fd));
  return ok();
}

Outcome watched(Context& context, Arguments& arguments) {
  alignas(inotify_event) std::array<char, 65536> buffer{};
  const auto length = ::read(context.held.get(arguments.word()), buffer.data(), buffer.size());
  if (length < 0) return failed("read");
  std::string text;
  for (long at = 0; at < length;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    text += fmt::format("{}{:#x}", text.empty() ? "" : ", ", event->mask);
    if (event->len != 0) text += fmt::format(" {}", event->name);
    at += static_cast<long>(sizeof(inotify_event) + event->len);
  }
  return {text, {}};
}

constexpr Operation kOperations[] = {
    {"stat", stat_path},
    {"statL", stat_target},
    {"statt", stat_times},
    {"statfs", statfs_path},
    {"access", access_path},
    {"exists", exists},
    {"mkdir", make_directory},
    {"rmdir", remove_directory},
    {"unlink", unlink_path},
    {"rename", on_two_paths<::rename>},
    {"symlink", on_two_paths<::symlink>},
    {"link", on_two_paths<::link>},
    {"mknod", make_node},
    {"creat", create_path},
    {"truncate", truncate_path},
    {"chmod", change_mode},
    {"chown", change_owner},
    {"utimes", change_times},
    {"setxattr", set_attribute},
    {"getxattr", get_attribute},
    {"listxattr", list_attributes},
    {"removexattr", remove_attribute},
    {"inotify", watch},
    {"inread", watched},
};

}  // namespace

std::span<const Operation> metadata_operations() {
  return kOperations;
}

std::string describe(const struct stat& status) {
  return fmt::format("{} {:04o} nlink={} uid={} gid={} size={} blksize={} blocks={}",
                     kind_name(status.st_mode), status.st_mode & 07777, status.st_nlink, status.st_uid,
                     status.st_gid, status.st_size, status.st_blksize, status.st_blocks);
}

}  // namespace mdevfs::conformance
