// SPDX-License-Identifier: Apache-2.0
//
// How `run` leaves nothing behind: who still lives under the mount is killed, wherever it went meanwhile.
#pragma once

#include <sys/types.h>

#include <string>

namespace mdevfs::cli {

// Who is left alone: the processes of the mount namespace in which the filesystem was mounted (the daemon,
// the guard), and the runner, which is under the mount itself.
struct Spared {
  ino_t mount_namespace = 0;
  pid_t runner = -1;
};
ino_t mount_namespace_of(const std::string& process = "self");  // 0: it is gone, or not ours to look at

// Kills every process in whose mount namespace the filesystem with this device number is mounted, and those
// they start meanwhile. Returns when there are none.
void kill_all_under(dev_t filesystem, const Spared& spared);

}  // namespace mdevfs::cli
