// SPDX-License-Identifier: Apache-2.0
//
// Loading backends that are not in this repository. The error is a sentence for the person who named the
// plugin.
//
// Thread-safety: none. The table of backends is read without a lock by every thread, so it grows only while
// the program has one.
#pragma once

#include <expected>
#include <string>

#include "backends.h"

namespace mdevfs::backends {

// Loads a plugin and adds its backend to all(). A name without a slash is one in the working directory or
// else in LIBDIR/mdevfs, there also without its `.so`. One that is loaded already gives the same backend
// again.
std::expected<const Backend*, std::string> load_plugin(const std::string& file);

// Adds a backend to all(), if everything that the program will rely on is true of it.
std::expected<const Backend*, std::string> add_checked(const Backend& backend);

}  // namespace mdevfs::backends
