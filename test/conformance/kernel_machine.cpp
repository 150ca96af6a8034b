// SPDX-License-Identifier: Apache-2.0
//
// A real kernel as a scenario's machine: see kernel_machine.h.
#include "kernel_machine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/vfio.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace mdevfs::conformance {
namespace {

constexpr unsigned kKernelsGroup = 1;      // of the socket's multicast groups
constexpr int kSocketBuffer = 64 << 20;    // a thousand devices' events between two looks
constexpr std::size_t kRecordSize = 8192;  // CONSOLE_EXT_LOG_MAX, which read(2) of /dev/kmsg needs

// What a virtual machine says about itself now and then, whatever a scenario does.
constexpr std::string_view kNoise[] = {"clocksource:",         "random: crng", "tsc: ", "hrtimer: ", "perf: ",
                                       "sched: RT throttling", "input: ",      "e1000", "systemd"};

constexpr std::string_view kTraceBegins = "<4> CPU: ";
constexpr std::string_view kTraceEnds = "<4>  </TASK>";
constexpr std::string_view kTrace = "<4> (stack trace)";

[[noreturn]] void fail(std::string_view what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

Descriptor uevent_socket() {
  Descriptor fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  if (!fd) fail("a socket for uevents");
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelsGroup;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  return fd;
}

Descriptor log_from_now() {
  Descriptor fd(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fd || ::lseek(fd.get(), 0, SEEK_END) != 0) fail("/dev/kmsg");
  return fd;
}

// Strings, each with its NUL; the first is the head.
Uevent uevent_of(std::string_view message) {
  Uevent event;
  while (!message.empty()) {
    const auto end = std::min(message.find('\0'), message.size());
    const std::string text(message.substr(0, end));
    if (event.head.empty()) {
      event.head = text;
    } else {
      event.keys.push_back(text);
    }
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  return event;
}

bool is_noise(std::string_view line) {
  const auto text = line.substr(std::min(line.find(' '), line.size() - 1) + 1);
  return std::ranges::any_of(kNoise, [&](std::string_view noise) { return text.starts_with(noise); });
}

}  // namespace

KernelMachine::KernelMachine(std::string modules)
    : modules_(std::move(modules)), uevents_(uevent_socket()), log_(log_from_now()) {}

int KernelMachine::insmod(std::string_view module, std::string_view parameters) {
  const Descriptor fd(::open(fmt::format("{}/{}.ko", modules_, module).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno;
  return ::syscall(SYS_finit_module, fd.get(), std::string(parameters).c_str(), 0) == 0 ? 0 : errno;
}

int KernelMachine::rmmod(std::string_view module) {
  return ::syscall(SYS_delete_module, std::string(module).c_str(), O_NONBLOCK) == 0 ? 0 : errno;
}

std::optional<std::expected<std::size_t, int>> KernelMachine::store(std::string_view, std::string_view) {
  return std::nullopt;
}

std::optional<std::vector<Uevent>> KernelMachine::uevents(std::chrono::milliseconds quiet) {
  std::vector<Uevent> events;
  pollfd waiting{uevents_.get(), POLLIN, 0};
  while (::poll(&waiting, 1, static_cast<int>(quiet.count())) > 0) {
    std::array<char, 16384> buffer{};
    const auto length = ::recv(uevents_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (length > 0) events.push_back(uevent_of({buffer.data(), static_cast<std::size_t>(length)}));
  }
  return events;
}

std::optional<std::vector<std::string>> KernelMachine::log() {
  std::vector<std::string> lines;
  std::array<char, kRecordSize> buffer{};
  while (true) {
    const auto length = ::read(log_.get(), buffer.data(), buffer.size());
    if (length < 0 && errno == EPIPE) continue;  // overwritten: goes on with the oldest there is
    if (length < 0) return without_noise(lines);
    lines.push_back(log_line({buffer.data(), static_cast<std::size_t>(length)}));
  }
}

std::optional<std::expected<VfioDescriptors, Refusal>> KernelMachine::vfio_open(const std::string& group,
                                                                                const std::string& uuid) {
  const auto refused = [](std::string_view call) { return std::unexpected(Refusal{call, errno}); };
  insmod("vfio_iommu_type1", "");  // or it is there already: a container needs it
  VfioDescriptors opened;
  opened.container = Descriptor(::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
  if (!opened.container) return refused("open");
  opened.group = Descriptor(::open(group.c_str(), O_RDWR | O_CLOEXEC));
  if (!opened.group) return refused("open");
  int container = opened.container.get();
  if (::ioctl(opened.group.get(), VFIO_GROUP_SET_CONTAINER, &container) != 0) return refused("SET_CONTAINER");
  if (::ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU) != 0) return refused("SET_IOMMU");
  opened.device = Descriptor(::ioctl(opened.group.get(), VFIO_GROUP_GET_DEVICE_FD, uuid.c_str()));
  if (!opened.device) return refused("GET_DEVICE_FD");
  return opened;
}

std::string log_line(std::string_view record) {
  unsigned priority = 0;
  std::from_chars(record.data(), record.data() + record.size(), priority);
  const auto text = record.substr(std::min(record.find(';') + 1, record.size()));
  return fmt::format("<{}> {}", priority & 7, text.substr(0, text.find('\n')));
}

std::vector<std::string> without_noise(const std::vector<std::string>& lines) {
  std::vector<std::string> kept;
  bool in_trace = false;
  for (const auto& line : lines) {
    if (line.starts_with(kTraceBegins)) {
      in_trace = true;
      kept.emplace_back(kTrace);
    }
    if (!in_trace && !is_noise(line)) kept.push_back(line);
    if (line == kTraceEnds) in_trace = false;
  }
  return kept;
}

}  // namespace mdevfs::conformance
