// SPDX-License-Identifier: Apache-2.0
#include "plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <vector>

#include "plugin_api.h"

namespace mdevfs::backends {
namespace {

using Error = std::unexpected<std::string>;
template <typename T>
using Outcome = std::expected<T, std::string>;

template <typename... Arguments>
Error failure(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  return Error(fmt::format(text, std::forward<Arguments>(arguments)...));
}

// --- finding the file

// In the order in which they are tried.
std::vector<std::filesystem::path> places_of(const std::string& file) {
  std::error_code ignored;
  std::vector<std::filesystem::path> places = {std::filesystem::absolute(file, ignored)};
  if (file.find('/') != std::string::npos) return places;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto directory = (program.parent_path() / MDEVFS_PLUGINS).lexically_normal();
  places.push_back(directory / (file.ends_with(".so") ? file : file + ".so"));
  return places;
}

// With a slash in it, without which dlopen() would search elsewhere.
Outcome<std::string> find_file(const std::string& file) {
  if (file.empty()) return failure("the plugin's name is empty");
  const auto places = places_of(file);
  std::error_code ignored;
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place, ignored)) return place.string();
  }
  if (places.size() == 1) return failure("the plugin {} is not there", places[0].string());
  return failure("the plugin {} is not there: there is neither {} nor {}", file, places[0].string(),
                 places[1].string());
}

// --- looking into it

bool is_elf(const std::string& path) {
  constexpr std::array kMagic = {'\x7f', 'E', 'L', 'F'};
  std::array<char, kMagic.size()> begin{};
  std::ifstream(path, std::ios::binary).read(begin.data(), begin.size());
  return begin == kMagic;
}

// It begins with the path, which our sentence has already.
std::string loader_error(const std::string& path) {
  const char* const text = dlerror();
  const std::string_view error = text != nullptr ? text : "no reason given";
  const bool repeats = error.starts_with(path + ": ");
  return std::string(repeats ? error.substr(path.size() + 2) : error);
}

Outcome<const Plugin*> open_plugin(const std::string& path) {
  if (!std::ifstream(path)) return failure("the plugin {} cannot be read", path);
  if (!is_elf(path)) return failure("the plugin {} is not a shared object", path);
  // Never closed: the backend's texts and functions are wanted to the very end, and what it has put into
  // objects of the model may be wanted after that.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return failure("the plugin {} cannot be loaded: {}", path, loader_error(path));
  const void* const symbol = dlsym(handle, "mdevfs_plugin");
  if (symbol == nullptr) return failure("{} is no mdevfs plugin: it has no mdevfs_plugin", path);
  return static_cast<const Plugin*>(symbol);
}

Outcome<void> check_build(const std::string& path, const Plugin& plugin) {
  if (plugin.version != kPluginVersion) {
    return failure("the plugin {} was built for plugin interface {}; this mdevfs has {}", path,
                   plugin.version, kPluginVersion);
  }
  constexpr Plugin own;
  if (plugin.layout == own.layout) return {};
  return failure("the plugin {} does not fit this mdevfs: it was built for mdevfs {} by {}, this is {} by {}",
                 path, plugin.mdevfs, plugin.compiler, own.mdevfs, own.compiler);
}

Outcome<Backend> ask_for_backend(const std::string& path, const Plugin& plugin) {
  if (plugin.backend == nullptr) return failure("the plugin {} has no backend", path);
  try {
    return plugin.backend();
  } catch (const std::exception& error) {
    return failure("the plugin {} cannot give its backend: {}", path, error.what());
  } catch (...) {
    return failure("the plugin {} cannot give its backend", path);
  }
}

// --- what the program relies on

bool is_legal_name(std::string_view name) {
  constexpr std::string_view kLegal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !name.empty() && name.find_first_not_of(kLegal) == std::string_view::npos;
}

// They become files of one directory, in which there are some already.
Outcome<void> check_keys(std::span<const Key> keys, std::set<std::string_view>& taken) {
  for (const Key& key : keys) {
    if (!is_legal_name(key.name)) return failure("the key '{}' is no name", key.name);
    if (!taken.insert(key.name).second) return failure("the key '{}' is taken", key.name);
    if (key.check.take == nullptr || key.check.expected == nullptr)
      return failure("the key '{}' has no check", key.name);
  }
  return {};
}

Outcome<void> check_group(const Group& group, std::set<std::string_view>& taken) {
  if (!is_legal_name(group.name)) return failure("the group '{}' is no name", group.name);
  if (!taken.insert(group.name).second) return failure("the group '{}' is taken", group.name);
  if (group.keys.empty()) return failure("the group '{}' has no keys", group.name);
  std::set<std::string_view> in_item;
  if (group.name == kParents) in_item = {"device", "live"};
  return check_keys(group.keys, in_item);
}

Outcome<void> check_backend(const Backend& backend) {
  if (!is_legal_name(backend.name)) return failure("its name '{}' is no name", backend.name);
  if (find(backend.name) != nullptr) return failure("there is a backend '{}' already", backend.name);
  if (backend.load == nullptr) return failure("it has no load");
  std::set<std::string_view> taken = {"backend", "live", "parent_names"};
  if (auto checked = check_keys(backend.keys, taken); !checked) return checked;
  for (const Group& group : backend.groups) {
    if (auto checked = check_group(group, taken); !checked) return checked;
  }
  return {};
}

}  // namespace

Outcome<const Backend*> add_checked(const Backend& backend) {
  if (auto checked = check_backend(backend); !checked) return Error(std::move(checked.error()));
  return &add(backend);
}

Outcome<const Backend*> load_plugin(const std::string& file) {
  static std::map<const Plugin*, const Backend*> loaded;
  const auto path = find_file(file);
  if (!path) return Error(path.error());
  const auto plugin = open_plugin(*path);
  if (!plugin) return Error(plugin.error());
  if (const auto at = loaded.find(*plugin); at != loaded.end()) return at->second;
  if (auto checked = check_build(*path, **plugin); !checked) return Error(std::move(checked.error()));
  const auto backend = ask_for_backend(*path, **plugin);
  if (!backend) return Error(backend.error());
  const auto added = add_checked(*backend);
  if (!added) return failure("the backend of the plugin {} cannot be used: {}", *path, added.error());
  return loaded[*plugin] = *added;
}

}  // namespace mdevfs::backends
