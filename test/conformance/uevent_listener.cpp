// SPDX-License-Identifier: Apache-2.0
#include "uevent_listener.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "sandbox.h"

namespace mdevfs::conformance {
namespace {

constexpr unsigned kKernelGroup = 1;       // 2 is udevd's own
constexpr int kBuffer = 16 * 1024 * 1024;  // scenarios make thousands before they look
constexpr std::size_t kLongest = 8192;     // the kernel's own limit is 2048

[[noreturn]] void unavailable(const char* what) {
  throw Unavailable(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

Uevent parse_uevent(std::string_view message) {
  Uevent event;
  while (!message.empty()) {
    const auto end = message.find('\0');
    const auto part = std::string(message.substr(0, end));
    if (event.head.empty()) {
      event.head = part;
    } else {
      event.keys.push_back(part);
    }
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
  }
  return event;
}

UeventListener::UeventListener()
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
  if (!socket_) unavailable("a socket for uevents");
  if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kBuffer, sizeof kBuffer) != 0) {
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);  // as much as is allowed
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    unavailable("the kernel's group of uevents");
  }
}

std::vector<Uevent> UeventListener::take(std::chrono::milliseconds quiet) {
  std::vector<Uevent> events;
  pollfd readable{socket_.get(), POLLIN, 0};
  while (true) {
    std::array<char, kLongest> buffer{};
    sockaddr_nl sender{};
    socklen_t size = sizeof sender;
    const auto length = ::recvfrom(socket_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&sender), &size);
    if (length > 0) {
      // Anybody with the rights may send to the group; only what the kernel sends has no port.
      if (sender.nl_pid == 0)
        events.push_back(parse_uevent({buffer.data(), static_cast<std::size_t>(length)}));
      continue;
    }
    if (errno == ENOBUFS) throw std::runtime_error("uevents were lost: the listener's buffer was full");
    if (errno == EINTR) continue;
    if (::poll(&readable, 1, static_cast<int>(quiet.count())) == 0) return events;
  }
}

}  // namespace mdevfs::conformance
