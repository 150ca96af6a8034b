// SPDX-License-Identifier: Apache-2.0
#include "mount_command.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

#include <csignal>

#include "log_output.h"
#include "prerequisites.h"
#include "process.h"
#include "start_report.h"

namespace mdevfs::cli {
namespace {

// The signals that end a mount, as a descriptor. Shells start background jobs with SIGINT ignored; an ignored
// SIGHUP is nohup's, and stays.
UniqueFd take_end_signals() {
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ends, signal);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  return UniqueFd(signalfd(-1, &ends, SFD_CLOEXEC));
}

Outcome<> start_daemon(const Service& service) {
  auto pipe = make_pipe();
  if (!pipe) return std::unexpected(pipe.error());
  const pid_t daemon = fork();
  if (daemon < 0) return failure("cannot start the daemon: {}", error_text());
  if (daemon == 0) {
    pipe->read.reset();
    become_daemon({service.stop_when_readable, service.log, pipe->write.get()});
    serve_as_daemon(service, std::move(pipe->write));
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

Outcome<> mount_command(const MountRequest& request) {
  const auto mountpoint = check_mountpoint(request.mountpoint);
  if (!mountpoint) return std::unexpected(mountpoint.error());
  for (const auto check : {check_fuse_device, check_fusermount}) {
    if (auto passed = check(); !passed) return passed;
  }
  UniqueFd log;
  if (request.log || request.foreground) {
    auto opened = open_log(request.log.value_or("-"));
    if (!opened) return std::unexpected(opened.error());
    log = std::move(*opened);
  }
  const UniqueFd end_signal = take_end_signals();
  const Service service{.hardware = request.hardware,
                        .mount_options = request.options,
                        .source = request.source,
                        .mountpoint = *mountpoint,
                        .uevents = request.uevents,
                        .poll = request.poll,
                        .cached = request.cached,
                        .log = log.get(),
                        .stop_when_readable = end_signal.get(),
                        .furnish = nullptr};
  return request.foreground ? serve(service, nullptr) : start_daemon(service);
}

}  // namespace mdevfs::cli
