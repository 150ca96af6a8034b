// SPDX-License-Identifier: Apache-2.0
//
// systemd-udevd as a companion of `run`: a udev of the command's own, which hears the emulated uevents and
// nobody else's, has its own database in /run/udev, and makes its links in a /dev of its own.
#pragma once

#include <optional>
#include <string>

#include "companion.h"

namespace mdevfs::cli {

// `rules` is a directory with rules beside the host's, which it sees as /run/udev/rules.d. Fails where there
// is no systemd-udevd or no such directory.
Outcome<Companion> udev_companion(const std::optional<std::string>& rules);

}  // namespace mdevfs::cli
