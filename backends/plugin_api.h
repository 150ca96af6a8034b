// SPDX-License-Identifier: Apache-2.0
//
// What a plugin includes: a backend that is not in this repository, as a shared object that `--plugin` loads.
// It is written as those in this repository are, with nothing but what they use, and ends with
//
//   MDEVFS_PLUGIN(slots);
//
// where slots() returns its Backend. mdevfs-backend(3) is the reference, examples/plugin one to begin with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backends.h"
#include "model/build.h"
#include "model/core.h"
#include "sample.h"
#include "values.h"

namespace mdevfs::backends {

// Rises with every change of these headers after which a plugin must be built anew, or written anew: a plugin
// works with the mdevfs of its own number and no other.
inline constexpr unsigned kPluginVersion = 1;

// A number for the sizes of what a plugin and the program hand each other. They differ where the headers, the
// C++ library or its debugging mode do, also where somebody forgot to raise kPluginVersion.
consteval std::uint64_t interface_layout() {
  constexpr std::array sizes = {
      sizeof(std::string),
      sizeof(Values),
      sizeof(Settings),
      sizeof(Check),
      sizeof(Key),
      sizeof(Group),
      sizeof(Backend),
      sizeof(Loaded),
      sizeof(model::Mutex),
      sizeof(model::Object),
      sizeof(model::Module),
      sizeof(model::Driver),
      sizeof(model::DriverInfo),
      sizeof(model::ModuleInfo),
      sizeof(model::TypeInfo),
      sizeof(model::Type),
      sizeof(model::Parent),
      sizeof(model::HostAttribute),
      sizeof(model::HostDevice),
      sizeof(model::Bus),
      sizeof(model::BusDriver),
      sizeof(model::DeviceClass),
      sizeof(model::Device),
      sizeof(model::DeviceAttribute),
      sizeof(model::Core),
  };
  std::uint64_t number = 0xcbf29ce484222325U;  // FNV-1a
  for (const std::size_t size : sizes) number = (number ^ size) * 0x100000001b3U;
  return number;
}

// What the symbol `mdevfs_plugin` is. Its first member stays the first whatever comes: the rest is looked at
// only where that is right.
struct Plugin {
  unsigned version = kPluginVersion;
  const char* mdevfs = MDEVFS_VERSION;  // whose headers it was built with
  const char* compiler = __VERSION__;
  std::uint64_t layout = interface_layout();
  // Called once, while the program has one thread. What the backend's spans and views point to is there for
  // as long as the program runs.
  Backend (*backend)() = nullptr;
};

}  // namespace mdevfs::backends

extern "C" __attribute__((visibility("default"))) const mdevfs::backends::Plugin mdevfs_plugin;

// A plugin's entry: once in each, outside of any namespace.
#define MDEVFS_PLUGIN(function)                            \
  constinit const mdevfs::backends::Plugin mdevfs_plugin { \
    .backend = (function)                                  \
  }
