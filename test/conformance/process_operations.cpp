// SPDX-License-Identifier: Apache-2.0
//
// Operations about the process that makes the calls: its working directory, its user, its shell, its clock.
// `as` changes one thread only, with the bare system calls: libc's setresuid would change them all.
#include <fmt/format.h>
#include <grp.h>
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "operation.h"

namespace mdevfs::conformance {
namespace {

Outcome change_directory(Context&, Arguments& arguments) {
  return ::chdir(arguments.path().c_str()) == 0 ? ok() : failed("chdir");
}

// libc's getcwd walks up the tree when the system call fails: that would hide what the kernel says.
Outcome working_directory(Context&, Arguments&) {
  std::array<char, PATH_MAX> path{};
  return ::syscall(SYS_getcwd, path.data(), path.size()) >= 0 ? Outcome{path.data(), {}} : failed("getcwd");
}

Outcome list_working_directory(Context&, Arguments&) {
  const Descriptor fd(::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd ? list(fd.get(), Listing::kSorted) : failed("open");
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (const auto length = ::read(fd, buffer.data(), buffer.size())) {
    if (length < 0 && errno != EINTR) break;
    if (length > 0) text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// busybox's sh under the name `sh`, because its messages begin with the name it was called by.
int spawn_shell(const Context& context, const std::string& command, int output, pid_t& child) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  const auto program = context.applets + "/sh";
  std::string path = fmt::format("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", context.applets);
  std::string name = "sh";
  std::string option = "-c";
  std::string text = command;
  const std::array<char*, 4> arguments{name.data(), option.data(), text.data(), nullptr};
  const std::array<char*, 2> environment{path.data(), nullptr};
  const int error =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

Outcome shell(Context& context, Arguments& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe");
  const Descriptor output(ends[0]);
  Descriptor input(ends[1]);
  pid_t child = 0;
  if (const int error = spawn_shell(context, std::string(arguments.rest()), input.get(), child)) {
    return failed("posix_spawn", error);
  }
  input = Descriptor();
  auto lines = lines_of(read_all(output.get()));
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto end = WIFEXITED(status) ? fmt::format("exit {}", WEXITSTATUS(status))
                                     : fmt::format("signal {}", WTERMSIG(status));
  if (lines.empty()) return {end, {}};
  lines.push_back(end);
  return block(std::move(lines));
}

Outcome sleep_for(Context&, Arguments& arguments) {
  std::this_thread::sleep_for(std::chrono::milliseconds(arguments.number()));
  return ok();
}

// `!PATH`: until it is gone.
Outcome wait_for(Context&, Arguments& arguments) {
  auto path = arguments.path();
  const bool gone = path.starts_with('!');
  if (gone) path.erase(0, 1);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(arguments.number(1000));
  struct stat status{};
  while ((::lstat(path.c_str(), &status) == 0) == gone) {
    if (std::chrono::steady_clock::now() > deadline) return failed("waitfor", ETIMEDOUT);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return ok();
}

bool become(uid_t user) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, user, user, user) == 0 &&
         ::syscall(SYS_setresuid, user, user, user) == 0;
}

Outcome as_user(Context& context, Arguments& arguments) {
  const auto user = static_cast<uid_t>(arguments.number());
  const auto operation = arguments.rest();
  Outcome outcome;
  std::thread([&] { outcome = become(user) ? perform(context, operation) : failed("setresuid"); }).join();
  return outcome;
}

Outcome timed(Context& context, Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  auto outcome = perform(context, arguments.rest());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return with_remark(std::move(outcome), fmt::format("[{:.1f}s]", taken.count()));
}

constexpr Operation kOperations[] = {
    {"chdir", change_directory},
    {"getcwd", working_directory},
    {"chdirls", list_working_directory},
    {"sh", shell},
    {"sleep", sleep_for},
    {"waitfor", wait_for},
    {"as", as_user},
    {"time", timed},
};

}  // namespace

std::span<const Operation> process_operations() {
  return kOperations;
}

}  // namespace mdevfs::conformance
