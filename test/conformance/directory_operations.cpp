// SPDX-License-Identifier: Apache-2.0
//
// Operations that look at directories and links: listings straight from getdents64 (glibc's readdir hides
// d_off and stops at what the kernel would go on with), whole trees, link targets.
#include <dirent.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

struct Entry {
  std::string name;
  unsigned char type;
  long long offset;
  unsigned long long inode;

  bool is_dot() const { return name == "." || name == ".."; }
};

struct Entries {
  std::vector<Entry> all;
  int error = 0;
};

// From where the descriptor stands to the end.
Entries read_entries(int fd) {
  Entries entries;
  alignas(dirent64) std::array<char, 32768> buffer{};
  while (true) {
    const auto length = ::syscall(SYS_getdents64, fd, buffer.data(), buffer.size());
    if (length < 0) entries.error = errno;
    if (length <= 0) return entries;
    for (long at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      entries.all.push_back({entry->d_name, entry->d_type, entry->d_off, entry->d_ino});
      at += entry->d_reclen;
    }
  }
}

struct Kind {
  unsigned mode;
  std::string_view name;
};
constexpr Kind kKinds[] = {{S_IFREG, "reg"}, {S_IFDIR, "dir"},  {S_IFLNK, "lnk"},  {S_IFCHR, "chr"},
                           {S_IFBLK, "blk"}, {S_IFIFO, "fifo"}, {S_IFSOCK, "sock"}};

std::string with_type(const Entry& entry) {
  return fmt::format("{}/{}", entry.name, kind_name(DTTOIF(entry.type)));
}

std::string joined(const std::vector<Entry>& entries, bool types) {
  std::string text;
  for (const auto& entry : entries) text += ' ' + (types ? with_type(entry) : entry.name);
  return text;
}

Outcome sorted(std::vector<Entry> entries, bool types) {
  const auto dots = std::erase_if(entries, [](const Entry& entry) { return entry.is_dot(); });
  std::ranges::sort(entries, {}, &Entry::name);
  const auto* remark = dots == 2 ? "" : " (dots missing)";
  return {fmt::format("{}{}:{}", entries.size(), remark, joined(entries, types)), {}};
}

Outcome raw(const std::vector<Entry>& entries, bool types) {
  return {fmt::format("{} raw:{}", entries.size(), joined(entries, types)), {}};
}

Outcome offsets(const std::vector<Entry>& entries) {
  std::vector<std::string> lines;
  for (const auto& entry : entries) {
    lines.push_back(
        fmt::format("off={} ino={} {}", entry.offset, entry.inode != 0 ? "set" : "0", entry.name));
  }
  return block(lines);
}

template <Listing kind>
Outcome list_path(Context&, Arguments& arguments) {
  const Descriptor fd(::open(arguments.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? list(fd.get(), kind) : failed("open");
}

// Does getdents tell the inode numbers that stat tells?
Outcome real_inodes(Context&, Arguments& arguments) {
  const Descriptor fd(::open(arguments.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed("open");
  const auto entries = read_entries(fd.get());
  const auto differ = std::ranges::count_if(entries.all, [&](const Entry& entry) {
    struct stat status{};
    return ::fstatat(fd.get(), entry.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
           status.st_ino != entry.inode;
  });
  return {fmt::format("{} entries, {} differ", entries.all.size(), differ), {}};
}

Outcome same_inode(Context&, Arguments& arguments) {
  struct stat one{};
  struct stat other{};
  if (::lstat(arguments.path().c_str(), &one) != 0 || ::lstat(arguments.path().c_str(), &other) != 0) {
    return failed("lstat");
  }
  return {fmt::format("{} ino, {} dev", one.st_ino == other.st_ino ? "same" : "other",
                      one.st_dev == other.st_dev ? "same" : "other"),
          {}};
}

std::string target_or_error(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const auto length = ::readlink(path.c_str(), target.data(), target.size());
  if (length < 0) return "readlink: " + errno_name(errno);
  return "-> " + std::string(target.data(), static_cast<std::size_t>(length));
}

std::string content_or_error(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return "open: " + errno_name(errno);
  std::string content;
  std::array<char, 16384> buffer{};
  while (const auto length = ::read(fd.get(), buffer.data(), buffer.size())) {
    if (length < 0) return "read: " + errno_name(errno);
    content.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return quote(content);
}

// What a tree's line says after the sizes.
std::string content(const std::string& path, mode_t mode) {
  if (S_ISLNK(mode)) return ' ' + target_or_error(path);
  if (S_ISREG(mode) && (mode & 0444) != 0) return ' ' + content_or_error(path);
  return "";
}

void grow(const std::string& path, long long depth, std::vector<std::string>& lines) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    lines.push_back(fmt::format("{} lstat: {}", path, errno_name(errno)));
    return;
  }
  lines.push_back(fmt::format("{} {} {:04o} nlink={} size={}{}", path, kind_name(status.st_mode),
                              status.st_mode & 07777, status.st_nlink, status.st_size,
                              content(path, status.st_mode)));
  if (!S_ISDIR(status.st_mode) || depth == 0) return;
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  auto entries = read_entries(fd.get());
  if (entries.error != 0) lines.push_back(fmt::format("{} getdents: {}", path, errno_name(entries.error)));
  std::ranges::sort(entries.all, {}, &Entry::name);
  for (const auto& entry : entries.all) {
    if (!entry.is_dot()) grow(path + '/' + entry.name, depth - 1, lines);
  }
}

Outcome tree(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  std::vector<std::string> lines;
  grow(path, arguments.number(-1), lines);
  return block(lines);
}

Outcome read_link(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  std::string buffer(static_cast<std::size_t>(arguments.number(PATH_MAX)), '\0');
  const auto length = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (length < 0) return failed("readlink");
  return {fmt::format("ok {} {}", length, buffer.substr(0, static_cast<std::size_t>(length))), {}};
}

Outcome real_path(Context&, Arguments& arguments) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(arguments.path().c_str(), nullptr),
                                                             &std::free);
  return resolved ? Outcome{resolved.get(), {}} : failed("realpath");
}

constexpr Operation kOperations[] = {
    {"ls", list_path<Listing::kSorted>},
    {"lsn", list_path<Listing::kSortedNames>},
    {"lsraw", list_path<Listing::kRaw>},
    {"lsrawn", list_path<Listing::kRawNames>},
    {"lsoff", list_path<Listing::kOffsets>},
    {"lscount", list_path<Listing::kCount>},
    {"inoreal", real_inodes},
    {"sameino", same_inode},
    {"tree", tree},
    {"readlink", read_link},
    {"realpath", real_path},
};

}  // namespace

std::span<const Operation> directory_operations() {
  return kOperations;
}

Outcome list(int fd, Listing kind) {
  auto entries = read_entries(fd);
  if (entries.error != 0) return failed("getdents", entries.error);
  switch (kind) {
    case Listing::kSorted:
    case Listing::kSortedNames:
      return sorted(std::move(entries.all), kind == Listing::kSorted);
    case Listing::kRaw:
    case Listing::kRawNames:
      return raw(entries.all, kind == Listing::kRaw);
    case Listing::kOffsets:
      return offsets(entries.all);
    case Listing::kCount:
      return ok(std::ranges::count_if(entries.all, [](const Entry& entry) { return !entry.is_dot(); }));
  }
  return failed("getdents", EINVAL);
}

std::string_view kind_name(unsigned mode) {
  for (const auto& kind : kKinds) {
    if (kind.mode == (mode & S_IFMT)) return kind.name;
  }
  return "unknown";
}

}  // namespace mdevfs::conformance
