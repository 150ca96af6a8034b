// SPDX-License-Identifier: Apache-2.0
#include "libvirt.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mdevfs::cli {
namespace {

const std::string kConfiguration = "/etc/libvirt";
constexpr std::array kWritten = {"/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt",
                                 "/var/log/libvirt"};

constexpr const char* kDaemon = "/usr/sbin/libvirtd";
constexpr std::array kMdevctl = {"/usr/bin/mdevctl", "/usr/sbin/mdevctl"};

// What libvirtd's QEMU driver gives its files to. It is built to look this user up before it reads that it is
// to use another, and does not start without; Debian has it from the package libvirt-daemon-system.
constexpr const char* kBuiltInUser = "libvirt-qemu";

bool is_program(const char* path) {
  return access(path, X_OK) == 0;
}

Outcome<> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  return file << text && file.flush() ? Outcome<>() : failure("cannot write {}: {}", path, error_text());
}

// In an ordinary user's namespace there is no other user than root to give a file to. Security labels are the
// host kernel's.
Outcome<> write_configuration(const std::string& directory) {
  return write_file(directory + "/qemu.conf",
                    "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n");
}

Outcome<> add_line(PrivateDirectories& directories, const std::string& path, const std::string& line) {
  std::ifstream original(path);
  const std::string text{std::istreambuf_iterator(original), {}};
  const std::string copy = kConfiguration + "/" + std::filesystem::path(path).filename().string();
  if (auto written = write_file(copy, text + line + "\n"); !written) return written;
  return directories.bind(copy, path);
}

Outcome<> add_built_in_user(PrivateDirectories& directories) {
  Outcome<> done;
  if (getpwnam(kBuiltInUser) == nullptr)
    done = add_line(directories, "/etc/passwd", fmt::format("{}:x:0:0::/:/usr/sbin/nologin", kBuiltInUser));
  if (done && getgrnam(kBuiltInUser) == nullptr)
    done = add_line(directories, "/etc/group", fmt::format("{}:x:0:", kBuiltInUser));
  return done;
}

Outcome<> prepare(PrivateDirectories& directories) {
  if (auto covered = directories.cover(kConfiguration, write_configuration); !covered) return covered;
  for (const char* directory : kWritten) {
    if (auto covered = directories.cover(directory); !covered) return covered;
  }
  return add_built_in_user(directories);
}

// The command is not to talk to the hypervisor that its user has chosen outside.
Outcome<> point_clients_here() {
  unsetenv("VIRSH_DEFAULT_CONNECT_URI");
  setenv("LIBVIRT_DEFAULT_URI", "qemu:///system", 1);
  return {};
}

}  // namespace

Outcome<Companion> libvirt_companion() {
  if (!is_program(kDaemon))
    return failure("there is no libvirtd, which --libvirt starts: install the package libvirt-daemon");
  if (std::ranges::none_of(kMdevctl, is_program))
    return failure("there is no mdevctl, which libvirtd calls: install the package mdevctl");
  return Companion{
      .name = "libvirtd",
      // Without the option its process id would be in /run itself.
      .command = {kDaemon, "--pid-file", "/run/libvirt/libvirtd.pid"},
      .without_capabilities = {CAP_SYS_MODULE},  // its firewall and PCI code loads the host's modules
      .prepare = prepare,
      .when_ready = point_clients_here};
}

}  // namespace mdevfs::cli
