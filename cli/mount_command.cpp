// SPDX-License-Identifier: Apache-2.0
#include "mount_command.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

#include <csignal>
#include <exception>

#include "prerequisites.h"
#include "process.h"
#include "start_report.h"

namespace mdevfs::cli {
namespace {

// The signals that end a mount, as a descriptor. Shells start background jobs with SIGINT ignored; an ignored
// SIGHUP is nohup's, and stays.
UniqueFd end_signals() {
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  return UniqueFd(signalfd(-1, &ends, SFD_CLOEXEC));
}

Outcome<> serve_mount(const MountRequest& request, int end_signal, std::function<void()> on_ready) {
  Service service;
  service.backends = request.backends;
  service.options.mount_options = request.options;
  service.options.source = request.source;
  service.options.on_ready = std::move(on_ready);
  service.mountpoint = request.mountpoint;
  service.stop_when_readable = end_signal;
  return serve(std::move(service));
}

// The daemon: the parent hears through `report` of how it began, and nobody of how it ends.
[[noreturn]] void run_daemon(const MountRequest& request, UniqueFd end_signal, UniqueFd report) {
  become_daemon({end_signal.get(), report.get()});
  Outcome<> served;
  try {
    served = serve_mount(request, end_signal.get(), [&report] {
      drop_stderr();
      report_ready(report.get());
      report.reset();
    });
  } catch (const std::exception& error) {
    served = failure("{}", error.what());
  }
  if (!served && report) report_failure(report.get(), served.error());
  std::exit(served ? 0 : kExitFailure);
}

Outcome<> start_daemon(const MountRequest& request, UniqueFd end_signal) {
  auto pipe = make_pipe();
  if (!pipe) return std::unexpected(pipe.error());
  const pid_t daemon = fork();
  if (daemon < 0) return failure("cannot start the daemon: {}", error_text());
  if (daemon == 0) {
    pipe->read.reset();
    run_daemon(request, std::move(end_signal), std::move(pipe->write));
  }
  pipe->write.reset();
  const auto report = read_report(pipe->read.get());
  if (report) return {};
  int status = 0;
  waitpid(daemon, &status, 0);
  if (!report.error().empty()) return std::unexpected(report.error());
  return failure("the daemon {} before the tree answered", describe_status(status));
}

}  // namespace

Outcome<> mount_command(MountRequest request) {
  const auto mountpoint = check_mountpoint(request.mountpoint);
  if (!mountpoint) return std::unexpected(mountpoint.error());
  request.mountpoint = *mountpoint;
  for (const auto check : {check_fuse_device, check_fusermount}) {
    if (auto passed = check(); !passed) return passed;
  }
  UniqueFd end_signal = end_signals();
  if (request.foreground) return serve_mount(request, end_signal.get(), nullptr);
  return start_daemon(request, std::move(end_signal));
}

}  // namespace mdevfs::cli
