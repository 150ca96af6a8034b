// SPDX-License-Identifier: Apache-2.0
#include "namespaces.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "pidfd.h"
#include "process.h"
#include "unique_fd.h"

namespace mdevfs::cli {
namespace {

struct Switch {
  const char* file;
  const char* off;  // what it holds when it forbids user namespaces
  const char* sentence;
};

constexpr Switch kSwitches[] = {
    {"/proc/sys/user/max_user_namespaces", "0",
     "user namespaces are switched off here: as root, 'sysctl user.max_user_namespaces=10000' allows them"},
    {"/proc/sys/kernel/unprivileged_userns_clone", "0",
     "user namespaces are switched off for ordinary users: as root, 'sysctl "
     "kernel.unprivileged_userns_clone=1' "
     "allows them"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "AppArmor restricts user namespaces of ordinary users: as root, "
     "'sysctl kernel.apparmor_restrict_unprivileged_userns=0' allows them; a container wants --security-opt "
     "apparmor=unconfined too"},
};

const char* what_is_switched_off() {  // nullptr: nothing
  for (const Switch& known : kSwitches) {
    std::string value;
    if (std::ifstream(known.file) >> value && value == known.off) return known.sentence;
  }
  return nullptr;
}

std::unexpected<std::string> refused(int error) {
  if (const char* const sentence = what_is_switched_off()) return failure("{}", sentence);
  return failure(
      "the kernel refuses a user namespace ({}): in a container or a chroot, be root with CAP_SYS_ADMIN "
      "(--cap-add SYS_ADMIN --device /dev/fuse), or let the container have user namespaces "
      "(--security-opt seccomp=unconfined --device /dev/fuse)",
      error_text(error));
}

bool write_file(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  return file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Makes this process root in the user namespace that it has just made.
bool map_to_root(uid_t uid, gid_t gid) {
  return write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", fmt::format("0 {} 1", uid)) &&
         write_file("/proc/self/gid_map", fmt::format("0 {} 1", gid));
}

// Climbs out of a chroot, as root may, to where the namespace's own root is.
Outcome<> climb_to_namespace_root() {
  // A chroot to anywhere below leaves the working directory outside of it, and ".." free to rise.
  if (chdir("/") != 0 || chroot("/proc") != 0) return failure("cannot leave the chroot: {}", error_text());
  struct stat here{}, above{};
  while (stat(".", &here) == 0 && stat("..", &above) == 0 &&
         (here.st_ino != above.st_ino || here.st_dev != above.st_dev)) {
    if (chdir("..") != 0) return failure("cannot leave the chroot: {}", error_text());
  }
  return {};
}

// In a chroot whose root is not a mount, no path leads to the mount that it lies on: it has to be left for a
// moment.
Outcome<> make_private_outside_chroot() {
  const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd directory(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (auto climbed = climb_to_namespace_root(); !climbed) return climbed;
  const bool made = mount(nullptr, ".", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  const int error = errno;
  if (fchdir(root.get()) != 0 || chroot(".") != 0 || fchdir(directory.get()) != 0) {
    return failure("cannot return to the chroot: {}", error_text());
  }
  return made ? Outcome<>() : failure("cannot make the chroot's mounts private: {}", error_text(error));
}

Outcome<> make_mounts_private() {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) return {};
  if (errno == EINVAL) return make_private_outside_chroot();
  if (errno == EACCES) {
    return failure(
        "mounts are forbidden here ({}), as AppArmor's profile for containers does: start the container with "
        "--security-opt apparmor=unconfined",
        error_text());
  }
  return failure("cannot make the mounts private: {}", error_text());
}

bool in_initial_user_namespace() {
  constexpr ino_t kInitial = 0xEFFFFFFD;  // the kernel's PROC_USER_INIT_INO
  struct stat status{};
  return stat("/proc/self/ns/user", &status) == 0 && status.st_ino == kInitial;
}

// Joins a network namespace that belongs to a user namespace below this process's own. A child makes both and
// stays in them until they are joined.
bool enter_network_of_lesser_root() {
  auto made = make_pipe(), joined = make_pipe();
  if (!made || !joined) return false;
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  // Not fork(): thread sanitizer starts a thread of its own in its child, and only a process with a single
  // one may leave its user namespace.
  const pid_t child = _Fork();
  if (child == 0) {
    joined->write.reset();
    char byte = 0;
    constexpr int kBoth = CLONE_NEWUSER | CLONE_NEWNET;
    // The kernel makes no user namespace for who is in a chroot.
    const bool unshared =
        unshare(kBoth) == 0 || (climb_to_namespace_root() && chroot(".") == 0 && unshare(kBoth) == 0);
    if (unshared && map_to_root(uid, gid) && write(made->write.get(), &byte, 1) == 1 &&
        read(joined->read.get(), &byte, 1) == 0) {
      std::_Exit(0);
    }
    std::_Exit(kExitFailure);
  }
  if (child < 0) return false;
  made->write.reset();
  char byte = 0;
  const bool there = read(made->read.get(), &byte, 1) == 1;
  const bool entered = there && setns(open_process(child).get(), CLONE_NEWNET) == 0;
  joined->write.reset();
  waitpid(child, nullptr, 0);
  return entered;
}

}  // namespace

Outcome<> enter_private_namespaces() {
  if (unshare(CLONE_NEWNS) == 0) return make_mounts_private();
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return refused(errno);
  if (!map_to_root(uid, gid)) return refused(errno);
  auto made = make_mounts_private();
  // AppArmor lets Ubuntu's users make a user namespace, but do nothing in it.
  const char* const sentence = made ? nullptr : what_is_switched_off();
  return sentence != nullptr ? failure("{}", sentence) : made;
}

Outcome<bool> enter_private_network() {
  const bool initial = in_initial_user_namespace();
  const bool entered = initial && enter_network_of_lesser_root();
  if (!entered && unshare(CLONE_NEWNET) != 0)
    return failure("the kernel refuses a network namespace ({})", error_text());
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  if (ioctl(socket.get(), SIOCGIFFLAGS, &loopback) == 0) {
    loopback.ifr_flags |= IFF_UP;
    if (ioctl(socket.get(), SIOCSIFFLAGS, &loopback) == 0) return entered || !initial;
  }
  return failure("cannot bring the loopback interface up: {}", error_text());
}

}  // namespace mdevfs::cli
