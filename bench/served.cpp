// SPDX-License-Identifier: Apache-2.0
#include "served.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace mdevfs::bench {
namespace {

using namespace std::chrono_literals;

std::string make_mountpoint() {
  std::string name = std::filesystem::temp_directory_path() / "mdevfs-bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory to mount on");
  return name;
}

pid_t start(const std::string& program, const std::string& mountpoint,
            const std::vector<std::string>& arguments) {
  const std::string path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const auto& argument : arguments) {
    argv.push_back(const_cast<char*>((argument == Served::kMountpoint ? mountpoint : argument).c_str()));
  }
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv.data(), environ) != 0) {
    throw std::runtime_error(fmt::format("cannot run {}", path));
  }
  return pid;
}

dev_t device_of(const std::string& path) {
  struct stat stat{};
  ::stat(path.c_str(), &stat);
  return stat.st_dev;
}

}  // namespace

Served::Served(const std::string& program, const std::vector<std::string>& arguments)
    : mountpoint_(make_mountpoint()) {
  try {
    pid_ = start(program, mountpoint_, arguments);
    wait_until_mounted();
  } catch (...) {
    rmdir(mountpoint_.c_str());
    throw;
  }
}

void Served::wait_until_mounted() {
  const dev_t before = device_of(std::filesystem::path(mountpoint_).parent_path());
  while (device_of(mountpoint_) == before) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) throw std::runtime_error("the daemon did not mount");
    std::this_thread::sleep_for(100us);
  }
}

Served::~Served() {
  kill(pid_, SIGTERM);
  for (int waited = 0; waitpid(pid_, nullptr, WNOHANG) == 0; ++waited) {
    if (waited == 10'000) kill(pid_, SIGKILL);
    std::this_thread::sleep_for(1ms);
  }
  umount2(mountpoint_.c_str(), MNT_DETACH);  // where it did not do so itself
  rmdir(mountpoint_.c_str());
}

double Served::processor_nanoseconds() const {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    throw std::runtime_error(fmt::format("the processor time of {} is unknown", pid_));
  }
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

std::uint64_t Served::number_in(const char* file, const std::string& key) const {
  std::ifstream in(fmt::format("/proc/{}/{}", pid_, file));
  for (std::string word; in >> word;) {
    std::uint64_t number = 0;
    if (word == key && in >> number) return number;
  }
  throw std::runtime_error(fmt::format("no {} in /proc/{}/{}", key, pid_, file));
}

}  // namespace mdevfs::bench
