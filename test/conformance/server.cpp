// SPDX-License-Identifier: Apache-2.0
//
// The emulated machine's kernel: see server.h.
#include "server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

#include "backends/pci/bus.h"
#include "cli/uevent_socket.h"
#include "control/control.h"
#include "fs/filesystem.h"
#include "model/core.h"
#include "operation.h"

namespace mdevfs::conformance {
namespace {

constexpr std::size_t kLongest = 65536;

bool send_with_descriptor(int socket, const std::string& text, int fd) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

struct Request {
  std::string text;
  Descriptor reply = Descriptor();
};

// Without a reply's descriptor: the other end is closed.
Request receive(int socket) {
  std::string text(kLongest, '\0');
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto length = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  const auto* const header = length > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr) return Request{};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  text.resize(static_cast<std::size_t>(length));
  return {std::move(text), Descriptor(fd)};
}

void answer(const Descriptor& to, const Reply& reply) {
  std::string text(reinterpret_cast<const char*>(&reply.error), sizeof reply.error);
  text += reply.text;
  [[maybe_unused]] const auto sent = ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

template <typename T>
int error_of(const model::Result<T>& result) {
  return result ? 0 : result.error().value;
}

// Thread-safety: commands from any thread.
class Kernel {
 public:
  explicit Kernel(model::Core& core) : core_(core) {
    core_.log().set_sink([this](model::Level level, const std::string& line) {
      const std::scoped_lock guard(log_lock_);
      log_.push_back(fmt::format("<{}> {}\n", static_cast<int>(level), line));
    });
  }
  ~Kernel() { core_.log().set_sink(nullptr); }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  Reply obey(const std::string& text) {
    Arguments arguments(text);
    if (arguments.operation() == Command::kLog) return {0, some_lines()};
    for (const auto& [name, run] : kCommands) {
      if (name == arguments.operation()) return {(this->*run)(arguments)};
    }
    return {ENOSYS};
  }

 private:
  int load(Arguments& arguments) {
    const auto name = arguments.word();
    if (name == "vfio_mdev") return error_of(core_.load_vfio_mdev());
    return error_of(name == "mdev" ? core_.load_mdev() : core_.load_vfio());
  }

  int unload(Arguments& arguments) {
    const auto name = arguments.word();
    if (name == "vfio_mdev") return error_of(core_.unload_vfio_mdev());
    return error_of(name == "mdev" ? core_.unload_mdev() : core_.unload_vfio());
  }

  // What fits into one reply.
  std::string some_lines() {
    const std::scoped_lock guard(log_lock_);
    std::string lines;
    while (!log_.empty() && lines.size() + log_.front().size() < kLongest / 2) {
      lines += log_.front();
      log_.pop_front();
    }
    return lines;
  }

  struct Obeyed {
    std::string_view name;
    int (Kernel::*run)(Arguments&);
  };
  int ready(Arguments&) { return 0; }
  static const std::array<Obeyed, 3> kCommands;

  model::Core& core_;
  std::mutex log_lock_;  // a leaf
  std::deque<std::string> log_;
};

const std::array<Kernel::Obeyed, 3> Kernel::kCommands{{{Command::kReady, &Kernel::ready},
                                                       {Command::kLoad, &Kernel::load},
                                                       {Command::kUnload, &Kernel::unload}}};

// One thread a command: an unregistration waits for a probe, and the next command must not.
void obey_until_closed(int socket, Kernel& kernel) {
  std::vector<std::jthread> threads;
  while (true) {
    auto request = receive(socket);
    if (!request.reply) return;
    threads.emplace_back(
        [&kernel, request = std::move(request)] { answer(request.reply, kernel.obey(request.text)); });
  }
}

// What the recordings' machines had beside modules, of which a scenario asks: the ISA bridge of QEMU's PC. No
// driver takes it, and nobody hears of it, because it is there before the first client.
int plug_hardware(model::Core& core) {
  using backends::pci::Bus;
  return error_of(Bus::of(core)->plug({.address = *backends::pci::parse_address("0000:00:01.0"),
                                       .vendor = 0x8086,
                                       .device = 0x7000,
                                       .subsystem_vendor = 0x1af4,
                                       .subsystem_device = 0x1100,
                                       .class_code = 0x060100,
                                       .link_width = 0},
                                      "", "none"));
}

void answer_all_with(int socket, const std::string& text) {
  while (true) {
    const auto request = receive(socket);
    if (!request.reply) return;
    answer(request.reply, {EIO, text});
  }
}

}  // namespace

Reply ask(int socket, const std::string& command) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return {errno, "no socket"};
  const Descriptor here(ends[0]);
  Descriptor there(ends[1]);
  if (!send_with_descriptor(socket, command, there.get())) return {EPIPE, "the server is gone"};
  there = Descriptor();
  std::array<char, kLongest> buffer{};
  const auto length = ::recv(here.get(), buffer.data(), buffer.size(), 0);
  Reply reply;
  if (length < static_cast<ssize_t>(sizeof reply.error)) return {EPIPE, "the server died"};
  std::memcpy(&reply.error, buffer.data(), sizeof reply.error);
  reply.text.assign(buffer.data() + sizeof reply.error,
                    static_cast<std::size_t>(length) - sizeof reply.error);
  return reply;
}

int serve(int socket, const std::string& mountpoint, ServerOptions options) {
  model::Core core({}, options.boot, options.kernel);
  control::Control control(core);
  if (const int error = plug_hardware(core); error != 0) {
    answer_all_with(socket, fmt::format("the machine's PCI function: {}", std::strerror(error)));
    return 1;
  }
  std::promise<void> answering;
  fs::Options served{.mount_options = {"allow_other", "default_permissions"},
                     .on_ready = [&] { answering.set_value(); },
                     .cached = options.cached};
  std::optional<cli::UeventSocket> uevents;
  if (options.uevents) {
    auto opened = cli::UeventSocket::open();
    if (!opened) {
      answer_all_with(socket, "uevents: " + opened.error());
      return 1;
    }
    uevents.emplace(std::move(*opened));
    served.send_uevent = [&](const model::Uevent& event) { uevents->send(event); };
  }
  fs::Filesystem filesystem(core, std::move(served));
  if (const auto mounted = filesystem.mount(mountpoint); !mounted) {
    answer_all_with(socket, mounted.error());
    return 1;
  }
  std::jthread server([&] { filesystem.serve(); });
  answering.get_future().wait();
  Kernel kernel(core);
  obey_until_closed(socket, kernel);
  filesystem.stop();
  return 0;
}

}  // namespace mdevfs::conformance
