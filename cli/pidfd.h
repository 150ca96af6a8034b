// SPDX-License-Identifier: Apache-2.0
//
// A process held by a descriptor, so that its number cannot come to mean another one meanwhile. By system
// call, as the <sys/pidfd.h> of glibc 2.36 cannot be linked from C++ (it has no extern "C").
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include "unique_fd.h"

namespace mdevfs::cli {

inline UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

inline bool send_signal(const UniqueFd& process, int signal) {
  return syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

}  // namespace mdevfs::cli
