// SPDX-License-Identifier: Apache-2.0
//
// How `run` leaves nothing behind: who still lives under the mount is killed, wherever it went meanwhile.
#pragma once

#include <sys/types.h>

namespace mdevfs::cli {

// Kills every process in whose mount namespace the filesystem with this device number is mounted, but for
// those in the caller's own namespace (the daemon's), and those they start meanwhile. Returns when there are
// none.
void kill_all_under(dev_t filesystem);

}  // namespace mdevfs::cli
