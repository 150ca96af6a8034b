// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <optional>
#include <thread>

#include "backends/plugin.h"
#include "log_output.h"
#include "process.h"
#include "start_report.h"
#include "uevent_socket.h"

namespace mdevfs::cli {
namespace {

// Stops a filesystem from a thread of its own, as soon as a descriptor becomes readable or is hung up.
class Stopper {
 public:
  Stopper(fs::Filesystem& filesystem, int fd)
      : done_(eventfd(0, EFD_CLOEXEC)), thread_([this, &filesystem, fd] {
          pollfd fds[] = {{fd, POLLIN, 0}, {done_.get(), POLLIN, 0}};
          while (poll(fds, 2, -1) < 0 && errno == EINTR) {
          }
          if (fds[0].revents != 0) filesystem.stop();
        }) {}
  ~Stopper() { eventfd_write(done_.get(), 1); }
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;

 private:
  const UniqueFd done_;
  std::jthread thread_;  // last: joined first
};

// Holds what this process and those it starts print on stderr: fusermount3 explains itself there, and its
// reason belongs in our one sentence.
class CapturedStderr {
 public:
  CapturedStderr() : saved_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    int ends[2];
    if (!saved_ || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return;
    read_ = UniqueFd(ends[0]);
    const UniqueFd write(ends[1]);
    dup2(write.get(), STDERR_FILENO);
  }
  ~CapturedStderr() { finish(); }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  // Gives stderr back and returns the last line printed.
  std::string finish() {
    if (!read_) return {};
    dup2(saved_.get(), STDERR_FILENO);
    char buffer[4096];
    const ssize_t count = read(read_.get(), buffer, sizeof buffer);
    read_.reset();
    std::string text(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
  }

 private:
  const UniqueFd saved_;
  UniqueFd read_;
};

// What libfuse and fusermount3 say of it ends with the kernel's reason.
struct MountAdvice {
  const char* reason;
  const char* sentence;
};
constexpr MountAdvice kMountAdvice[] = {
    {"Operation not permitted",
     "mounts need CAP_SYS_ADMIN: start the container with --cap-add SYS_ADMIN --device /dev/fuse"},
    {"Permission denied",
     "AppArmor's profile for containers forbids mounts: start the container with "
     "--security-opt apparmor=unconfined"},
};

std::string advice_for(const std::string& text) {
  for (const MountAdvice& advice : kMountAdvice) {
    if (geteuid() == 0 && text.ends_with(advice.reason)) return fmt::format(" ({})", advice.sentence);
  }
  return {};
}

Outcome<> mount_quietly(fs::Filesystem& filesystem, const std::string& mountpoint) {
  CapturedStderr captured;
  const auto mounted = filesystem.mount(mountpoint);
  const std::string printed = captured.finish();
  if (mounted) return {};
  const std::string text = printed.empty() ? mounted.error() : mounted.error() + ": " + printed;
  return failure("{}{}", text, advice_for(text));
}

// Who asked for uevents gets a tree without them where they are refused, and is told.
std::optional<UeventSocket> open_uevents() {
  auto opened = UeventSocket::open();
  if (opened) return std::move(*opened);
  complain("there will be no uevents: " + opened.error());
  return std::nullopt;
}

std::string known_backends() {
  std::string names;
  for (const backends::Backend& backend : backends::all()) {
    names.append(names.empty() ? "" : ", ").append(backend.name);
  }
  return names;
}

// The reason that the log gives, if it has one: its last error, behind the level.
std::string reason(model::Core& core) {
  const auto lines = core.log().lines();
  const auto last = std::ranges::find_if(lines.rbegin(), lines.rend(),
                                         [](const auto& line) { return line.starts_with("<3>"); });
  return last == lines.rend() ? "" : " (" + last->substr(4) + ")";
}

}  // namespace

Outcome<> load_plugins(std::span<const std::string> files) {
  for (const std::string& file : files) {
    if (const auto loaded = backends::load_plugin(file); !loaded) return std::unexpected(loaded.error());
  }
  return {};
}

Outcome<BackendList> find_backends(std::span<const std::string> names) {
  BackendList found;
  for (const std::string& name : names) {
    const backends::Backend* const backend = backends::find(name);
    if (backend == nullptr) return failure("unknown backend '{}': there are {}", name, known_backends());
    if (std::ranges::find(found, backend) == found.end()) found.push_back(backend);
  }
  if (names.empty()) {
    for (const backends::Backend& backend : backends::all()) {
      if (backend.by_default) found.push_back(&backend);
    }
  }
  return found;
}

control::Complete by_cards(const config::Cards& cards) {
  return [cards](const backends::Backend& backend,
                 backends::Settings settings) -> std::expected<backends::Settings, std::string> {
    auto completed = config::complete(backend, std::move(settings), cards);
    if (completed) return std::move(*completed);
    std::string lines;
    for (const auto& [group, item, key, what] : completed.error())
      lines += fmt::format("{}{}{}{}", lines.empty() ? "" : "\n", item, item.empty() ? "" : ": ", what);
    return std::unexpected(std::move(lines));
  };
}

Outcome<> load_hardware(model::Core& core, control::Control& control, const Hardware& hardware) {
  for (const config::Unit& unit : hardware.machine.units) {
    if (const auto loaded = control.load(unit.settings, *unit.backend); !loaded) {
      return failure("{}:{}:{}: cannot load the unit {}: {}{}", hardware.machine.file, unit.at.line,
                     unit.at.column, unit.settings.name, error_text(loaded.error().value), reason(core));
    }
  }
  for (const backends::Backend* backend : hardware.backends) {
    if (const auto loaded = control.load(std::string(backend->name), *backend); !loaded) {
      return failure("cannot load the backend {}: {}", backend->name, error_text(loaded.error().value));
    }
  }
  return {};
}

Outcome<> serve(const Service& service, const OnReady& on_ready) {
  std::signal(SIGPIPE, SIG_IGN);
  model::Core core({geteuid(), getegid()}, model::Core::Boot::all, service.hardware.kernel);
  control::Control control(core, by_cards(service.hardware.cards));
  std::optional<LogWriter> log;  // ends first: the end of the service is no event in the life of the machine
  if (service.log >= 0) log.emplace(core.log(), service.log);
  if (auto loaded = load_hardware(core, control, service.hardware); !loaded) return loaded;
  const auto known = service.furnish ? service.furnish(core) : std::vector<std::string>();
  fs::Options options;
  options.mount_options = service.mount_options;
  options.source = service.source;
  options.poll = service.poll;
  options.cached = service.cached;
  if (on_ready) options.on_ready = [&] { on_ready(known); };
  const auto uevents = service.uevents ? open_uevents() : std::nullopt;
  if (uevents) options.send_uevent = [&](const model::Uevent& event) { uevents->send(event); };
  fs::Filesystem filesystem(core, std::move(options));
  if (auto mounted = mount_quietly(filesystem, service.mountpoint); !mounted) return mounted;
  const Stopper stopper(filesystem, service.stop_when_readable);
  filesystem.serve();
  return {};
}

void serve_as_daemon(const Service& service, UniqueFd report) {
  Outcome<> served;
  try {
    served = serve(service, [&report](std::span<const std::string> known) {
      drop_stderr();
      report_ready(report.get(), known);
      report.reset();
    });
  } catch (const std::exception& error) {
    served = failure("{}", error.what());
  }
  if (report) report_failure(report.get(), served ? "the mount ended before it answered" : served.error());
  std::exit(served ? 0 : kExitFailure);
}

}  // namespace mdevfs::cli
