// SPDX-License-Identifier: Apache-2.0
#include "run_command.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include "cleanup.h"
#include "log_output.h"
#include "namespaces.h"
#include "prerequisites.h"
#include "process.h"
#include "start_report.h"
#include "sys_view.h"

namespace mdevfs::cli {
namespace {

constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;
constexpr std::chrono::seconds kDaemonPatience{10};

// The runner takes all signals from sigwaitinfo(), but for the ones that are about itself: stopping, and its
// own faults.
sigset_t passed_signals() {
  sigset_t set;
  sigfillset(&set);
  for (int own :
       {SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&set, own);
  }
  return set;
}

std::string working_directory() {
  char* const path = getcwd(nullptr, 0);
  std::string text = path != nullptr ? path : "";
  std::free(path);
  return text;
}

// execvp() says EACCES also where it may not look into some directory of PATH.
bool is_found(const std::string& command) {
  if (command.find('/') != std::string::npos) return true;
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/bin:/usr/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + command).c_str(), F_OK) == 0) return true;
  }
  return false;
}

class Runner {
 public:
  explicit Runner(const RunRequest& request) : request_(request) {}

  Outcome<int> run() {
    const sigset_t passed = passed_signals();
    sigprocmask(SIG_BLOCK, &passed, &callers_mask_);
    std::signal(SIGCHLD, SIG_DFL);  // ignored, it would hide the command's status from us
    if (auto started = start(); !started) {
      end();
      return std::unexpected(started.error());
    }
    const Outcome<int> status = wait_for_command(passed);
    end();
    return status;
  }

 private:
  Outcome<> start() {
    auto staging = find_staging_directory();
    if (!staging) return std::unexpected(staging.error());
    staging_ = *staging;
    for (const auto step :
         {&Runner::prepare, &Runner::start_daemon, &Runner::start_guard, &Runner::start_command}) {
      if (auto done = (this->*step)(); !done) return done;
    }
    return {};
  }

  Outcome<> prepare() {
    if (request_.log) {
      auto opened = open_log(*request_.log);
      if (!opened) return std::unexpected(opened.error());
      log_ = std::move(*opened);
    }
    if (auto entered = enter_private_namespaces(); !entered) return entered;
    if (request_.uevents) prepare_uevents();
    if (auto usable = check_fuse_device(); !usable) return usable;
    auto lives = make_pipe();
    if (!lives) return std::unexpected(lives.error());
    daemon_lifeline_ = std::move(*lives);
    auto guards = make_pipe();
    if (!guards) return std::unexpected(guards.error());
    guard_lifeline_ = std::move(*guards);
    return {};
  }

  // Without a network of the command's own its uevents would be the host's.
  void prepare_uevents() {
    const auto entered = enter_private_network();
    uevents_ = entered.has_value();
    if (!entered) complain("there will be no uevents: " + entered.error());
  }

  Outcome<> start_daemon() {
    auto report = make_pipe();
    if (!report) return std::unexpected(report.error());
    daemon_ = fork();
    if (daemon_ < 0) return failure("cannot start the daemon: {}", error_text());
    if (daemon_ == 0) {
      report->read.reset();
      run_daemon(std::move(report->write));
    }
    report->write.reset();
    daemon_lifeline_.read.reset();
    auto bound = read_report(report->read.get());
    struct stat tree{};
    if (bound && stat(staging_.c_str(), &tree) == 0) {
      bound_ = std::move(*bound);
      tree_ = tree.st_dev;
      return {};
    }
    const int status = wait_or_kill(std::exchange(daemon_, -1), kDaemonPatience);
    if (!bound && !bound.error().empty()) return std::unexpected(bound.error());
    return failure("the daemon {} before the tree answered", describe_status(status));
  }

  // Serves until nobody holds the other end of its lifeline any more: the runner and the guard have gone.
  [[noreturn]] void run_daemon(UniqueFd report) {
    const int lifeline = daemon_lifeline_.read.get();
    become_daemon({lifeline, log_.get(), report.get()});
    sigprocmask(SIG_SETMASK, &callers_mask_, nullptr);
    Service service;
    service.backends = request_.backends;
    service.mount_options = {"nosuid", "nodev", "noexec", "allow_other", "default_permissions"};
    service.mountpoint = staging_;
    service.uevents = uevents_;
    service.log = log_.get();
    service.stop_when_readable = lifeline;
    service.furnish = add_placeholders;
    serve_as_daemon(service, std::move(report));
  }

  Outcome<> start_guard() {
    guard_ = fork();
    if (guard_ < 0) return failure("cannot start the guard: {}", error_text());
    if (guard_ == 0) run_guard();
    guard_lifeline_.read.reset();
    return {};
  }

  // In a session of its own, and under another name, so that a kill of the runner's process group or by the
  // program's name leaves it.
  [[noreturn]] void run_guard() {
    guard_lifeline_.write.reset();
    become_daemon({guard_lifeline_.read.get(), daemon_lifeline_.write.get()});
    drop_stderr();
    prctl(PR_SET_NAME, "mdev-run-guard");
    char all_is_done = 0;
    ssize_t count = 0;
    do {
      count = read(guard_lifeline_.read.get(), &all_is_done, 1);
    } while (count < 0 && errno == EINTR);
    if (count == 0) kill_all_under(tree_);
    std::_Exit(0);
  }

  Outcome<> start_command() {
    command_ = fork();
    if (command_ < 0) return failure("cannot start the command: {}", error_text());
    if (command_ > 0) return {};
    // The guard finds the command by its mounts, which it has not got yet.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner_) std::_Exit(kExitFailure);
    guard_lifeline_.write.reset();
    daemon_lifeline_.write.reset();
    if (auto built = build_view(); !built) {
      complain(built.error());
      std::_Exit(kExitFailure);
    }
    execute();
  }

  Outcome<> build_view() {
    const std::string directory = working_directory();
    if (unshare(CLONE_NEWNS) != 0) return failure("cannot make a mount namespace: {}", error_text());
    if (auto moved = move_tree_to_sys(staging_, bound_); !moved) return moved;
    if (auto covered = cover_mdevctl_directory(staging_, request_.mdevctl_directory); !covered)
      return covered;
    return enter_again(directory);
  }

  // A working directory in what has been covered would still be the host's.
  static Outcome<> enter_again(const std::string& directory) {
    for (const std::string covered : {"/sys", "/etc/mdevctl.d"}) {
      if (directory != covered && !directory.starts_with(covered + "/")) continue;
      if (chdir(directory.c_str()) != 0) {
        return failure("the working directory {} is not there under the command", directory);
      }
    }
    return {};
  }

  [[noreturn]] void execute() {
    setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1);  // libudev takes no /sys that is not of type sysfs
    std::vector<char*> arguments;
    for (const std::string& argument : request_.command)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    sigprocmask(SIG_SETMASK, &callers_mask_, nullptr);
    execvp(arguments[0], arguments.data());
    int error = errno;
    if (!is_found(request_.command[0])) error = ENOENT;
    complain(fmt::format("cannot run {}: {}", request_.command[0], error_text(error)));
    std::_Exit(error == ENOENT ? kExitNotFound : kExitNotExecutable);
  }

  // A signal with si_code > 0 comes from the kernel, for the terminal's whole foreground group: the command
  // has got it as well.
  Outcome<int> wait_for_command(const sigset_t& passed) {
    for (;;) {
      siginfo_t info{};
      if (sigwaitinfo(&passed, &info) < 0) continue;  // EINTR: stopped and continued
      if (info.si_signo != SIGCHLD) {
        if (info.si_code <= 0) kill(command_, info.si_signo);
        continue;
      }
      int status = 0;
      if (waitpid(command_, &status, WNOHANG) == command_) return status;
      if (waitpid(daemon_, &status, WNOHANG) == daemon_) {
        daemon_ = -1;
        return failure("the daemon {}, so the command was killed", describe_status(status));
      }
    }
  }

  // Ends what is left, in this order: who uses the tree, the guard, the daemon.
  void end() {
    if (guard_ > 0) {
      kill_all_under(tree_);
      const char all_is_done = 1;
      if (write(guard_lifeline_.write.get(), &all_is_done, 1) < 0) complain("the guard was killed");
      wait_or_kill(guard_, kDaemonPatience);
    }
    daemon_lifeline_.write.reset();
    if (daemon_ <= 0) return;
    const int status = wait_or_kill(daemon_, kDaemonPatience);
    if (status != 0) complain(fmt::format("the daemon {}", describe_status(status)));
  }

  const RunRequest& request_;
  const pid_t runner_ = getpid();
  sigset_t callers_mask_{};
  std::string staging_;
  std::vector<std::string> bound_;
  UniqueFd log_;
  bool uevents_ = false;
  dev_t tree_ = 0;
  Pipe daemon_lifeline_;  // read by the daemon, held by the runner and the guard
  Pipe guard_lifeline_;   // read by the guard, held by the runner
  pid_t daemon_ = -1;
  pid_t guard_ = -1;
  pid_t command_ = -1;
};

}  // namespace

Outcome<int> run_command(const RunRequest& request) {
  return Runner(request).run();
}

}  // namespace mdevfs::cli
