// SPDX-License-Identifier: Apache-2.0
#include "mounted_daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace mdevfs::test {
namespace {

constexpr char kReady = 'R';

std::optional<std::string> own_mount_namespace() {
  if (unshare(CLONE_NEWNS) != 0) return fmt::format("no mount namespace of one's own: {}", strerror(errno));
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fmt::format("mounts cannot be made private: {}", strerror(errno));
  return std::nullopt;
}

std::string temporary_directory() {
  std::string name = "/tmp/mdevfs-wire.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  return name;
}

char receive(int socket) {
  char byte = 0;
  if (::read(socket, &byte, 1) != 1) throw std::runtime_error("the daemon is gone");
  return byte;
}

void send(int socket, char byte) {
  if (::send(socket, &byte, 1, MSG_NOSIGNAL) != 1) throw std::runtime_error("the daemon is gone");
}

}  // namespace

std::optional<std::string> MountedDaemon::impossible() {
  if (access("/dev/fuse", R_OK | W_OK) != 0) return "there is no /dev/fuse";
  if (geteuid() != 0) return "only root can mount without help";
  static const auto refused = own_mount_namespace();
  return refused;
}

MountedDaemon::MountedDaemon(const fs::Options& options, const Setup& setup)
    : path_(temporary_directory()), control_(temporary_directory()) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw std::runtime_error("socketpair");
  mount("none", control_.c_str(), "fusectl", 0, nullptr);
  std::fflush(nullptr);  // what is buffered would be written twice
  daemon_ = fork();
  if (daemon_ == 0) {
    ::close(ends[0]);
    run(options, setup, ends[1]);
  }
  ::close(ends[1]);
  orders_ = ends[0];
  if (receive(orders_) != kReady) throw std::runtime_error("the daemon cannot mount");
  struct stat root{};
  stat(path_.c_str(), &root);
  connection_ = minor(root.st_dev);
}

MountedDaemon::~MountedDaemon() {
  umount2(path_.c_str(), MNT_FORCE);
  umount2(path_.c_str(), MNT_DETACH);
  ::close(orders_);
  waitpid(daemon_, nullptr, 0);
  umount2(control_.c_str(), MNT_DETACH);
  rmdir(path_.c_str());
  rmdir(control_.c_str());
}

void MountedDaemon::run(const fs::Options& options, const Setup& setup, int orders) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  model::Core core;
  const Handler handler = setup(core);
  fs::Options with_news = options;
  with_news.on_ready = [orders] { send(orders, kReady); };
  fs::Filesystem filesystem(core, with_news);
  if (const auto mounted = filesystem.mount(path_); !mounted) {
    std::fprintf(stderr, "%s\n", mounted.error().c_str());
    _exit(1);
  }
  std::thread([&] {
    char what = 0;
    while (::read(orders, &what, 1) == 1) {
      handler(what);
      send(orders, what);
    }
    _exit(0);  // the test is over
  }).detach();
  filesystem.serve();
  pause();  // unmounted: until the test closes its end
  _exit(0);
}

void MountedDaemon::order(char what) const {
  send(orders_, what);
  if (receive(orders_) != what) throw std::runtime_error("an order got another answer");
}

void MountedDaemon::settle() const {
  // A write is answered behind the news of what came before it.
  const int file = open((path_ + "/bus/mdev/drivers_autoprobe").c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  std::ignore = ::write(file, "1", 1);
  close(file);
}

unsigned MountedDaemon::waiting() const {
  unsigned waiting = 0;
  std::ifstream(fmt::format("{}/{}/waiting", control_, connection_)) >> waiting;
  return waiting;
}

void MountedDaemon::abort() const {
  umount2(path_.c_str(), MNT_FORCE);
}

}  // namespace mdevfs::test
