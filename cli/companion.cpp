// SPDX-License-Identifier: Apache-2.0
#include "companion.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>

#include "pidfd.h"
#include "process.h"

namespace mdevfs::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};  // for the start
constexpr std::chrono::seconds kGrace{2};      // for the end

// A socket in the abstract namespace, which is the network namespace's, with a name of the kernel's choice.
struct Notifications {
  UniqueFd socket;
  std::string address;  // for NOTIFY_SOCKET
};

Outcome<Notifications> listen_for_notifications() {
  Notifications made{UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), "@"};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof address.sun_family;
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (!made.socket || bind(made.socket.get(), raw, length) != 0 ||
      getsockname(made.socket.get(), raw, &(length = sizeof address)) != 0) {
    return failure("cannot make a notification socket: {}", error_text());
  }
  made.address.append(address.sun_path + 1, length - offsetof(sockaddr_un, sun_path) - 1);
  return made;
}

bool says_ready(int notifications) {
  char buffer[4096];
  const ssize_t count = recv(notifications, buffer, sizeof buffer, MSG_DONTWAIT);
  if (count <= 0) return false;
  return ("\n" + std::string(buffer, static_cast<std::size_t>(count)) + "\n").find("\nREADY=1\n") !=
         std::string::npos;
}

UniqueFd open_output(const std::string& name) {
  UniqueFd file(memfd_create(name.c_str(), MFD_CLOEXEC));
  if (file) fcntl(file.get(), F_SETFL, O_APPEND);
  return file;
}

std::string last_line_of(int file) {
  char buffer[4096];
  const off_t size = lseek(file, 0, SEEK_END);
  const off_t start = std::max<off_t>(size - static_cast<off_t>(sizeof buffer), 0);
  const ssize_t count = pread(file, buffer, sizeof buffer, start);
  std::string text(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

// In the child. Its parent is never process 1 of the machine: to systemd-udevd that would mean that its whole
// control group is its own, to be killed when it is idle.
[[noreturn]] void execute(const Companion& companion, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  if (chdir("/") != 0) complain(fmt::format("cannot change to /: {}", error_text()));
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  dup2(null.get(), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  close_range(STDERR_FILENO + 1, UINT_MAX, 0);
  for (const unsigned capability : companion.without_capabilities) prctl(PR_CAPBSET_DROP, capability);
  for (const std::string& setting : companion.environment) putenv(const_cast<char*>(setting.c_str()));
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(companion.command[0].c_str(), pointers(companion.command).data());
  complain(fmt::format("cannot run {}: {}", companion.command[0], error_text()));
  std::_Exit(kExitFailure);
}

Outcome<pid_t> start_process(const Companion& companion, int output) {
  const pid_t process = fork();
  if (process == 0) execute(companion, output);
  return process < 0 ? failure("cannot start {}: {}", companion.name, error_text()) : Outcome<pid_t>(process);
}

std::string with_reason(std::string sentence, const std::string& reason) {
  return reason.empty() ? sentence : sentence + ": " + reason;
}

}  // namespace

Outcome<RunningCompanion> RunningCompanion::start(const Companion& companion, int log) {
  auto notifications = listen_for_notifications();
  if (!notifications) return std::unexpected(notifications.error());
  UniqueFd output = log < 0 ? open_output(companion.name) : UniqueFd();
  Companion told = companion;
  told.environment.push_back("NOTIFY_SOCKET=" + notifications->address);
  const auto process = start_process(told, output ? output.get() : log);
  if (!process) return std::unexpected(process.error());
  RunningCompanion running(companion.name, *process, std::move(output));
  if (auto ready = running.wait_until_ready(notifications->socket.get()); !ready) {
    running.end();
    return std::unexpected(ready.error());
  }
  return running;
}

Outcome<> RunningCompanion::wait_until_ready(int notifications) {
  const UniqueFd interrupt = open_end_signals();
  const UniqueFd process = open_process(process_);
  const auto deadline = Clock::now() + kPatience;
  for (;;) {
    pollfd events[] = {{notifications, POLLIN, 0}, {process.get(), POLLIN, 0}, {interrupt.get(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (poll(events, 3, static_cast<int>(std::max<long>(left.count(), 0))) == 0) {
      return failure("{} is not ready after {} s{}", name_, kPatience.count(), with_reason("", last_line()));
    }
    if (events[0].revents != 0 && says_ready(notifications)) return {};
    if (events[2].revents != 0) return failure("{} was interrupted while it started", name_);
    if (events[1].revents == 0) continue;
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return std::unexpected(
        with_reason(fmt::format("{} {} before it was ready", name_, describe_status(status)), last_line()));
  }
}

std::string RunningCompanion::last_line() const {
  return output_ ? last_line_of(output_.get()) : "";
}

void RunningCompanion::end() {
  if (process_ <= 0) return;
  kill(process_, SIGTERM);
  wait_or_kill(std::exchange(process_, -1), kGrace);
}

bool RunningCompanion::has_ended(std::string* how) {
  int status = 0;
  if (process_ <= 0 || waitpid(process_, &status, WNOHANG) != process_) return false;
  process_ = -1;
  *how = with_reason(fmt::format("{} {}", name_, describe_status(status)), last_line());
  return true;
}

Outcome<> run_to_end(const std::vector<std::string>& command) {
  const UniqueFd output = open_output(command[0]);
  const auto process = start_process({.name = command[0], .command = command}, output.get());
  if (!process) return std::unexpected(process.error());
  const UniqueFd ended = open_process(*process), interrupt = open_end_signals();
  pollfd events[] = {{ended.get(), POLLIN, 0}, {interrupt.get(), POLLIN, 0}};
  poll(events, 2, static_cast<int>(std::chrono::milliseconds(kPatience).count()));
  const int status = wait_or_kill(*process, std::chrono::milliseconds(0));
  if (status == 0) return {};
  return std::unexpected(
      with_reason(fmt::format("{} {}", command[0], describe_status(status)), last_line_of(output.get())));
}

}  // namespace mdevfs::cli
