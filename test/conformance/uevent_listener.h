// SPDX-License-Identifier: Apache-2.0
//
// Hears the uevents of a network namespace as udevd does: a netlink socket in the kernel's multicast group.
// Whatever makes the events, a kernel or a program that has the kernel send them, they arrive here alike.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "machine.h"
#include "operation.h"

namespace mdevfs::conformance {

// The parts of a message: "add@/devices/...", then its keys, each ending in a NUL.
Uevent parse_uevent(std::string_view message);

// Thread-safety: none; one thread listens.
class UeventListener {
 public:
  // Hears what is sent from now on in the namespace that the caller is in now. Throws Unavailable.
  UeventListener();

  // What came since the last call, in order, waiting until nothing has come for `quiet`. Throws if the kernel
  // had to drop some because nobody took them.
  std::vector<Uevent> take(std::chrono::milliseconds quiet);

 private:
  Descriptor socket_;
};

}  // namespace mdevfs::conformance
