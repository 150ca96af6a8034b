// SPDX-License-Identifier: Apache-2.0
#include "run_command.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "cleanup.h"
#include "execute.h"
#include "kept_name.h"
#include "log_output.h"
#include "namespaces.h"
#include "prerequisites.h"
#include "process.h"
#include "shell.h"
#include "start_report.h"
#include "sys_view.h"

namespace mdevfs::cli {
namespace {

constexpr std::chrono::seconds kDaemonPatience{10};

std::optional<int> pending_end_signal() {
  const sigset_t ends = end_signals();
  sigset_t pending;
  sigpending(&pending);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&ends, signal) == 1 && sigismember(&pending, signal) == 1) return signal;
  }
  return std::nullopt;
}

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

class Runner {
 public:
  explicit Runner(const RunRequest& request) : request_(request) {}

  Outcome<int> run() {
    const sigset_t passed = passed_signals();
    sigprocmask(SIG_BLOCK, &passed, &callers_mask_);
    std::signal(SIGCHLD, SIG_DFL);  // ignored, it would hide the command's status from us
    Outcome<int> status = 0;
    if (auto started = start(); !started) {
      status = std::unexpected(started.error());
      if (const auto signal = pending_end_signal()) status = *signal;  // as a wait status: killed by it
    } else {
      status = wait_for_command(passed);
    }
    const bool served = end();
    if (status && *status == 0 && !served) status = W_EXITCODE(kExitFailure, 0);
    return status;
  }

 private:
  Outcome<> start() {
    if (!request_.name.empty()) {
      auto taken = KeptName::take(request_.name);
      if (!taken) return std::unexpected(taken.error());
      name_ = std::move(*taken);
    }
    auto staging = find_staging_directory();
    if (!staging) return std::unexpected(staging.error());
    staging_ = *staging;
    for (const auto step : {&Runner::prepare, &Runner::start_daemon, &Runner::start_guard,
                            &Runner::build_view, &Runner::start_companions, &Runner::start_command}) {
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
    if (request_.uevents) {
      if (auto prepared = prepare_uevents(); !prepared) return prepared;
    }
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
  Outcome<> prepare_uevents() {
    const auto entered = enter_private_network();
    uevents_ = entered.has_value();
    if (!entered) complain("there will be no uevents: " + entered.error());
    if (request_.companions.empty() || (entered && *entered)) return {};
    return failure("{} would hear the host's uevents: {}", request_.companions.front().name,
                   entered
                       ? "the kernel refuses a user namespace for its network; where they are switched off, "
                         "'sysctl user.max_user_namespaces=10000' allows them"
                       : entered.error());
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
    service.hardware = request_.hardware;
    service.mount_options = {"nosuid", "nodev", "noexec", "allow_other", "default_permissions"};
    service.mountpoint = staging_;
    service.uevents = uevents_;
    service.poll = request_.poll;
    service.cached = request_.cached;
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
    std::vector<int> kept = name_.descriptors();
    kept.insert(kept.end(), {guard_lifeline_.read.get(), daemon_lifeline_.write.get()});
    become_daemon(std::move(kept));
    drop_stderr();
    prctl(PR_SET_NAME, "mdev-run-guard");
    char all_is_done = 0;
    ssize_t count = 0;
    do {
      count = read(guard_lifeline_.read.get(), &all_is_done, 1);
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
      name_.clear_after_death();
      kill_all_under(tree_, {.mount_namespace = mount_namespace_of()});
    }
    std::_Exit(0);
  }

  // From here on the runner is where the command will be.
  Outcome<> build_view() {
    const std::string directory = working_directory();
    const bool reachable = chdir(directory.c_str()) == 0;
    spared_ = {.mount_namespace = mount_namespace_of(), .runner = runner_};
    if (unshare(CLONE_NEWNS) != 0) return failure("cannot make a mount namespace: {}", error_text());
    if (auto moved = move_tree_to_sys(staging_, bound_); !moved) return moved;
    if (uevents_) show_own_network(staging_);
    PrivateDirectories directories(staging_);
    if (auto covered = cover_mdevctl_directory(directories, request_.mdevctl_directory); !covered)
      return covered;
    for (const Companion& companion : request_.companions) {
      if (auto prepared = companion.prepare(directories); !prepared) return prepared;
    }
    return enter_again(directory, reachable);
  }

  Outcome<> start_companions() {
    set_environment();
    for (const Companion& companion : request_.companions) {
      auto running = RunningCompanion::start(companion, log_.get());
      if (!running) return std::unexpected(running.error());
      companions_.push_back(std::move(*running));
      if (!companion.when_ready) continue;
      if (auto done = companion.when_ready(); !done) return done;
    }
    return pending_end_signal() ? failure("interrupted") : Outcome<>();
  }

  Outcome<> start_command() {
    command_ = fork();
    if (command_ < 0) return failure("cannot start the command: {}", error_text());
    if (command_ > 0) {
      name_.started();
      return {};
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner_) std::_Exit(kExitFailure);
    sigprocmask(SIG_SETMASK, &callers_mask_, nullptr);
    execute(request_.command.empty() ? prepare_shell(request_.name, notes()) : request_.command);
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> lines;
    for (const Companion& companion : request_.companions)
      lines.push_back(companion.name + " runs beside it");
    if (!request_.name.empty())
      lines.push_back(fmt::format("'mdevfs enter {}' joins it from another terminal", request_.name));
    lines.push_back("'exit' ends it, and all that is left in it");
    return lines;
  }

  // A working directory in what has been covered would still be the host's. One that no path led to stays.
  static Outcome<> enter_again(const std::string& directory, bool reachable) {
    if (!reachable || chdir(directory.c_str()) == 0) return {};
    return failure("the working directory {} is not there under the command", directory);
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
      for (RunningCompanion& companion : companions_) {
        if (std::string how; companion.has_ended(&how)) complain(how);
      }
    }
  }

  // Ends what is left, in this order: who could still come, companions, who else uses the tree, the guard,
  // the daemon. Says whether the daemon had served until then.
  bool end() {
    name_.give_back();
    for (; !companions_.empty(); companions_.pop_back()) companions_.back().end();
    if (guard_ > 0) {
      kill_all_under(tree_, spared_);
      const char all_is_done = 1;
      if (write(guard_lifeline_.write.get(), &all_is_done, 1) < 0) complain("the guard was killed");
      wait_or_kill(guard_, kDaemonPatience);
    }
    daemon_lifeline_.write.reset();
    if (daemon_ <= 0) return false;
    const int status = wait_or_kill(daemon_, kDaemonPatience);
    if (status != 0) complain(fmt::format("the daemon {}", describe_status(status)));
    return status == 0;
  }

  const RunRequest& request_;
  const pid_t runner_ = getpid();
  sigset_t callers_mask_{};
  KeptName
      name_;  // opened before the guard's lifeline, so that it is given up before the guard hears of the end
  std::string staging_;
  std::vector<std::string> bound_;
  UniqueFd log_;
  bool uevents_ = false;
  dev_t tree_ = 0;
  Spared spared_;
  std::vector<RunningCompanion> companions_;
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
