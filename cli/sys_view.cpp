// SPDX-License-Identifier: Apache-2.0
#include "sys_view.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

const files::path kSys = "/sys";
const files::path kMdevctl = "/etc/mdevctl.d";

// Directories of /sys where entries of the host's stand beside emulated ones, outermost first.
constexpr std::array kShared = {"",       "class",         "bus",          "devices", "devices/virtual",
                                "kernel", "kernel/config", "kernel/debug", "module"};

// Directories of /sys whose contents depend on the network namespace. (Below other parents than `virtual`
// there are interfaces only of hardware, which stays where the host has it.)
constexpr std::array kOfNetwork = {"class/net", "devices/virtual/net"};

// Directories that every system has, and of whose contents the command's start needs nothing.
constexpr std::array kStaging = {"/mnt", "/srv", "/media", "/opt", "/tmp"};

model::PlaceholderKind kind_of(files::file_type type) {
  if (type == files::file_type::directory) return model::PlaceholderKind::directory;
  if (type == files::file_type::symlink) return model::PlaceholderKind::link;
  return model::PlaceholderKind::file;
}

Outcome<> bind_onto(const files::path& source, const files::path& target) {
  if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0) return {};
  return failure("cannot bind {} to {}: {}", source.string(), target.string(), error_text());
}

Outcome<> move_onto(const files::path& source, const files::path& target) {
  if (mount(source.c_str(), target.c_str(), nullptr, MS_MOVE, nullptr) == 0) return {};
  return failure("cannot move the mount {} to {}: {}", source.string(), target.string(), error_text());
}

// The callouts are the host's: who changes or adds some under `run` changes copies.
Outcome<> copy_scripts(const files::path& target) {
  const files::path scripts = kMdevctl / "scripts.d";
  for (const char* kind : {"callouts", "notifiers"}) {
    std::error_code error;
    files::create_directories(target / "scripts.d" / kind, error);
    if (!files::exists(scripts / kind, error)) continue;
    for (const auto& entry : files::directory_iterator(scripts / kind, error)) {
      const files::path copy = target / "scripts.d" / kind / entry.path().filename();
      files::copy(entry.path(), copy, files::copy_options::recursive | files::copy_options::copy_symlinks,
                  error);
      if (error)
        complain(fmt::format("{} is missing under the command: {}", entry.path().string(), error.message()));
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> add_placeholders(model::Core& core) {
  std::vector<std::string> bound;
  for (const std::string directory : kShared) {
    std::error_code error;
    for (const auto& entry : files::directory_iterator(kSys / directory, error)) {
      const std::string name = entry.path().filename();
      const auto kind = kind_of(entry.symlink_status(error).type());
      const bool link = kind == model::PlaceholderKind::link;
      const std::string target = link ? files::read_symlink(entry.path(), error).string() : std::string();
      if (core.add_placeholder(directory, name, kind, target) && !link)
        bound.push_back(files::path(directory) / name);
    }
  }
  return bound;
}

Outcome<std::string> find_staging_directory() {
  for (const char* directory : kStaging) {
    struct stat status{};
    if (stat(directory, &status) == 0 && S_ISDIR(status.st_mode)) return directory;
  }
  return failure(
      "there is none of the directories /mnt, /srv, /media, /opt and /tmp: make one with 'mkdir /mnt'");
}

Outcome<> move_tree_to_sys(const std::string& staging, const std::vector<std::string>& bound) {
  for (const std::string& path : bound) {
    const files::path target = staging / files::path(path);
    std::error_code error;
    if (auto done = bind_onto(kSys / path, target); done) {
      make_read_only(target);
    } else if (files::exists(kSys / path, error)) {
      return done;  // what went meanwhile is no loss
    }
  }
  return move_onto(staging, kSys);
}

void show_own_network(const std::string& staging) {
  if (mount("mdevfs", staging.c_str(), "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return;
  for (const char* directory : kOfNetwork) {
    if (auto bound = bind_onto(staging / files::path(directory), kSys / directory); !bound)
      complain(bound.error());
  }
  umount2(staging.c_str(), MNT_DETACH);
}

Outcome<> cover_mdevctl_directory(PrivateDirectories& directories,
                                  const std::optional<std::string>& directory) {
  std::error_code error;
  const bool there = files::exists(kMdevctl, error);
  if (!directory) return there ? directories.cover(kMdevctl, copy_scripts) : Outcome<>();
  if (!there) return failure("there is no {} to bind {} to: install mdevctl", kMdevctl.string(), *directory);
  if (!files::is_directory(*directory, error))
    return failure("there is no directory {0}: make it with 'mkdir {0}'", *directory);
  // mdevctl does nothing where these directories are missing.
  if (!files::exists(files::path(*directory) / "scripts.d", error)) {
    if (auto copied = copy_scripts(*directory); !copied) return copied;
  }
  return directories.bind(*directory, kMdevctl);
}

}  // namespace mdevfs::cli
