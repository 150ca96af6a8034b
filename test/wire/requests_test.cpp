// SPDX-License-Identifier: Apache-2.0
//
// Which requests a system call causes, on a real mount whose names the kernel knows: as few as exactness
// allows. Each line says what the requests that are left are for.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "catch.h"
#include "mounted_daemon.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::map<std::uint32_t, std::string> kNames = {
    {FUSE_LOOKUP, "LOOKUP"},
    {FUSE_GETATTR, "GETATTR"},
    {FUSE_SETATTR, "SETATTR"},
    {FUSE_READLINK, "READLINK"},
    {FUSE_OPEN, "OPEN"},
    {FUSE_READ, "READ"},
    {FUSE_WRITE, "WRITE"},
    {FUSE_STATFS, "STATFS"},
    {FUSE_RELEASE, "RELEASE"},
    {FUSE_FLUSH, "FLUSH"},
    {FUSE_OPENDIR, "OPENDIR"},
    {FUSE_READDIR, "READDIR"},
    {FUSE_RELEASEDIR, "RELEASEDIR"},
    {FUSE_GETXATTR, "GETXATTR"},
    {FUSE_LISTXATTR, "LISTXATTR"},
    {FUSE_POLL, "POLL"},
    {FUSE_LSEEK, "LSEEK"},
    {FUSE_ACCESS, "ACCESS"},
    {FUSE_MKDIR, "MKDIR"},
    {FUSE_RMDIR, "RMDIR"},
};

// How often each kind of request has been read, by another process.
class Counts {
 public:
  static constexpr std::size_t kKinds = 64;
  Counts()
      : counts_(static_cast<Array*>(
            mmap(nullptr, sizeof(Array), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Counts() { munmap(counts_, sizeof(Array)); }
  Counts(const Counts&) = delete;
  Counts& operator=(const Counts&) = delete;

  void add(std::uint32_t opcode) { (*counts_)[std::min<std::size_t>(opcode, kKinds - 1)] += 1; }
  void clear() {
    for (auto& count : *counts_) count = 0;
  }
  unsigned of(std::uint32_t opcode) const { return (*counts_)[opcode]; }
  // As "OPEN READx2 RELEASE", in the order of the numbers. Left out are one kind that may be there or not,
  // what the kernel sends when it likes, and STATFS, which marks the end.
  std::string text(std::uint32_t optional) const {
    std::vector<std::string> words;
    for (std::uint32_t opcode = 0; opcode < kKinds; ++opcode) {
      const bool left_out = opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_STATFS;
      if (of(opcode) == 0 || left_out || opcode == optional) continue;
      const auto name = kNames.find(opcode);
      words.push_back((name != kNames.end() ? name->second : fmt::format("opcode {}", opcode)) +
                      (of(opcode) == 1 ? "" : fmt::format("x{}", of(opcode))));
    }
    return fmt::format("{}", fmt::join(words, " "));
  }

 private:
  using Array = std::array<std::atomic<unsigned>, kKinds>;
  Array* counts_;
};

struct Row {
  const char* name;
  void (*call)(const std::string& path);
  std::string path;
  const char* requests;
  std::uint32_t optional = 0;  // only by some hosts' kernels, or only where a directory was read before
};

// mtty with one device, whose every name has been looked up.
class Machine {
 public:
  explicit Machine(bool cached)
      : daemon_({.mount_options = {"default_permissions"},
                 .on_request = [this](std::uint32_t opcode) { counts_.add(opcode); },
                 .cached = cached},
                [](model::Core& core) {
                  REQUIRE(backends::find("mtty")->load(core, {}));
                  return [](char) {};
                }) {
    const std::string create = at("devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create");
    const int file = open(create.c_str(), O_WRONLY);
    REQUIRE(write(file, uuid_of(1).data(), uuid_of(1).size()) > 0);
    close(file);
    know(daemon_.path());
  }

  std::string at(const std::string& path) const { return daemon_.path() + "/" + path; }
  std::string requests_of(const Row& row) {
    wait_for_released();
    counts_.clear();
    row.call(at(row.path));
    wait_for_released();
    return counts_.text(row.optional);
  }

 private:
  // A RELEASE goes by unanswered: requests are read in order, and the STATFS behind it is answered.
  void wait_for_released() const {
    struct statfs status{};
    REQUIRE(statfs(daemon_.path().c_str(), &status) == 0);
  }

  // As `find` and `ls -lR` do.
  static void know(const std::string& directory) {
    DIR* const listing = opendir(directory.c_str());
    REQUIRE(listing != nullptr);
    while (const dirent* const entry = readdir(listing)) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string path = directory + "/" + name;
      struct stat status{};
      if (lstat(path.c_str(), &status) != 0) {
        REQUIRE(errno == EOPNOTSUPP);  // a file that must be opened, with -o cached
        continue;
      }
      std::array<char, 4096> text{};
      if (S_ISLNK(status.st_mode)) std::ignore = readlink(path.c_str(), text.data(), text.size());
      if (S_ISDIR(status.st_mode)) know(path);
    }
    closedir(listing);
  }

  Counts counts_;
  MountedDaemon daemon_;
};

// --- the system calls

void do_stat(const std::string& path) {
  struct stat status{};
  REQUIRE(lstat(path.c_str(), &status) == 0);
}
void do_access(const std::string& path) {
  REQUIRE(access(path.c_str(), R_OK) == 0);
}
void do_readlink(const std::string& path) {
  std::array<char, 4096> text{};
  REQUIRE(readlink(path.c_str(), text.data(), text.size()) > 0);
}
void do_realpath(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  REQUIRE(realpath(path.c_str(), real.data()) != nullptr);
}
void do_look_for_none(const std::string& path) {
  REQUIRE(access((path + "/none").c_str(), F_OK) != 0);
}
void do_open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  REQUIRE(file >= 0);
  close(file);
}
void do_open_path(const std::string& path) {
  const int file = open(path.c_str(), O_PATH);
  REQUIRE(file >= 0);
  close(file);
}
// As cat(1): until nothing more comes.
void do_cat(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  REQUIRE(file >= 0);
  struct stat status{};
  REQUIRE(fstat(file, &status) == 0);
  std::array<char, 4096> text{};
  while (read(file, text.data(), text.size()) > 0) {
  }
  close(file);
}
void write_to(const std::string& path, const char* text, int flags) {
  const int file = open(path.c_str(), O_WRONLY | flags);
  REQUIRE(file >= 0);
  REQUIRE(write(file, text, std::strlen(text)) > 0);
  close(file);
}
void do_write(const std::string& path) {
  write_to(path, "auto\n", 0);
}
// As a shell's `echo auto > path`.
void do_echo(const std::string& path) {
  write_to(path, "auto\n", O_TRUNC);
}
void do_poll(const std::string& path) {
  pollfd file{open(path.c_str(), O_RDONLY), POLLPRI | POLLIN, 0};
  REQUIRE(poll(&file, 1, 0) == 1);
  close(file.fd);
}
void visit(const std::string& path, void (*each)(const std::string&)) {
  DIR* const listing = opendir(path.c_str());
  REQUIRE(listing != nullptr);
  while (const dirent* const entry = readdir(listing)) each(path + "/" + entry->d_name);
  closedir(listing);
}
void do_ls(const std::string& path) {
  visit(path, [](const std::string&) {});
}
void do_ls_long(const std::string& path) {
  visit(path, [](const std::string& name) {
    do_stat(name);
    std::array<char, 4096> text{};
    std::ignore = readlink(name.c_str(), text.data(), text.size());
  });
}
void do_chmod(const std::string& path) {
  REQUIRE(chmod(path.c_str(), 0444) == 0);
}
void do_getxattr(const std::string& path) {
  REQUIRE(getxattr(path.c_str(), "security.selinux", nullptr, 0) < 0);
}

const std::string kDevice = "devices/virtual/mtty/mtty/" + uuid_of(1);
const std::string kType = "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1";

// What each request is for stands in doc/performance.md.
const Row kTable[] = {
    {"stat", do_stat, kDevice + "/remove", ""},
    {"access", do_access, kDevice + "/uevent", ""},
    {"readlink", do_readlink, kDevice + "/mdev_type", ""},
    {"realpath through links", do_realpath, "bus/mdev/devices/" + uuid_of(1) + "/mdev_type/devices", ""},
    {"stat of create", do_stat, kType + "/create", ""},
    {"a name that is not there", do_look_for_none, kDevice, "LOOKUP"},
    {"open(O_PATH), close", do_open_path, kType + "/name", ""},
    {"open, close", do_open, kType + "/name", "OPEN RELEASE"},
    {"cat", do_cat, kType + "/name", "OPEN READx2 RELEASE"},
    {"open, write, close", do_write, kDevice + "/power/control", "OPEN WRITE RELEASE", FUSE_GETXATTR},
    {"echo >", do_echo, kDevice + "/power/control", "SETATTR OPEN WRITE RELEASE", FUSE_GETXATTR},
    {"open, poll, close", do_poll, kType + "/name", "OPEN RELEASE POLL"},
    {"ls", do_ls, kType, "OPENDIR READDIRx2 RELEASEDIR", FUSE_GETATTR},
    {"ls -l", do_ls_long, kDevice, "OPENDIR READDIRx2 RELEASEDIR", FUSE_GETATTR},
    {"chmod", do_chmod, kType + "/name", "SETATTR"},
    {"getxattr", do_getxattr, kType + "/name", "GETXATTR"},
};

// With -o cached, in this order: what has been read is kept until something is written.
const Row kCachedTable[] = {
    {"stat", do_stat, kType + "/name", ""},
    {"open, close", do_open, kType + "/name", ""},
    {"cat for the first time", do_cat, kType + "/name", "READ"},
    {"open, close", do_open, kType + "/name", ""},
    {"cat for the second time: its fstat asks for the time of access", do_cat, kType + "/name", "GETATTR"},
    {"cat", do_cat, kType + "/name", ""},
    {"open, write, close", do_write, kDevice + "/power/control", "LOOKUPx2 GETATTR WRITE", FUSE_GETXATTR},
    {"cat after a write", do_cat, kType + "/name", "LOOKUP READ", FUSE_GETATTR},
    {"cat once more", do_cat, kType + "/name", "", FUSE_GETATTR},
    {"cat", do_cat, kType + "/name", ""},
    {"cat of what can be written to", do_cat, kDevice + "/power/control", "LOOKUPx2 READ", FUSE_GETATTR},
    {"the first poll", do_poll, kType + "/name", "POLL"},
    {"open, poll, close", do_poll, kType + "/name", ""},
    {"ls where a text was forgotten, with its name", do_ls, kType, "READDIRx2"},
    {"ls for the second time: its fstat asks for the time of access", do_ls, kType, "GETATTR"},
    {"ls", do_ls, kType, ""},
    {"ls -l", do_ls_long, "bus/mdev/devices", "", FUSE_GETATTR},
};

void check_requests(bool cached, std::span<const Row> table) {
  if (const auto why_not = MountedDaemon::impossible()) {
    WARN("skipped: " << *why_not);
    return;
  }
  Machine machine(cached);
  for (const Row& row : table) {
    INFO(row.name << " of " << row.path);
    CHECK(machine.requests_of(row) == row.requests);
  }
}

}  // namespace

TEST_CASE("mount: the requests of each system call") {
  check_requests(false, kTable);
}

TEST_CASE("mount: the requests of each system call with -o cached") {
  check_requests(true, kCachedTable);
}
