// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "pidfd.h"

namespace mdevfs::cli {
namespace {

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned next = STDERR_FILENO + 1;
  for (int fd : keep) {
    if (fd < 0) continue;
    const unsigned kept = static_cast<unsigned>(fd);
    if (kept > next) close_range(next, kept - 1, 0);
    next = std::max(next, kept + 1);
  }
  close_range(next, UINT_MAX, 0);
}

void point_at_null(int fd, int flags) {
  const UniqueFd null(open("/dev/null", flags | O_CLOEXEC));
  if (null) dup2(null.get(), fd);
}

}  // namespace

Outcome<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failure("cannot make a pipe: {}", error_text());
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void become_daemon(std::vector<int> keep) {
  setsid();
  if (chdir("/") != 0) complain(fmt::format("cannot change to /: {}", error_text()));
  point_at_null(STDIN_FILENO, O_RDONLY);
  point_at_null(STDOUT_FILENO, O_WRONLY);
  close_all_but(std::move(keep));
}

void drop_stderr() {
  point_at_null(STDERR_FILENO, O_WRONLY);
}

int wait_or_kill(pid_t child, std::chrono::milliseconds patience) {
  const UniqueFd handle = open_process(child);
  pollfd ended{handle.get(), POLLIN, 0};
  int ready = -1;
  do {
    ready = poll(&ended, 1, static_cast<int>(patience.count()));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  return set;
}

UniqueFd open_end_signals() {
  const sigset_t ends = end_signals();
  return UniqueFd(signalfd(-1, &ends, SFD_CLOEXEC));
}

std::string working_directory() {
  char* const path = getcwd(nullptr, 0);
  std::string text = path != nullptr ? path : "";
  std::free(path);
  return text;
}

std::string describe_status(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    return fmt::format("was killed by signal {} ({})", signal, strsignal(signal));
  }
  return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
}

void end_like(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    // The one that died has left the core file, if there is to be one; RLIMIT_CORE does not bind piped
    // handlers.
    prctl(PR_SET_DUMPABLE, 0);
    std::signal(signal, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    kill(getpid(), signal);
    sigprocmask(SIG_UNBLOCK, &only, nullptr);
    std::_Exit(128 + signal);
  }
  std::exit(WEXITSTATUS(wait_status));
}

}  // namespace mdevfs::cli
