// SPDX-License-Identifier: Apache-2.0
#include "cards.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <system_error>

#include "sentences.h"

namespace mdevfs::config {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".toml";
constexpr std::size_t kLongestName = 200;  // NAME_MAX, with room for the suffix and a type's id

bool is_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(kSuffix);
}

// A file's name, and a part of an item's.
bool is_card_name(std::string_view name) {
  const auto may_be_in = [](char character) {
    return std::isalnum(static_cast<unsigned char>(character)) != 0 ||
           std::string_view("_-+.").find(character) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
         std::ranges::all_of(name, may_be_in);
}

std::string_view environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

void add_listed(std::string_view colon_separated, std::vector<fs::path>& directories) {
  std::error_code error;
  const auto here = fs::current_path(error);
  while (!colon_separated.empty()) {
    const std::string_view directory = colon_separated.substr(0, colon_separated.find(':'));
    if (!directory.empty()) directories.push_back(here / directory);
    colon_separated.remove_prefix(std::min(colon_separated.size(), directory.size() + 1));
  }
}

void add_users(std::vector<fs::path>& directories) {
  const auto config = environment("XDG_CONFIG_HOME");
  const auto home = environment("HOME");
  if (config.starts_with('/')) {
    directories.push_back(fs::path(config) / "mdevfs/cards");
  } else if (home.starts_with('/')) {
    directories.push_back(fs::path(home) / ".config/mdevfs/cards");
  }
}

}  // namespace

std::vector<fs::path> card_directories() {
  std::vector<fs::path> directories;
  add_listed(environment("MDEVFS_CARDS"), directories);
  add_users(directories);
  directories.emplace_back("/etc/mdevfs/cards");
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  if (!error) directories.push_back((program.parent_path() / MDEVFS_CARDS_FROM_PROGRAM).lexically_normal());
  return directories;
}

std::expected<fs::path, std::string> Cards::find(std::string_view name, std::string_view backend) const {
  if (is_path(name)) {
    const fs::path file = base_ / name;
    if (is_card_name(file.stem().string())) return file;
    return std::unexpected(
        fmt::format("{} is no name for a card, expected letters, digits, _, -, + and .", in_quotes(name)));
  }
  std::error_code error;
  for (const fs::path& directory : directories_) {
    fs::path file = directory / fmt::format("{}{}", name, kSuffix);
    if (is_card_name(name) && fs::exists(file, error)) return file;
  }
  const auto names = names_for(backend);
  return std::unexpected(unknown(fmt::format("card of {} called", backend), name,
                                 std::vector<std::string_view>(names.begin(), names.end())));
}

std::vector<Cards::Listed> Cards::list() const {
  std::map<std::string, fs::path> files;
  std::error_code error;
  for (const fs::path& directory : directories_) {
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
      const fs::path& file = at->path();
      if (file.extension() == kSuffix && is_card_name(file.stem().string()))
        files.try_emplace(file.stem().string(), file);
    }
  }
  std::vector<Listed> list;
  for (const auto& [name, file] : files) list.push_back({name, file, read_card_heading(file)});
  return list;
}

std::vector<std::string> Cards::names_for(std::string_view backend) const {
  std::vector<std::string> names;
  for (const Listed& card : list()) {
    if (card.heading && card.heading->backend == backend) names.push_back(card.name);
  }
  return names;
}

}  // namespace mdevfs::config
