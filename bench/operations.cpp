// SPDX-License-Identifier: Apache-2.0
#include "operations.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace mdevfs::bench {
namespace {

using Clock = std::chrono::steady_clock;  // the same in all processes

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

// Memory that processes share: when each has done its work; zero, when it has not.
class Ends {
 public:
  explicit Ends(std::size_t processes) : bytes_(processes * sizeof(Clock::time_point)) {
    void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(memory == MAP_FAILED ? -1 : 0, "shared memory");
    ends_ = {static_cast<Clock::time_point*>(memory), processes};
  }
  ~Ends() { munmap(ends_.data(), bytes_); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  Clock::time_point& of(std::size_t process) { return ends_[process]; }
  Clock::time_point last() const {
    const auto [first, last] = std::ranges::minmax(ends_);
    if (first == Clock::time_point{}) throw std::runtime_error("what one of several processes did failed");
    return last;
  }

 private:
  std::size_t bytes_;
  std::span<Clock::time_point> ends_;
};

// Waits at the gate, which opens when its other end is closed.
[[noreturn]] void run_child(const std::array<int, 2>& gate, Clock::time_point& end,
                            const std::function<void()>& work) {
  close(gate[1]);
  char nothing = 0;
  try {
    must(read(gate[0], &nothing, 1), "pipe");
    work();
    end = Clock::now();
  } catch (...) {
  }
  _exit(0);
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

void look_for(const std::string& path) {
  struct stat stat{};
  if (lstat(path.c_str(), &stat) == 0 || errno != ENOENT) throw std::runtime_error(path + " is there");
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

double time_of_processes(std::size_t processes, const std::function<void(std::size_t process)>& work) {
  Ends ends(processes);
  std::array<int, 2> gate{};
  must(pipe(gate.data()), "pipe");
  std::vector<pid_t> children;
  for (std::size_t process = 0; process < processes; ++process) {
    children.push_back(must(fork(), "fork"));
    if (children.back() == 0) run_child(gate, ends.of(process), [&] { work(process); });
  }
  close(gate[0]);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // until all wait there
  const auto start = Clock::now();
  close(gate[1]);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  return std::chrono::duration<double, std::nano>(ends.last() - start).count();
}

std::string next_uuid() {
  static std::mt19937_64 random{1};
  const std::uint64_t high = random();
  const std::uint64_t low = random();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, high >> 16U & 0xffffU,
                     high & 0xffffU, low >> 48U, low & 0xffffffffffffU);
}

}  // namespace mdevfs::bench
