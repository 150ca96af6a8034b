// SPDX-License-Identifier: Apache-2.0
#include "unit_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "backends/backends.h"
#include "unique_fd.h"

namespace mdevfs::cli {
namespace {

namespace files = std::filesystem;

// The reason that the kernel's log gives, if it has one: its last error. Other lines tell of other things.
std::string reason(const std::string& sys) {
  std::ifstream log(sys + "/kernel/debug/mdevfs/log");
  std::string last;
  for (std::string line; std::getline(log, line);) {
    if (line.starts_with("<3>")) last = std::move(line);
  }
  return last.size() > 4 ? " (" + last.substr(4) + ")" : "";
}

// As one write(2), which is one store.
int write_text(const files::path& path, const std::string& text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

Outcome<files::path> item_of(const UnitRequest& request) {
  const files::path units = files::path(request.sys) / "kernel/config/mdevfs";
  std::error_code error;
  if (!files::is_directory(units, error)) {
    return failure("there is no mdevfs at {}: mount one and name it with --sys DIR, or use 'mdevfs run'",
                   request.sys);
  }
  if (request.name.empty() || request.name.starts_with('.') || request.name.find('/') != std::string::npos)
    return failure("'{}' is no name for an item", request.name);
  return units / request.name;
}

Outcome<> set(const UnitRequest& request, const files::path& item, const std::string& key,
              const std::string& value) {
  const files::path file = item / key;
  std::error_code error;
  files::create_directories(file.parent_path(), error);
  int refused = error.value();
  if (refused == 0) refused = write_text(file, value + "\n");
  if (refused == 0) return {};
  if (refused == EACCES && !files::exists(file, error)) refused = ENOENT;
  if (refused == ENOENT && !files::exists(file, error))
    return failure("{} has no key '{}': 'mdevfs backends' lists them", request.name, key);
  return failure("cannot set {} of {} to '{}': {}{}", key, request.name, value, error_text(refused),
                 reason(request.sys));
}

std::pair<std::string, std::string> split(const std::string& setting) {
  const auto equals = setting.find('=');
  return {setting.substr(0, equals), setting.substr(equals + 1)};
}

// A path below the item.
bool is_key(const files::path& key) {
  return key.has_filename() && key.is_relative() && std::ranges::find(key, "..") == key.end();
}

// What is named after a backend is one; the rest is simulated.
std::string backend_of(const UnitRequest& request) {
  for (const auto& setting : request.settings) {
    if (setting.starts_with("backend=")) return split(setting).second;
  }
  return backends::find(request.name) != nullptr ? request.name : "sim";
}

Outcome<> set_all(const UnitRequest& request, const files::path& item) {
  if (auto done = set(request, item, "backend", backend_of(request)); !done) return done;
  for (const auto& setting : request.settings) {
    const auto [key, value] = split(setting);
    if (key == "backend") continue;
    if (auto done = set(request, item, key, value); !done) return done;
  }
  return set(request, item, "live", "1");
}

}  // namespace

Outcome<> load_unit(const UnitRequest& request) {
  for (const auto& setting : request.settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) return failure("'{}' is not KEY=VALUE", setting);
    if (!is_key(setting.substr(0, equals))) return failure("'{}' is no key", setting.substr(0, equals));
  }
  const auto item = item_of(request);
  if (!item) return std::unexpected(item.error());
  if (mkdir(item->c_str(), 0755) != 0) {
    return errno == EEXIST ? failure("{} is loaded already", request.name)
                           : failure("cannot make {}: {}", item->string(), error_text());
  }
  auto done = set_all(request, *item);
  if (!done) rmdir(item->c_str());
  return done;
}

Outcome<> unload_unit(const UnitRequest& request) {
  const auto item = item_of(request);
  if (!item) return std::unexpected(item.error());
  if (const int refused = write_text(*item / "live", "unload"); refused != 0) {
    if (refused == ENOENT) return failure("{} is not loaded", request.name);
    return failure("cannot unload {}: {}{}", request.name, error_text(refused), reason(request.sys));
  }
  if (rmdir(item->c_str()) != 0) return failure("cannot remove {}: {}", item->string(), error_text());
  return {};
}

}  // namespace mdevfs::cli
