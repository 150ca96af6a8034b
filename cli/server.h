// SPDX-License-Identifier: Apache-2.0
//
// The daemon's work, the same for `mount` and `run`: a model, its backends, a mount, answering until told to
// stop.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "config/machine.h"
#include "control/control.h"
#include "fs/filesystem.h"
#include "model/core.h"
#include "outcome.h"
#include "unique_fd.h"

namespace mdevfs::cli {

using BackendList = std::vector<const backends::Backend*>;

// Loads these (backends/plugin.h), which are backends like any others from then on. Before there is a second
// thread or process.
Outcome<> load_plugins(std::span<const std::string> files);

// Those of these names, all of them where there are no names. The error is one of usage.
Outcome<BackendList> find_backends(std::span<const std::string> names);

// What there is from the beginning.
struct Hardware {
  BackendList backends;
  config::Machine machine = {};
  config::Cards cards = {};
  model::KernelVersion kernel = model::kDefaultKernel;
};
// As a Control needs it.
control::Complete by_cards(const config::Cards& cards);
Outcome<> load_hardware(model::Core& core, control::Control& control, const Hardware& hardware);

struct Service {
  Hardware hardware;
  std::vector<std::string> mount_options;
  std::string source = "mdevfs";
  std::string mountpoint;
  bool uevents = false;  // have the kernel send them in this network namespace
  std::chrono::microseconds poll = fs::kDefaultPoll;
  bool cached = false;          // fs::Options' own
  int log = -1;                 // where the kernel log is written; -1: nowhere
  int stop_when_readable = -1;  // a signalfd, or a pipe whose writers' end is the end of the service
  // Called before the mount; returns what the process that started the daemon has to know. May be empty.
  std::function<std::vector<std::string>(model::Core&)> furnish;
};

// Returns when the mount has gone. Calls `on_ready` once the tree answers, with what furnish() returned.
using OnReady = std::function<void(std::span<const std::string>)>;
Outcome<> serve(const Service& service, const OnReady& on_ready);

// The whole life of a daemon process: tells through `report` how it began, and nobody of how it ends.
[[noreturn]] void serve_as_daemon(const Service& service, UniqueFd report);

}  // namespace mdevfs::cli
