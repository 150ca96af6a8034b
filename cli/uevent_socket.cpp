// SPDX-License-Identifier: Apache-2.0
#include "uevent_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace mdevfs::cli {
namespace {

constexpr std::size_t kTooLong = 2048;  // the kernel's UEVENT_BUFFER_SIZE, SEQNUM and header included

// One message for the kernel. 0 or the errno with which it answers, which it does only to refuse.
int give_to_kernel(int socket, std::string_view text) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(text.size()));
  header.nlmsg_type = NLMSG_MIN_TYPE;  // below it are netlink's own, which nobody would read
  header.nlmsg_flags = NLM_F_REQUEST;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  std::array<iovec, 2> parts{{{&header, sizeof header}, {const_cast<char*>(text.data()), text.size()}}};
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (sendmsg(socket, &message, MSG_DONTWAIT) < 0) return errno;
  // It is carried out within the system call, so that an answer is there already.
  struct {
    nlmsghdr header;
    nlmsgerr error;
  } answer{};
  const ssize_t length = recv(socket, &answer, sizeof answer, MSG_DONTWAIT);
  if (length < static_cast<ssize_t>(sizeof answer) || answer.header.nlmsg_type != NLMSG_ERROR) return 0;
  return -answer.error.error;
}

}  // namespace

Outcome<UeventSocket> UeventSocket::open() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  if (!socket) return failure("no socket for them ({})", error_text());
  // A message that is too long is refused after the question whether the sender may, and heard by nobody.
  const int error = give_to_kernel(socket.get(), std::string(kTooLong, '\0'));
  if (error == EPERM || error == EACCES)
    return failure("only root of the network namespace may have the kernel send them");
  if (error == ECONNREFUSED) return failure("this kernel sends none for others, as Linux 4.18 and later do");
  if (error != EINVAL) return failure("the kernel refuses them ({})", error_text(error));
  return UeventSocket(std::move(socket));
}

void UeventSocket::send(const model::Uevent& event) const noexcept {
  std::string text = event.action + "@" + event.devpath;
  const auto add = [&](std::string_view key, std::string_view value) {
    text.append(1, '\0').append(key).append(value);
  };
  add("ACTION=", event.action);
  add("DEVPATH=", event.devpath);
  add("SUBSYSTEM=", event.subsystem);
  for (const std::string& key : event.keys) add("", key);
  text.push_back('\0');
  give_to_kernel(socket_.get(), text);
}

}  // namespace mdevfs::cli
