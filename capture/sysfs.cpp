// SPDX-License-Identifier: Apache-2.0
#include "sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "order.h"

namespace mdevfs::capture {
namespace {

constexpr std::size_t kMostBytes = 65536;  // a page, where pages are largest
constexpr std::size_t kMostEntries = 100000;

std::unexpected<Failure> failure(int error) {
  return std::unexpected(Failure{error, std::generic_category().message(error)});
}
std::unexpected<Failure> failure(std::string reason) {
  return std::unexpected(Failure{0, std::move(reason)});
}

// Thread-safety: none.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }

 private:
  const int fd_;
};

Entry entry_of(std::string name, const struct stat& status) {
  const mode_t type = status.st_mode & S_IFMT;
  Entry::Kind kind = Entry::Kind::other;
  if (type == S_IFREG) kind = Entry::Kind::file;
  if (type == S_IFDIR) kind = Entry::Kind::directory;
  if (type == S_IFLNK) kind = Entry::Kind::link;
  return {.name = std::move(name), .kind = kind, .mode = status.st_mode & 0777U};
}

}  // namespace

bool Failure::is_absence() const {
  return error == ENOENT || error == ENOTDIR;
}

std::expected<std::string, Failure> Sysfs::content(const std::string& path) const {
  // What is no plain file is not even opened: a device would take that for use.
  struct stat status = {};
  if (lstat(full(path).c_str(), &status) != 0) return failure(errno);
  if (!S_ISREG(status.st_mode)) return failure("it is no plain file");
  const Descriptor fd(open(full(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (fd < 0) return failure(errno);
  if (fstat(fd, &status) != 0) return failure(errno);
  if (!S_ISREG(status.st_mode)) return failure("it is no plain file");
  std::string text;
  char buffer[4096];
  while (text.size() <= kMostBytes) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(errno);
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return failure(fmt::format("it is larger than {} bytes", kMostBytes));
}

std::expected<std::vector<Entry>, Failure> Sysfs::entries(const std::string& path) const {
  const int fd = open(full(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return failure(errno);
  const std::unique_ptr<DIR, decltype([](DIR* open) { closedir(open); })> directory(fdopendir(fd));
  if (!directory) {
    close(fd);
    return failure(errno);
  }
  std::vector<Entry> entries;
  while (const dirent* const each = readdir(directory.get())) {
    const std::string_view name = each->d_name;
    if (name == "." || name == "..") continue;
    if (entries.size() == kMostEntries)
      return failure(fmt::format("it has more than {} entries", kMostEntries));
    struct stat status = {};
    if (fstatat(dirfd(directory.get()), each->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
      entries.push_back(entry_of(std::string(name), status));
  }
  std::ranges::sort(entries, naturally_before, &Entry::name);
  return entries;
}

// By the text, so that it is the same path in another root.
std::expected<std::string, Failure> Sysfs::target(const std::string& path) const {
  char buffer[4096];
  const ssize_t count = readlink(full(path).c_str(), buffer, sizeof buffer);
  if (count < 0 && errno == EINVAL) return failure("it is no link");
  if (count < 0) return failure(errno);
  const std::string text(buffer, static_cast<std::size_t>(count));
  constexpr std::string_view kUsualRoot = "/sys/";
  if (text.starts_with(kUsualRoot)) return text.substr(kUsualRoot.size());
  if (text.starts_with('/')) return failure("it points out of the tree");
  const auto there = (std::filesystem::path(path).parent_path() / text).lexically_normal().string();
  if (there.empty() || there == "." || there == ".." || there.starts_with("../"))
    return failure("it points out of the tree");
  return there.ends_with('/') ? there.substr(0, there.size() - 1) : there;
}

std::optional<Entry> Sysfs::entry(const std::string& path) const {
  struct stat status = {};
  if (lstat(full(path).c_str(), &status) != 0) return std::nullopt;
  return entry_of(last_part(path), status);
}

bool Sysfs::is_directory(const std::string& path) const {
  const auto found = entry(path);
  return found && found->kind == Entry::Kind::directory;
}

std::string Sysfs::target_name(const std::string& path) const {
  const auto there = target(path);
  return there ? last_part(*there) : std::string();
}

std::string last_part(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
}

}  // namespace mdevfs::capture
