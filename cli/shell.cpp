// SPDX-License-Identifier: Apache-2.0
#include "shell.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "outcome.h"

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

constexpr std::size_t kShown = 8;  // of a list, before "and N more"

std::string users_shell() {
  const char* const variable = std::getenv("SHELL");
  const std::string shell = variable != nullptr ? variable : "";
  const std::string name = files::path(shell).filename();
  const bool usable =
      !name.empty() && name != "nologin" && name != "false" && access(shell.c_str(), X_OK) == 0;
  return usable ? shell : "/bin/sh";
}

// bash's start-up files set a prompt of their own: ours goes before it. They are read through a descriptor,
// as there is no directory to write a file to.
std::vector<std::string> bash(const std::string& shell, const std::string& prompt) {
  const int file = memfd_create("bashrc", 0);
  const std::string text =
      fmt::format("[ ! -r ~/.bashrc ] || . ~/.bashrc\nPS1='{} '$PS1\nexec {}<&-\n", prompt, file);
  if (file < 0 || write(file, text.data(), text.size()) < 0) return {shell};
  return {shell, "--rcfile", fmt::format("/proc/self/fd/{}", file), "-i"};
}

std::string list_of(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : files::directory_iterator(directory, error))
    if (entry.is_directory(error)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  const std::size_t more = names.size() > kShown + 1 ? names.size() - kShown : 0;
  names.resize(names.size() - more);
  const std::string text = fmt::format("{}", fmt::join(names, ", "));
  return more == 0 ? text : fmt::format("{} and {} more", text, more);
}

void greet(const std::vector<std::string>& notes) {
  const std::string parents = list_of("/sys/class/mdev_bus"), units = list_of("/sys/kernel/config/mdevfs");
  complain(units.empty() ? "nothing is emulated here yet: 'mdevfs load' adds hardware"
                         : fmt::format("emulated here, in /sys: {}", units));
  if (!parents.empty() && parents != units) complain(fmt::format("parents of mediated devices: {}", parents));
  std::ranges::for_each(notes, complain);
}

}  // namespace

std::vector<std::string> prepare_shell(const std::string& name, const std::vector<std::string>& notes) {
  const std::string shell = users_shell();
  if (isatty(STDIN_FILENO) == 0) return {shell};
  greet(notes);
  const std::string prompt = name.empty() ? "(mdevfs)" : fmt::format("(mdevfs {})", name);
  if (files::path(shell).filename() == "bash") return bash(shell, prompt);
  setenv("PS1", (prompt + " # ").c_str(), 1);
  return {shell, "-i"};
}

}  // namespace mdevfs::cli
