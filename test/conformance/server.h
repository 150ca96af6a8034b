// SPDX-License-Identifier: Apache-2.0
//
// The emulated machine's kernel: a process of its own with a model and its filesystem, which obeys commands
// on a socket. It stays in a mount namespace that has the real /sys, as the program's daemon does.
#pragma once

#include <string>
#include <string_view>

#include "model/core.h"

namespace mdevfs::conformance {

// A command is one message with a descriptor for its reply, so that several can be under way at once.
struct Command {
  static constexpr std::string_view kReady = "ready";    // answered once the tree answers
  static constexpr std::string_view kLoad = "load";      // mdev, vfio or vfio_mdev, which are no hardware
  static constexpr std::string_view kUnload = "unload";  // the same
  static constexpr std::string_view kLog = "log";        // lines since the last time, some at a time
};

// An errno, 0: done; what went wrong with the server itself, or the lines that were asked for.
struct Reply {
  int error = 0;
  std::string text = {};
};

struct ServerOptions {
  model::KernelVersion kernel = model::kDefaultKernel;
  model::Core::Boot boot = model::Core::Boot::all;
  bool cached = false;   // fs::Options' own
  bool uevents = false;  // are sent in the server's network namespace
};

// Sends a command and waits for its reply. Thread-safety: any thread, several at once.
Reply ask(int socket, const std::string& command);

// Mounts on `mountpoint` and obeys until the socket's other end is closed. The status to exit with.
int serve(int socket, const std::string& mountpoint, ServerOptions options);

}  // namespace mdevfs::conformance
