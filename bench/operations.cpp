// SPDX-License-Identifier: Apache-2.0
#include "operations.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <system_error>

namespace mdevfs::bench {
namespace {

template <typename Number>
Number must(Number result, const std::string& path) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), path);
  return result;
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(must(open(path.c_str(), flags), path)) {}
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  operator int() const { return fd_; }

 private:
  int fd_;
};

struct Close {
  void operator()(DIR* directory) const { closedir(directory); }
};

template <typename Visit>
std::size_t visit_entries(const std::string& path, Visit visit) {
  const std::unique_ptr<DIR, Close> directory(opendir(path.c_str()));
  must(directory ? 0 : -1, path);
  std::size_t entries = 0;
  while (const dirent* const entry = readdir(directory.get())) {
    visit(dirfd(directory.get()), *entry);
    ++entries;
  }
  return entries;
}

}  // namespace

void read_attribute(const std::string& path) {
  const Descriptor fd(path, O_RDONLY);
  std::array<char, 4096> buffer{};
  must(read(fd, buffer.data(), buffer.size()), path);
}

void write_attribute(const std::string& path, const std::string& text) {
  const Descriptor fd(path, O_WRONLY);
  must(write(fd, text.data(), text.size()), path);
}

void stat_path(const std::string& path) {
  struct stat stat{};
  must(lstat(path.c_str(), &stat), path);
}

void read_link(const std::string& path) {
  std::array<char, 4096> buffer{};
  must(readlink(path.c_str(), buffer.data(), buffer.size()), path);
}

std::size_t list_directory(const std::string& path) {
  return visit_entries(path, [](int, const dirent&) {});
}

std::size_t list_long(const std::string& path) {
  return visit_entries(path, [&](int directory, const dirent& entry) {
    struct stat stat{};
    must(fstatat(directory, entry.d_name, &stat, AT_SYMLINK_NOFOLLOW), path);
    if (!S_ISLNK(stat.st_mode)) return;
    std::array<char, 4096> target{};
    must(readlinkat(directory, entry.d_name, target.data(), target.size()), path);
  });
}

std::size_t write_attribute_often(const std::string& path, std::size_t times, std::string (*text)()) {
  const Descriptor fd(path, O_WRONLY);
  for (std::size_t i = 0; i < times; ++i) {
    const std::string next = text();
    must(write(fd, next.data(), next.size()), path);
  }
  return times;
}

std::string next_uuid() {
  static std::mt19937_64 random{1};
  const std::uint64_t high = random();
  const std::uint64_t low = random();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, high >> 16U & 0xffffU,
                     high & 0xffffU, low >> 48U, low & 0xffffffffffffU);
}

}  // namespace mdevfs::bench
