// SPDX-License-Identifier: Apache-2.0
#include "types.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <sstream>

#include "values.h"

namespace mdevfs::backends {

const Items& items_of(const Settings& settings, std::string_view group) {
  static const Items none;
  const auto found = settings.items.find(group);
  return found != settings.items.end() ? found->second : none;
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream input(text);
  for (std::string word; input >> word;) words.push_back(std::move(word));
  return words;
}

model::Result<std::vector<std::size_t>> find_types(std::span<const NamedType> types,
                                                   const std::string& names) {
  std::vector<std::size_t> places;
  for (const std::string& word : words_of(names)) {
    const auto type = std::ranges::find(types, word, &NamedType::item);
    if (type == types.end()) return model::fail(EINVAL);
    places.push_back(static_cast<std::size_t>(type - types.begin()));
  }
  if (places.empty())
    std::ranges::copy(std::views::iota(std::size_t{0}, types.size()), std::back_inserter(places));
  if (places.empty()) return model::fail(EINVAL);
  return places;
}

void check_types(std::span<const NamedType> types, const std::string& parent, const std::string& names,
                 std::vector<Complaint>& complaints) {
  std::vector<std::string> items = words_of(names);
  if (items.empty()) std::ranges::transform(types, std::back_inserter(items), &NamedType::item);
  std::map<std::string_view, const NamedType*> by_name;
  for (const std::string& item : items) {
    const auto type = std::ranges::find(types, item, &NamedType::item);
    if (type == types.end()) {
      complaints.push_back({std::string(kParents), parent, "types",
                            fmt::format("there is no type {}: there are {}", item,
                                        fmt::join(std::views::transform(types, &NamedType::item), ", "))});
      continue;
    }
    const auto [first, fresh] = by_name.try_emplace(type->sysfs_name, &*type);
    if (fresh) continue;
    if (first->second == &*type) {
      complaints.push_back({std::string(kParents), parent, "types", fmt::format("{} is named twice", item)});
    } else {
      complaints.push_back({"types", item, "sysfs_name",
                            fmt::format("the types {} and {} of the parent {} are both called {}",
                                        first->second->item, item, parent, type->sysfs_name)});
    }
  }
}

void check_has_types(std::span<const NamedType> types, const std::string& parent, const std::string& names,
                     std::vector<Complaint>& complaints) {
  if (!types.empty()) return check_types(types, parent, names, complaints);
  complaints.push_back({std::string(kParents), parent, "", "it has no types: name a card, or describe some"});
}

void check_unique(const Items& parents, std::span<const Key> keys, std::string_view key,
                  std::vector<Complaint>& complaints) {
  std::map<std::string, std::string> first_by_value;
  for (const auto& [item, values] : parents) {
    const std::string value = Reader(values, keys, item).text(key);
    const auto [first, fresh] = first_by_value.try_emplace(value, item);
    if (fresh) continue;
    std::string what(key);
    std::ranges::replace(what, '_', ' ');
    what = what.substr(0, what.find(' '));
    complaints.push_back(
        {std::string(kParents), item, std::string(key),
         fmt::format("the parents {} and {} both have the {} {}", first->second, item, what, value)});
  }
}

}  // namespace mdevfs::backends
