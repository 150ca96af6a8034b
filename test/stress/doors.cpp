// SPDX-License-Identifier: Apache-2.0
#include "doors.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "fs/open_file.h"

namespace mdevfs::test {

// --- the model

Result<model::HeldNode> ModelDoor::find(std::string_view path) {
  auto& tree = core_.tree();
  model::HeldNode node = tree.resolve(kRoot);
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    auto found = tree.lookup(node, path.substr(0, end));
    if (!found) return found;
    node = std::move(*found);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return node;
}

int ModelDoor::write(const std::string& path, std::string_view text) {
  const auto node = find(path);
  if (!node) return node.error().value;
  const auto written = fs::OpenFile(*node).write(text);
  return written ? 0 : written.error().value;
}

Result<std::string> ModelDoor::read(const std::string& path) {
  const auto node = find(path);
  if (!node) return std::unexpected(node.error());
  return fs::OpenFile(*node).read(core_.tree(), 0, 4096);
}

std::vector<std::string> ModelDoor::list(const std::string& path) {
  std::vector<std::string> names;
  const auto node = find(path);
  if (!node) return names;
  core_.tree().list(*node, 2, [&](const model::DirectoryEntry& entry) {
    names.push_back(entry.name);
    return true;
  });
  return names;
}

// --- the wire

int WireDoor::write(const std::string& path, std::string_view text) {
  const auto written = kernel_.echo(text, path);
  return written ? 0 : written.error().value;
}

// --- a mount

int MountDoor::write(const std::string& path, std::string_view text) {
  const int file = open((root_ + path).c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  const int error = ::write(file, text.data(), text.size()) < 0 ? errno : 0;
  close(file);
  return error;
}

Result<std::string> MountDoor::read(const std::string& path) {
  const int file = open((root_ + path).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return model::fail(errno);
  std::string text(4096, '\0');
  const ssize_t got = ::read(file, text.data(), text.size());
  const int error = errno;
  close(file);
  if (got < 0) return model::fail(error);
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::vector<std::string> MountDoor::list(const std::string& path) {
  std::vector<std::string> names;
  DIR* const directory = opendir((root_ + path).c_str());
  if (directory == nullptr) return names;
  while (const dirent* const entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(directory);
  return names;
}

bool MountDoor::exists(const std::string& path) {
  struct stat status{};
  return stat((root_ + path).c_str(), &status) == 0;
}

}  // namespace mdevfs::test
