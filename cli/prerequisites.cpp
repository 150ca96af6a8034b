// SPDX-License-Identifier: Apache-2.0
#include "prerequisites.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <sstream>

#include "mount_table.h"
#include "unique_fd.h"

namespace mdevfs::cli {
namespace {

struct Advice {
  int error;
  const char* sentence;
};

constexpr Advice kDeviceAdvice[] = {
    {ENOENT,
     "/dev/fuse does not exist: load FUSE with 'modprobe fuse' as root, or start the container with "
     "--device /dev/fuse"},
    {ENODEV, "the kernel has no FUSE: load it with 'modprobe fuse' as root"},
    {ENXIO, "the kernel has no FUSE: load it with 'modprobe fuse' as root"},
    {EACCES,
     "no permission to open /dev/fuse: make it usable for everybody with 'chmod 666 /dev/fuse' as root"},
    {EPERM, "not permitted to open /dev/fuse: start the container with --device /dev/fuse"},
};

constexpr Advice kMountpointAdvice[] = {
    {ENOENT, "the mount point {0} does not exist: make it with 'mkdir -p {0}'"},
    {ENOTDIR, "the mount point {0} is not a directory: choose an empty directory"},
    {EACCES, "no permission to reach the mount point {0}: choose a directory of your own"},
    {ENOTCONN, "{0} is a mount whose daemon is gone: unmount it with 'fusermount3 -u {0}'"},
};

std::unexpected<std::string> mountpoint_failure(const std::string& path, int error) {
  for (const Advice& advice : kMountpointAdvice) {
    if (advice.error == error) return failure(fmt::runtime(advice.sentence), path);
  }
  return failure("the mount point {} cannot be used: {}", path, error_text(error));
}

Outcome<> check_not_mounted(const std::string& path) {
  for (const Mount& mount : read_mounts()) {
    if (mount.mountpoint != path) continue;
    if (!mount.type.starts_with("fuse"))
      return failure("{} is already a mount point: choose another directory", path);
    return failure(
        "{0} is already a mount point: unmount it with 'fusermount3 -u {0}', or choose another directory",
        path);
  }
  return {};
}

bool is_executable_somewhere(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(std::string("/usr/bin:") + (path != nullptr ? path : ""));
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

Outcome<> check_fuse_device() {
  const UniqueFd device(open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device) return {};
  for (const Advice& advice : kDeviceAdvice) {
    if (advice.error == errno) return failure("{}", advice.sentence);
  }
  return failure("cannot open /dev/fuse: {}", error_text());
}

Outcome<> check_fusermount() {
  if (geteuid() == 0) return {};
  if (!is_executable_somewhere("fusermount3")) {
    return failure(
        "fusermount3 is missing, which mounts for ordinary users: install the package fuse3, or be root");
  }
  // Containers and chroots may lack it, and then nothing but a kill of the daemon and root's umount ends the
  // mount.
  if (access("/etc/mtab", R_OK) == 0) return {};
  return failure(
      "there is no /etc/mtab, without which fusermount3 does not unmount: make it with "
      "'ln -s /proc/self/mounts /etc/mtab' as root");
}

Outcome<std::string> check_mountpoint(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
  if (!real) return mountpoint_failure(path, errno);
  std::string absolute = real.get();
  struct stat status{};
  if (stat(absolute.c_str(), &status) != 0) return mountpoint_failure(absolute, errno);
  if (!S_ISDIR(status.st_mode)) return mountpoint_failure(absolute, ENOTDIR);
  if (auto free = check_not_mounted(absolute); !free) return std::unexpected(free.error());
  if (geteuid() != 0 && access(absolute.c_str(), W_OK) != 0) {
    return failure(
        "no permission to mount on {}, which is not yours to write: choose a directory of your own",
        absolute);
  }
  return absolute;
}

}  // namespace mdevfs::cli
