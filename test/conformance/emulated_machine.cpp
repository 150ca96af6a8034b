// SPDX-License-Identifier: Apache-2.0
//
// The machine under test: see emulated_machine.h.
#include "emulated_machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <utility>

#include "server.h"

namespace mdevfs::conformance {
namespace {

constexpr std::string_view kControlFile = "/sys/kernel/slowmdev/ctl";
constexpr std::string_view kParameters = "/sys/module/slowmdev/parameters/";

bool is_core(std::string_view module) {
  return module == "mdev" || module == "vfio" || module == "vfio_mdev";
}

bool is_live_parameter(std::string_view name) {
  return name == "probe_delay_ms" || name == "remove_delay_ms" || name == "probe_errno" ||
         name == "remove_errno";
}

// Any write's answer comes behind the invalidations of all changes before it; this one changes nothing.
void settle() {
  const Descriptor fd(::open("/sys/bus/mdev/drivers_probe", O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const auto refused = ::write(fd.get(), "\n", 1);
}

}  // namespace

EmulatedMachine::EmulatedMachine(const Namespaces& namespaces, model::KernelVersion kernel,
                                 model::Core::Boot boot, bool cached)
    : tree_(Namespaces::directory("sys")), age_(age_of(kernel)), modules_(age_) {
  if (const Descriptor fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC)); !fuse) {
    throw Unavailable(fmt::format("/dev/fuse: {}", std::strerror(errno)));
  }
  if (namespaces.has_own_network()) listener_.emplace();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Unavailable("no sockets");
  control_ = Descriptor(ends[0]);
  Descriptor other(ends[1]);
  server_ = ::fork();
  if (server_ == 0) {
    die_with_parent();
    control_ = Descriptor();
    // std::exit: a sanitizer's leak check is an exit handler.
    listener_.reset();
    std::exit(
        serve(other.get(), tree_,
              {.kernel = kernel, .boot = boot, .cached = cached, .uevents = namespaces.has_own_network()}));
  }
  other = Descriptor();
  if (const auto reply = ask(control_.get(), std::string(Command::kReady)); reply.error != 0) {
    throw std::runtime_error("the server: " + reply.text);
  }
}

void EmulatedMachine::enter(Namespaces& namespaces) {
  namespaces.enter_second(tree_);
}

void EmulatedMachine::end() {
  // The working directory may be in the tree.
  if (::chdir("/") != 0 || ::umount2("/sys", MNT_DETACH) != 0)
    throw std::runtime_error("cannot take /sys away");
  control_ = Descriptor();
  int status = 0;
  ::waitpid(server_, &status, 0);
  if (WIFSIGNALED(status))
    throw std::runtime_error(fmt::format("the server died of signal {}", WTERMSIG(status)));
  if (status != 0) throw std::runtime_error(fmt::format("the server ended with {}", WEXITSTATUS(status)));
}

int EmulatedMachine::order(const std::string& command) {
  const auto reply = ask(control_.get(), command);
  settle();
  return reply.error;
}

int EmulatedMachine::insmod(std::string_view module, std::string_view parameters) {
  if (is_core(module)) return order(fmt::format("{} {}", Command::kLoad, module));
  return modules_.insmod(std::string(module), parameters);
}

int EmulatedMachine::rmmod(std::string_view module) {
  if (is_core(module)) return order(fmt::format("{} {}", Command::kUnload, module));
  return modules_.rmmod(std::string(module));
}

std::optional<std::expected<std::size_t, int>> EmulatedMachine::store(std::string_view path,
                                                                      std::string_view text) {
  if (path == kControlFile) {
    const int error = modules_.control(text);
    hear();
    if (error != 0) return std::unexpected(error);
    return text.size();
  }
  if (!path.starts_with(kParameters)) return std::nullopt;
  const std::string name(path.substr(kParameters.size()));
  if (!is_live_parameter(name)) return std::nullopt;
  const int error = modules_.set_parameter(name, text);
  if (error != 0) return std::unexpected(error);
  return std::nullopt;  // the file keeps it
}

std::optional<std::vector<Uevent>> EmulatedMachine::uevents(std::chrono::milliseconds quiet) {
  if (!listener_) return std::nullopt;
  return listener_->take(quiet);
}

// What the driver says comes behind what the kernel has said until then.
void EmulatedMachine::hear() {
  const std::lock_guard guard(log_lock_);
  for (auto known = heard_.size() + 1; known != heard_.size();) {
    known = heard_.size();
    std::istringstream text(ask(control_.get(), std::string(Command::kLog)).text);
    for (std::string line; std::getline(text, line);) heard_.push_back(line);
  }
  // What the control files have to say is no kernel's.
  std::erase_if(heard_, [](const std::string& line) { return line.starts_with("<3> mdevfs: "); });
  for (auto& line : modules_.take_lines()) heard_.push_back(std::move(line));
}

std::optional<std::vector<std::string>> EmulatedMachine::log() {
  hear();
  const std::lock_guard guard(log_lock_);
  return std::exchange(heard_, {});
}

// The container is nothing here, nor is the group where it does not keep the device: the device's file stands
// for all three.
std::optional<std::expected<VfioDescriptors, Refusal>> EmulatedMachine::vfio_open(const std::string& group,
                                                                                  const std::string&) {
  const auto number = group.substr(group.rfind('/') + 1);
  VfioDescriptors opened;
  const std::string file = "/sys/kernel/debug/mdevfs/vfio/" + number;
  opened.device = Descriptor(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!opened.device) return std::unexpected(Refusal{"open", errno});
  const bool group_counts = age_.vfio_mdev_binds;
  opened.group = Descriptor(::open(group_counts ? file.c_str() : "/dev/null", O_RDWR | O_CLOEXEC));
  opened.container = Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC));
  return opened;
}

}  // namespace mdevfs::conformance
