// SPDX-License-Identifier: Apache-2.0
//
// Sends uevents as the kernel does. Whoever is root of a network namespace may have the kernel send one there
// (Linux 4.18 and later): it adds SEQNUM and gives the message to all who listen, udevd and its like, as one
// of its own.
#pragma once

#include "model/change.h"
#include "outcome.h"
#include "unique_fd.h"

namespace mdevfs::cli {

// Thread-safety: send() from any thread.
class UeventSocket {
 public:
  // For the network namespace that the caller is in now. The error says why none can be sent there.
  static Outcome<UeventSocket> open();

  // Waits for nobody: a listener who does not take what he gets loses it.
  void send(const model::Uevent& event) const noexcept;

 private:
  explicit UeventSocket(UniqueFd socket) : socket_(std::move(socket)) {}
  UniqueFd socket_;
};

}  // namespace mdevfs::cli
