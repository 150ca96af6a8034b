// SPDX-License-Identifier: Apache-2.0
#include "enter_command.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "execute.h"
#include "kept_name.h"
#include "process.h"
#include "shell.h"

namespace mdevfs::cli {
namespace {

struct Namespace {
  const char* file;
  int flag;
};
constexpr Namespace kNamespaces[] = {{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET}};

// Those that the process does not share with this one: who is in a user namespace may not enter it.
int other_namespaces(pid_t pid) {
  int flags = 0;
  for (const Namespace& kind : kNamespaces) {
    struct stat own{}, other{};
    if (stat(fmt::format("/proc/self/ns/{}", kind.file).c_str(), &own) != 0) continue;
    if (stat(fmt::format("/proc/{}/ns/{}", pid, kind.file).c_str(), &other) != 0) continue;
    if (own.st_ino != other.st_ino) flags |= kind.flag;
  }
  return flags;
}

// A process that joins a mount namespace is at its root, which a run in a chroot is not.
Outcome<> join(const FoundRun& run) {
  const UniqueFd root(
      open(fmt::format("/proc/{}/root", run.pid()).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return failure("cannot look at the root of process {}: {}", run.pid(), error_text());
  const int flags = other_namespaces(run.pid());
  if (flags != 0 && setns(run.process().get(), flags) != 0)
    return failure("cannot join the namespaces of process {}: {}", run.pid(), error_text());
  if (fchdir(root.get()) != 0 || chroot(".") != 0)
    return failure("cannot enter the root of process {}: {}", run.pid(), error_text());
  return {};
}

}  // namespace

Outcome<> enter_command(const EnterRequest& request) {
  const auto run = FoundRun::find(request.name);
  if (!run) return std::unexpected(run.error());
  const std::string directory = working_directory();
  if (auto joined = join(*run); !joined)
    return run->is_kept() ? joined : failure("{} has ended", request.name);
  // The runner gives its name back before it looks for whom to kill: it will find this process if it has it
  // still.
  if (!run->is_kept()) return failure("{} has ended", request.name);
  if (chdir(directory.c_str()) != 0)
    complain(
        fmt::format("the working directory {} is not there in {}: it is / now", directory, request.name));
  set_environment();
  execute(request.command.empty() ? prepare_shell(request.name, {}) : request.command);
}

}  // namespace mdevfs::cli
