// SPDX-License-Identifier: Apache-2.0
//
// mdevfs.toml(5) has every key of every backend, with what it is by itself and what it can be, and no other.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "backends/backends.h"
#include "backends/pci/function.h"
#include "catch.h"

using namespace mdevfs;

namespace {

using Keys = std::set<std::string>;

// As the page has it: *pool* = _0_ (a number from 0 to 4294967295)
std::string line_of(const backends::Key& key) {
  const auto otherwise = key.otherwise == backends::kItemName ? "its name" : key.otherwise;
  return fmt::format("*{}* = _{}_ ({})", key.name, otherwise.empty() ? "empty" : otherwise,
                     key.check.expected());
}

// The lines of keys below each heading of a backend ("## sim") or of one of its groups ("## sim: types").
std::map<std::string, Keys> keys_on_page() {
  std::ifstream page(MDEVFS_MACHINE_PAGE);
  REQUIRE(page);
  std::map<std::string, Keys> keys;
  std::string heading;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("# ")) heading.clear();
    if (line.starts_with("## ")) keys[heading = line.substr(3)];
    if (!heading.empty() && line.starts_with("*") && line.find("* = ") != std::string::npos)
      keys[heading].insert(line);
  }
  return keys;
}

Keys lines_of(std::span<const backends::Key> keys) {
  Keys lines;
  for (const auto& key : keys) lines.insert(line_of(key));
  return lines;
}

// Without those that the page has in one place for all that have them.
Keys own_lines_of(std::span<const backends::Key> keys) {
  Keys lines = lines_of(keys);
  const Keys of_functions = lines_of(backends::pci::function_keys());
  if (std::ranges::includes(lines, of_functions)) {
    for (const auto& line : of_functions) lines.erase(line);
  }
  return lines;
}

}  // namespace

TEST_CASE("the page of machine files has every backend, group and key as it is") {
  std::map<std::string, Keys> wanted;
  for (const backends::Backend& backend : backends::all()) {
    if (backend.summary.empty()) continue;  // another test's
    wanted[std::string(backend.name)] = lines_of(backend.keys);
    for (const backends::Group& group : backend.groups)
      wanted[fmt::format("{}: {}", backend.name, group.name)] = own_lines_of(group.keys);
  }
  wanted["PCI functions"] = lines_of(backends::pci::function_keys());
  CHECK(keys_on_page() == wanted);
}
