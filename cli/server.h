// SPDX-License-Identifier: Apache-2.0
//
// The daemon's work, the same for `mount` and `run`: a model, its backends, a mount, answering until told to
// stop.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "fs/filesystem.h"
#include "model/core.h"
#include "outcome.h"

namespace mdevfs::cli {

using BackendList = std::vector<const backends::Backend*>;

// Those of these names, all of them where there are no names. The error is one of usage.
Outcome<BackendList> find_backends(std::span<const std::string> names);

struct Service {
  BackendList backends;
  fs::Options options;
  std::string mountpoint;
  int stop_when_readable = -1;  // a signalfd, or a pipe whose writers' end is the end of the service
  std::function<void(model::Core&)> furnish;  // called before the mount; may be empty
};

// Returns when the mount has gone.
Outcome<> serve(Service service);

}  // namespace mdevfs::cli
