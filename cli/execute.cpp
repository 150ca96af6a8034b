// SPDX-License-Identifier: Apache-2.0
#include "execute.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "outcome.h"

namespace mdevfs::cli {
namespace {

constexpr int kExitNotExecutable = 126;
constexpr int kExitNotFound = 127;

// execvp() says EACCES also where it may not look into some directory of PATH.
bool is_found(const std::string& command) {
  if (command.find('/') != std::string::npos) return true;
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : "/bin:/usr/bin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + command).c_str(), F_OK) == 0) return true;
  }
  return false;
}

}  // namespace

void set_environment() {
  setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1);  // libudev takes no /sys that is not of type sysfs
  setenv("SYSTEMD_IGNORE_CHROOT", "1", 1);        // in a chroot udevd and udevadm do nothing without it
}

void execute(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  int error = errno;
  if (!is_found(command[0])) error = ENOENT;
  complain(fmt::format("cannot run {}: {}", command[0], error_text(error)));
  std::_Exit(error == ENOENT ? kExitNotFound : kExitNotExecutable);
}

}  // namespace mdevfs::cli
