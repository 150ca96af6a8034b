// SPDX-License-Identifier: Apache-2.0
#include "private_directories.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "unique_fd.h"

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

Outcome<> bind_onto(const files::path& source, const files::path& target) {
  if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0) return {};
  return failure("cannot bind {} to {}: {}", source.string(), target.string(), error_text());
}

Outcome<> mount_empty(const std::string& directory, mode_t mode) {
  const std::string options = fmt::format("mode={:04o}", mode);
  if (mount("mdevfs", directory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0) return {};
  return failure("cannot mount a tmpfs at {}: {}", directory, error_text());
}

Outcome<> move_onto(const std::string& source, const std::string& target) {
  if (mount(source.c_str(), target.c_str(), nullptr, MS_MOVE, nullptr) == 0) return {};
  return failure("cannot move the mount {} to {}: {}", source, target, error_text());
}

bool is_there(const files::path& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0;
}

Outcome<> replicate_file(const files::path& source, const files::path& target, mode_t mode) {
  UniqueFd(open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).reset();
  if (auto bound = bind_onto(source, target); !bound) return bound;
  // A device can be opened for writing also where the mount is read-only.
  if (S_ISCHR(mode) || S_ISBLK(mode)) make_read_only(target);
  return {};
}

Outcome<> replicate_link(const files::path& source, const files::path& target) {
  std::error_code error;
  files::copy_symlink(source, target, error);
  return error ? failure("cannot make the link {}: {}", target.string(), error.message()) : Outcome<>();
}

Outcome<> replicate_entries(const files::path& source, const files::path& target, Depth depth,
                            dev_t filesystem);

Outcome<> replicate_directory(const files::path& source, const files::path& target, Depth depth,
                              const struct stat& status, dev_t filesystem) {
  mkdir(target.c_str(), 0755);
  if (depth == Depth::entries || status.st_dev != filesystem) return bind_onto(source, target);
  chmod(target.c_str(), status.st_mode & 07777);
  return replicate_entries(source, target, depth, filesystem);
}

Outcome<> replicate_entries(const files::path& source, const files::path& target, Depth depth,
                            dev_t filesystem) {
  std::error_code error;
  for (const auto& entry : files::directory_iterator(source, error)) {
    const files::path copy = target / entry.path().filename();
    struct stat status{};
    // What may not be looked at is somebody's mount: a directory.
    if (lstat(entry.path().c_str(), &status) != 0) status.st_mode = S_IFDIR;
    const auto done = S_ISLNK(status.st_mode) ? replicate_link(entry.path(), copy)
                      : S_ISDIR(status.st_mode)
                          ? replicate_directory(entry.path(), copy, depth, status, filesystem)
                          : replicate_file(entry.path(), copy, status.st_mode);
    if (!done && is_there(entry.path())) return done;  // what went meanwhile is no loss
  }
  return {};
}

}  // namespace

Outcome<> PrivateDirectories::bind(const std::string& source, const std::string& target) {
  return bind_onto(source, target);
}

Outcome<> PrivateDirectories::cover(const std::string& path, const Fill& fill) {
  const std::string real = files::weakly_canonical(path);
  if (auto made = make_directory(real); !made) return made;
  if (auto mounted = mount_empty(staging_, 0755); !mounted) return mounted;
  if (auto filled = fill ? fill(staging_) : Outcome<>(); !filled) return filled;
  return move_onto(staging_, real);
}

Outcome<> PrivateDirectories::replicate(const std::string& path, Depth depth) {
  if (replicated_.contains(path)) return {};
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return failure("cannot look at {}: {}", path, error_text());
  if (auto mounted = mount_empty(staging_, status.st_mode & 07777); !mounted) return mounted;
  if (auto done = replicate_entries(path, staging_, depth, status.st_dev); !done) return done;
  if (auto moved = move_onto(staging_, path); !moved) return moved;
  replicated_.insert(path);
  return {};
}

Outcome<> PrivateDirectories::make_directory(const std::string& path) {
  if (is_there(path)) return {};
  const std::string parent = files::path(path).parent_path();
  if (parent == "/") return failure("there is no directory {0}: make it with 'mkdir {0}' as root", path);
  if (auto made = make_directory(parent); !made) return made;
  if (auto replicated = replicate(parent); !replicated) return replicated;
  return mkdir(path.c_str(), 0755) == 0 ? Outcome<>() : failure("cannot make {}: {}", path, error_text());
}

Outcome<> PrivateDirectories::add_link(const std::string& path, const std::string& target) {
  const files::path real = files::weakly_canonical(path);
  const std::string directory = real.parent_path();
  // One mount instead of one for each program, where the kernel has it (5.11 for ordinary users).
  if (overlay(directory, real.filename(), target)) return {};
  if (auto replicated = replicate(directory); !replicated) return replicated;
  return symlink(target.c_str(), real.c_str()) == 0
             ? Outcome<>()
             : failure("cannot make the link {}: {}", real.string(), error_text());
}

Outcome<> PrivateDirectories::overlay(const std::string& directory, const std::string& name,
                                      const std::string& target) {
  if (auto mounted = mount_empty(staging_, 0755); !mounted) return mounted;
  const std::string layers = fmt::format("lowerdir={}:{}", staging_, directory);
  const bool made = symlink(target.c_str(), (files::path(staging_) / name).c_str()) == 0 &&
                    mount("mdevfs", directory.c_str(), "overlay", MS_RDONLY, layers.c_str()) == 0;
  const int error = errno;
  umount2(staging_.c_str(), MNT_DETACH);
  return made ? Outcome<>() : failure("cannot add {} to {}: {}", name, directory, error_text(error));
}

void make_read_only(const std::string& mountpoint) {
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_RDONLY;
  mount_setattr(AT_FDCWD, mountpoint.c_str(), 0, &change, sizeof change);
}

}  // namespace mdevfs::cli
