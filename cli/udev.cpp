// SPDX-License-Identifier: Apache-2.0
#include "udev.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

const std::string kRun = "/run/udev";

constexpr std::array kDaemons = {"/usr/lib/systemd/systemd-udevd", "/lib/systemd/systemd-udevd"};
constexpr std::array kTools = {"/usr/bin/udevadm", "/bin/udevadm", "/sbin/udevadm"};

std::optional<std::string> first_there(const auto& paths) {
  const auto found = std::ranges::find_if(paths, [](const char* path) { return access(path, X_OK) == 0; });
  return found == paths.end() ? std::nullopt : std::optional<std::string>(*found);
}

// The rule that Debian 12 has for mdevctl calls it where Debian 12 has it not.
Outcome<> add_mdevctl(PrivateDirectories& directories) {
  const char *const called = "/usr/sbin/mdevctl", *const installed = "/usr/bin/mdevctl";
  if (access(called, F_OK) == 0 || access(installed, F_OK) != 0) return {};
  return directories.add_link(called, installed);
}

// udevd sets owners and modes of device nodes and makes links to them, root's in the host's /dev.
Outcome<> prepare(PrivateDirectories& directories, const std::optional<std::string>& rules) {
  if (auto covered = directories.cover(kRun); !covered) return covered;
  if (rules) {
    const std::string target = kRun + "/rules.d";
    mkdir(target.c_str(), 0755);
    if (auto bound = directories.bind(*rules, target); !bound) return bound;
  }
  if (auto replicated = directories.replicate("/dev", Depth::all); !replicated) return replicated;
  return add_mdevctl(directories);
}

void write_add(const std::string& uevent) {
  const UniqueFd file(open(uevent.c_str(), O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const ssize_t written = file ? write(file.get(), "add", 3) : -1;
}

// What systemd-udev-trigger.service does at boot, for what is emulated and not for the host's: buses, drivers
// and modules before devices, parents before their children.
void trigger_all() {
  struct stat tree{};
  if (stat("/sys", &tree) != 0) return;
  for (const char* top : {"/sys/module", "/sys/bus", "/sys/devices"}) {
    std::error_code error;
    std::vector<std::string> uevents;
    for (auto entry = files::recursive_directory_iterator(top, error); !error && entry != end(entry);
         entry.increment(error)) {
      struct stat status{};
      const bool ours = lstat(entry->path().c_str(), &status) == 0 && status.st_dev == tree.st_dev;
      if (!ours || !S_ISDIR(status.st_mode)) entry.disable_recursion_pending();
      if (ours && entry->path().filename() == "uevent") uevents.push_back(entry->path());
    }
    std::ranges::sort(uevents, {}, [](const std::string& path) { return files::path(path).parent_path(); });
    std::ranges::for_each(uevents, write_add);
  }
}

Outcome<> coldplug(const std::string& udevadm) {
  trigger_all();
  return run_to_end({udevadm, "settle"});
}

}  // namespace

Outcome<Companion> udev_companion(const std::optional<std::string>& rules) {
  const auto daemon = first_there(kDaemons), udevadm = first_there(kTools);
  if (!daemon || !udevadm) {
    return failure("there is no systemd-udevd, which --udev starts: install the package udev");
  }
  std::error_code error;
  if (rules && !files::is_directory(*rules, error)) {
    return failure("there is no directory {} with rules for udev", *rules);
  }
  return Companion{
      .name = "systemd-udevd",
      .command = {*daemon},
      .environment = {"SYSTEMD_LOG_TARGET=console"},
      .without_capabilities =
          {CAP_SYS_MODULE},  // MODALIAS of an emulated device would load the host's module
      .prepare = [rules](PrivateDirectories& directories) { return prepare(directories, rules); },
      .when_ready = [udevadm] { return coldplug(*udevadm); }};
}

}  // namespace mdevfs::cli
