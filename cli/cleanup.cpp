// SPDX-License-Identifier: Apache-2.0
#include "cleanup.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include "mount_table.h"
#include "pidfd.h"

namespace mdevfs::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A process that does not die within this time waits for the daemon, which is about to go and to free it.
constexpr std::chrono::seconds kPatience{10};

class Sweep {
 public:
  Sweep(dev_t filesystem, const Spared& spared) : filesystem_(filesystem), runner_(spared.runner) {
    guilty_[0] = false;
    guilty_[spared.mount_namespace] = false;
  }

  bool killed_any() {
    bool killed = false;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
      const std::string name = entry.path().filename();
      if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
      const pid_t pid = std::stoi(name);
      if (pid == runner_) continue;
      // Opened before it is looked at: the process that is killed is the one that was found.
      const UniqueFd process = open_process(pid);
      if (!process || !is_under(name)) continue;
      killed |= send_signal(process, SIGKILL);
    }
    return killed;
  }

 private:
  bool is_under(const std::string& process) {
    const auto [found, fresh] = guilty_.try_emplace(mount_namespace_of(process), false);
    if (!fresh) return found->second;
    const auto mounts = read_mounts(process);
    found->second =
        std::ranges::any_of(mounts, [this](const Mount& mount) { return mount.device == filesystem_; });
    if (!mounts.empty()) return found->second;
    // A process that is about to be gone shows no mounts; the next one of its namespace may be asked.
    guilty_.erase(found);
    return false;
  }

  const dev_t filesystem_;
  const pid_t runner_;
  std::map<ino_t, bool> guilty_;  // by mount namespace
};

}  // namespace

ino_t mount_namespace_of(const std::string& process) {
  struct stat status{};
  return stat(("/proc/" + process + "/ns/mnt").c_str(), &status) == 0 ? status.st_ino : 0;
}

void kill_all_under(dev_t filesystem, const Spared& spared) {
  const auto deadline = Clock::now() + kPatience;
  while (Sweep(filesystem, spared).killed_any() && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace mdevfs::cli
