// SPDX-License-Identifier: Apache-2.0
#include "kept_name.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "pidfd.h"

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

constexpr off_t kHolder = 0, kStarting = 1;  // bytes

struct flock part(short type, off_t start, off_t length) {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return lock;
}

// Whose the name is: 0 nobody's, below 0 that of a process which this one cannot see.
pid_t holder_of(int file) {
  struct flock lock = part(F_WRLCK, kHolder, 1);
  if (fcntl(file, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid > 0 ? lock.l_pid : -1;
}

bool is_same_file(int file, int directory, const std::string& name) {
  struct stat held{}, there{};
  return fstat(file, &held) == 0 && fstatat(directory, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

bool is_own_directory(int directory, mode_t forbidden) {
  struct stat status{};
  return fstat(directory, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & forbidden) == 0;
}

UniqueFd open_directory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

struct Place {
  std::string base;
  std::string leaf;
  std::string path() const { return base + "/" + leaf; }
};

// Where the names can be, best first. A directory in /tmp may be somebody else's: it is looked at when it is
// opened.
std::vector<Place> places() {
  const char* const runtime = std::getenv("XDG_RUNTIME_DIR");
  const std::string bases[] = {runtime != nullptr && *runtime == '/' ? runtime : "",
                               fmt::format("/run/user/{}", geteuid()), geteuid() == 0 ? "/run" : ""};
  std::vector<Place> list;
  for (const std::string& base : bases) {
    if (!base.empty() && is_own_directory(open_directory(base).get(), 0)) list.push_back({base, "mdevfs"});
  }
  list.push_back({"/tmp", fmt::format("mdevfs-{}", geteuid())});
  return list;
}

// -1 where it is not there, or others may write to it.
UniqueFd open_place(const Place& place) {
  UniqueFd directory = open_directory(place.path());
  return directory && is_own_directory(directory.get(), 022) ? std::move(directory) : UniqueFd();
}

std::vector<std::string> names_there_are() {
  std::vector<std::string> names;
  for (const Place& place : places()) {
    if (!open_place(place)) continue;
    std::error_code error;
    for (const auto& entry : files::directory_iterator(place.path(), error)) {
      const UniqueFd file(open(entry.path().c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
      if (file && holder_of(file.get()) != 0) names.push_back(entry.path().filename());
    }
  }
  return names;
}

std::unexpected<std::string> no_such_name(const std::string& name) {
  const auto names = names_there_are();
  if (names.empty()) return failure("nothing of yours runs as {0}: 'mdevfs run --keep {0}' would", name);
  return failure("nothing of yours runs as {}: there are {}", name, fmt::join(names, ", "));
}

// The lock on both bytes, or whose the first is. nullopt: ask again.
std::optional<pid_t> try_to_hold(int file, int directory, const std::string& name) {
  struct flock both = part(F_WRLCK, kHolder, 2);
  if (fcntl(file, F_SETLK, &both) == 0)
    return is_same_file(file, directory, name) ? std::optional<pid_t>(0) : std::nullopt;
  const pid_t holder = holder_of(file);
  return holder != 0 ? std::optional<pid_t>(holder) : std::nullopt;
}

// Whoever gives the last name back takes the directory away, perhaps between any two steps here.
Outcome<UniqueFd> make_place(const Place& place, int base) {
  for (;;) {
    if (mkdirat(base, place.leaf.c_str(), 0700) != 0 && errno != EEXIST)
      return failure("cannot make the directory {}: {}", place.path(), error_text());
    UniqueFd directory = open_directory(place.path());
    if (!directory && errno == ENOENT) continue;
    if (directory && is_own_directory(directory.get(), 022)) return directory;
    return failure("{} is not yours alone: set XDG_RUNTIME_DIR to a directory of yours", place.path());
  }
}

}  // namespace

bool is_name(const std::string& name) {
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits) &&
         std::isalnum(static_cast<unsigned char>(name.front())) != 0;
}

Outcome<KeptName> KeptName::take(const std::string& name) {
  const Place place = places().front();
  KeptName kept;
  kept.name_ = name;
  kept.leaf_ = place.leaf;
  kept.base_ = open_directory(place.base);
  for (;;) {
    auto directory = make_place(place, kept.base_.get());
    if (!directory) return std::unexpected(directory.error());
    kept.directory_ = std::move(*directory);
    kept.file_ = UniqueFd(
        openat(kept.directory_.get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!kept.file_ && errno == ENOENT) continue;  // the directory has gone
    if (!kept.file_) return failure("cannot make {}/{}: {}", place.path(), name, error_text());
    const auto holder = try_to_hold(kept.file_.get(), kept.directory_.get(), name);
    if (holder == 0) return kept;
    if (holder) return failure("the name {0} is taken: 'mdevfs enter {0}' goes there", name);
  }
}

void KeptName::started() const {
  struct flock starting = part(F_UNLCK, kStarting, 1);
  if (file_) fcntl(file_.get(), F_SETLK, &starting);
}

void KeptName::give_back() {
  if (!file_) return;
  remove();
  file_.reset();
}

void KeptName::clear_after_death() const {
  if (!directory_) return;
  const UniqueFd file(openat(directory_.get(), name_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (file && try_to_hold(file.get(), directory_.get(), name_) == 0) remove();
}

void KeptName::remove() const {
  unlinkat(directory_.get(), name_.c_str(), 0);
  unlinkat(base_.get(), leaf_.c_str(), AT_REMOVEDIR);  // fails while there are other names
}

Outcome<FoundRun> FoundRun::find(const std::string& name) {
  for (const Place& place : places()) {
    const UniqueFd directory = open_place(place);
    if (!directory) continue;
    FoundRun found;
    found.file_ = UniqueFd(openat(directory.get(), name.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
    if (!found.file_) continue;
    struct flock starting = part(F_RDLCK, kStarting, 1);
    if (fcntl(found.file_.get(), F_SETLKW, &starting) != 0) continue;
    starting.l_type = F_UNLCK;
    fcntl(found.file_.get(), F_SETLK, &starting);
    found.pid_ = holder_of(found.file_.get());
    if (found.pid_ < 0)
      return failure("{} runs where its processes are not seen from here: enter from there", name);
    if (found.pid_ == 0) continue;
    found.process_ = open_process(found.pid_);
    if (found.process_ && found.is_kept()) return found;
  }
  return no_such_name(name);
}

bool FoundRun::is_kept() const {
  return holder_of(file_.get()) == pid_;
}

}  // namespace mdevfs::cli
