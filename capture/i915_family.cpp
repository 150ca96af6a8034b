// SPDX-License-Identifier: Apache-2.0
//
// Intel's GVT-g: the descriptions of its types say what a device takes, the counts how much a GPU has.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "families.h"

namespace mdevfs::capture {
namespace {

// Low and high graphics memory in MB, and fences.
using Amounts = std::array<std::uint64_t, 3>;

struct GvtType {
  const SeenType* seen = nullptr;
  Amounts need{};
  std::string resolution;
  std::string weight;
};

// What the host keeps for itself; a GPU's keys have it in them.
constexpr Amounts kOfHost = {128, 384, 4};
constexpr std::string_view kTotalKeys[] = {"aperture_size", "hidden_size", "fences"};
// What GPUs have, the most usual first.
constexpr Amounts kUsual[] = {
    {256, 3840, 32}, {512, 3584, 32}, {1024, 3072, 32}, {256, 1792, 32}, {512, 3584, 16}};
constexpr std::string_view kNeedKeys[] = {"low_gm_size", "high_gm_size", "fence"};

// The text between these words in the line that begins with the first.
std::optional<std::string_view> between(std::string_view text, std::string_view before,
                                        std::string_view after) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(before) || !line.ends_with(after) || line.size() < before.size() + after.size())
      continue;
    line.remove_prefix(before.size());
    line.remove_suffix(after.size());
    return line;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(std::optional<std::string_view> text) {
  constexpr std::uint64_t kMost = 1048576;
  std::uint64_t value = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc{} && end == text->data() + text->size();
  return whole && value <= kMost ? std::optional(value) : std::nullopt;
}

std::optional<GvtType> parse_type(const SeenType& seen) {
  const std::string text = seen.description.value_or("");
  const auto low = number(between(text, "low_gm_size: ", "MB"));
  const auto high = number(between(text, "high_gm_size: ", "MB"));
  const auto fences = number(between(text, "fence: ", ""));
  const auto resolution = between(text, "resolution: ", ""), weight = between(text, "weight: ", "");
  if (!low || !high || !fences || !resolution || !weight || *low == 0 || *high == 0) return std::nullopt;
  return GvtType{&seen, {*low, *high, *fences}, std::string(*resolution), std::string(*weight)};
}

Amounts used_of(const std::vector<GvtType>& types) {
  Amounts used{};
  for (const GvtType& type : types) {
    for (std::size_t i = 0; i < used.size(); ++i) used[i] += type.need[i] * type.seen->devices.size();
  }
  return used;
}

// Whether a GPU with so much in all shows these counts.
bool shows(const Amounts& all, const std::vector<GvtType>& types) {
  const Amounts used = used_of(types);
  return std::ranges::all_of(types, [&](const GvtType& type) {
    std::uint64_t fit = UINT64_MAX;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] < kOfHost[i] + used[i]) return false;
      if (type.need[i] != 0) fit = std::min(fit, (all[i] - kOfHost[i] - used[i]) / type.need[i]);
    }
    return fit == type.seen->available;
  });
}

// The least that has room for the devices that live and for as many of each type as it shows.
Amounts least_for(const std::vector<GvtType>& types) {
  Amounts least = used_of(types);
  const Amounts used = least;
  for (const GvtType& type : types) {
    for (std::size_t i = 0; i < least.size(); ++i)
      least[i] = std::max(least[i], used[i] + type.need[i] * type.seen->available);
  }
  for (std::size_t i = 0; i < least.size(); ++i) least[i] += kOfHost[i];
  return least;
}

void describe_totals(const std::vector<GvtType>& types, Table& table) {
  const auto* const usual = std::ranges::find_if(kUsual, [&](const auto& all) { return shows(all, types); });
  const Amounts all = usual != std::end(kUsual) ? *usual : least_for(types);
  const bool fits = shows(all, types);
  table.guessed(fits ? "its memory and its fences, from what its types take and show as available"
                     : "its memory and its fences; no amounts show the counts that were seen");
  for (std::size_t i = 0; i < all.size(); ++i) table.set(kTotalKeys[i], static_cast<std::int64_t>(all[i]));
}

Table type_table(const UnitDraft& unit, const GvtType& type) {
  Table table("", unit.keys_of("types"));
  table.set("sysfs_name", type.seen->sysfs_name);
  for (std::size_t i = 0; i < type.need.size(); ++i)
    table.set(kNeedKeys[i], static_cast<std::int64_t>(type.need[i]));
  table.set("resolution", type.resolution);
  table.set("weight", type.weight);
  const std::string description =
      fmt::format("low_gm_size: {}MB\nhigh_gm_size: {}MB\nfence: {}\nresolution: {}\nweight: {}",
                  type.need[0], type.need[1], type.need[2], type.resolution, type.weight);
  if (description != type.seen->description)
    table.say(fmt::format("its description is made of these values; it was: {}", *type.seen->description));
  if (type.seen->name && *type.seen->name != type.seen->sysfs_name)
    table.say(fmt::format("here its name is {}; it was {}", type.seen->sysfs_name, *type.seen->name));
  return table;
}

using TypesByParent = std::vector<std::vector<GvtType>>;

std::optional<TypesByParent> parse_types(const Parents& parents) {
  TypesByParent all;
  for (const SeenParent* const parent : parents) {
    auto& types = all.emplace_back();
    for (const SeenType& seen : parent->types) {
      const auto type = parse_type(seen);
      if (!type || !seen.sysfs_name.starts_with("GVTg_") || seen.device_api != "vfio-pci")
        return std::nullopt;
      types.push_back(*type);
    }
  }
  return all;
}

}  // namespace

std::optional<UnitDraft> i915_unit(Capture& capture, const Parents& parents) {
  const backends::Backend* const backend = backends::find("i915");
  const auto types = parse_types(parents);
  if (backend == nullptr || !types) return std::nullopt;
  UnitDraft unit(*backend, capture.units.give("i915"));
  capture.taken_drivers["intel_vgpu_mdev"] = unit.table.name();
  Names names;
  std::vector<std::vector<std::string>> items;
  for (std::size_t place = 0; place < parents.size(); ++place) {
    const SeenParent& parent = *parents[place];
    Table& table = unit.add_parent(capture.parents.give(parent.name));
    describe_function(capture.observer, parent.path, capture.groups, table);
    describe_totals((*types)[place], table);
    if (std::ranges::none_of(parent.types, [](const auto& type) { return type.name.has_value(); }))
      table.set("type_names", "0");
    list_files(capture.observer.files(parent.path, files_of_functions()), table);
    std::vector<Table> tables;
    for (const GvtType& type : (*types)[place]) tables.push_back(type_table(unit, type));
    items.push_back(add_types(unit, names, std::move(tables)));
  }
  for (std::size_t place = 0; place < parents.size(); ++place)
    name_types(unit, unit.parents[place], items[place]);
  return unit;
}

}  // namespace mdevfs::capture
