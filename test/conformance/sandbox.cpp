// SPDX-License-Identifier: Apache-2.0
//
// The child that a scenario runs in: see sandbox.h.
#include "sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace mdevfs::conformance {
namespace {

namespace files = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kOwnDirectory = "/tmp/.machine";
constexpr unsigned long kSysfsFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;  // as recorded

[[noreturn]] void unavailable(std::string_view what) {
  throw Unavailable(fmt::format("{}: {}", what, std::strerror(errno)));
}

void write_file(const char* path, const std::string& text) {
  const Descriptor fd(::open(path, O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0) unavailable(path);
}

// Root inside, the caller outside: the only user there is.
void become_root_of_a_user_namespace() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) unavailable("user namespaces are refused here");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", user));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
}

// A network namespace in which the host's own uevents are not heard: those reach every one that belongs to
// the first user namespace, so that root takes one from a child with another.
bool enter_deaf_network() {
  std::array<int, 2> ready{};
  std::array<int, 2> done{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0 || ::pipe2(done.data(), O_CLOEXEC) != 0) return false;
  const Descriptor ready_end(ready[0]);
  const Descriptor done_end(done[0]);
  char byte = 0;
  // As in cli/namespaces.cpp: thread sanitizer starts a thread in the child of fork().
  const pid_t child = ::_Fork();
  if (child == 0) {
    ::close(done[1]);
    const bool made = ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    const bool told = made && ::write(ready[1], &byte, 1) == 1;
    ::_exit(told && ::read(done[0], &byte, 1) == 0 ? 0 : 1);
  }
  ::close(ready[1]);
  bool entered = false;
  if (::read(ready[0], &byte, 1) == 1) {
    const Descriptor network(::open(fmt::format("/proc/{}/ns/net", child).c_str(), O_RDONLY | O_CLOEXEC));
    entered = ::setns(network.get(), CLONE_NEWNET) == 0;
  }
  ::close(done[1]);
  ::waitpid(child, nullptr, 0);
  return entered;
}

void mount_over(const std::string& what, const std::string& where) {
  if (::mount(what.c_str(), where.c_str(), nullptr, MS_BIND, nullptr) != 0) unavailable("bind over " + where);
}

std::string busybox() {
  for (const auto* path : {"/bin/busybox", "/usr/bin/busybox", "/sbin/busybox", "/usr/local/bin/busybox"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  throw Unavailable("busybox is not installed: the recordings' shell lines need its messages");
}

void run_program(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
  int status = 0;
  if (error != 0 || ::waitpid(child, &status, 0) != child || status != 0) {
    throw Unavailable(fmt::format("{} failed", fmt::join(words, " ")));
  }
}

std::string content(const files::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool in_group(const files::path& process, pid_t group) {
  const auto stat = content(process / "stat");
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  char state = 0;
  pid_t parent = 0;
  pid_t its_group = 0;
  return (fields >> state >> parent >> its_group) && its_group == group;
}

std::string first_line(const files::path& path) {
  const auto text = content(path);
  return text.substr(0, text.find('\n'));
}

// Where each thread of the group stands: its name, the system call it is in, and (root only) its kernel
// stack.
std::string where_threads_stand(pid_t group) {
  std::string text;
  std::error_code ignored;
  for (const auto& process : files::directory_iterator("/proc", ignored)) {
    if (process.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    if (!in_group(process.path(), group)) continue;
    for (const auto& thread : files::directory_iterator(process.path() / "task", ignored)) {
      text += fmt::format("  {} {}: {} {}\n", thread.path().filename().string(),
                          first_line(thread.path() / "comm"), first_line(thread.path() / "wchan"),
                          first_line(thread.path() / "syscall"));
      text += content(thread.path() / "stack");
    }
  }
  return text;
}

// What the child says beside its transcript: one letter for its kind, then the text.
enum Kind : char { kSkipped = 's', kFailed = 'f' };

[[noreturn]] void be_the_child(const std::function<void(const Print&)>& body, int transcript, int remarks) {
  ::setpgid(0, 0);
  die_with_parent();
  const auto say = [](int fd, const std::string& text) {
    [[maybe_unused]] const auto written = ::write(fd, text.data(), text.size());
  };
  int status = 0;
  try {
    body([&](std::string_view line) { say(transcript, std::string(line) + '\n'); });
  } catch (const Unavailable& reason) {
    say(remarks, std::string(1, kSkipped) + reason.what());
    status = 1;
  } catch (const std::exception& failure) {
    say(remarks, std::string(1, kFailed) + failure.what());
    status = 1;
  }
  ::_exit(status);
}

// Reads both pipes until they end or the deadline is over; false: it was over.
bool read_until(std::array<pollfd, 2>& pipes, std::array<std::string, 2>& texts, Clock::time_point deadline) {
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return false;
    if (::poll(pipes.data(), pipes.size(), static_cast<int>(left)) < 0 && errno != EINTR) return false;
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      std::array<char, 65536> buffer{};
      const auto length = ::read(pipes[i].fd, buffer.data(), buffer.size());
      if (length > 0) texts[i].append(buffer.data(), static_cast<std::size_t>(length));
      if (length <= 0) pipes[i].fd = -1;
    }
  }
  return true;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("the scenario's process died of signal {}", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    return fmt::format("the scenario's process ended with {}", WEXITSTATUS(status));
  return "";
}

std::string last_line(const std::string& transcript) {
  const auto end = transcript.find_last_not_of('\n');
  if (end == std::string::npos) return "(nothing)";
  const auto before = transcript.rfind('\n', end);
  return transcript.substr(before == std::string::npos ? 0 : before + 1,
                           end - (before == std::string::npos ? 0 : before));
}

}  // namespace

void die_with_parent() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

Ran run_in_child(const std::function<void(const Print&)>& body, std::chrono::seconds timeout) {
  std::array<int, 2> transcript{};
  std::array<int, 2> remarks{};
  if (::pipe2(transcript.data(), O_CLOEXEC) != 0 || ::pipe2(remarks.data(), O_CLOEXEC) != 0) {
    return {.failure = "cannot make a pipe"};
  }
  const auto start = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) be_the_child(body, transcript[1], remarks[1]);
  ::setpgid(child, child);  // here too: whoever comes first
  ::close(transcript[1]);
  ::close(remarks[1]);
  const Descriptor first(transcript[0]);
  const Descriptor second(remarks[0]);

  Ran ran;
  std::array<pollfd, 2> pipes{{{first.get(), POLLIN, 0}, {second.get(), POLLIN, 0}}};
  std::array<std::string, 2> texts;
  const bool ended = read_until(pipes, texts, start + timeout);
  ran.transcript = texts[0];
  if (!ended) {
    ran.failure = fmt::format("nothing ended within {} s; the last line was: {}\n{}", timeout.count(),
                              last_line(ran.transcript), where_threads_stand(child));
  }
  ::kill(-child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ran.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (!texts[1].empty()) {
    (texts[1][0] == kSkipped ? ran.skipped : ran.failure) = texts[1].substr(1);
  } else if (ended) {
    ran.failure = how_it_ended(status);
  }
  return ran;
}

void Namespaces::enter_first() {
  if (::geteuid() != 0) become_root_of_a_user_namespace();
  if (::unshare(CLONE_NEWNS) != 0) unavailable("mount namespaces are refused here");
  own_network_ = enter_deaf_network();
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) unavailable("make mounts private");
  if (::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0)
    unavailable("mount a tmpfs on /tmp");
  ::mkdir(kOwnDirectory, 0755);
}

void Namespaces::enter_second(const std::string& tree) {
  if (::unshare(CLONE_NEWNS) != 0) unavailable("mount namespaces are refused here");
  hide_accounts();
  protect_host();
  if (tree.empty()) return;
  mount_over(tree, "/sys");
  if (::mount(nullptr, "/sys", nullptr, MS_REMOUNT | MS_BIND | kSysfsFlags, nullptr) != 0)
    unavailable("remount /sys");
  ::umount2(tree.c_str(), MNT_DETACH);
}

std::string Namespaces::directory(const std::string& name) {
  auto path = fmt::format("{}/{}", kOwnDirectory, name);
  ::mkdir(path.c_str(), 0755);
  return path;
}

// The machine of the recordings had none: `ls -l` shows numbers. Without nsswitch.conf nobody makes them up.
void Namespaces::hide_accounts() const {
  for (const auto* file : {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"}) {
    if (::access(file, F_OK) == 0) mount_over("/dev/null", file);
  }
}

// A scenario quietens the console of the machine it runs on; that must not be the host's.
void Namespaces::protect_host() const {
  const auto scratch = fmt::format("{}/printk", kOwnDirectory);
  std::ofstream(scratch) << "4\n";
  mount_over(scratch, "/proc/sys/kernel/printk");
}

std::string applets() {
  auto directory = Namespaces::directory("applets");
  run_program({busybox(), "--install", "-s", directory});
  return directory;
}

}  // namespace mdevfs::conformance
