// SPDX-License-Identifier: Apache-2.0
//
// The rules are tried from the one that says most to the one that always fits; each is taken only if it has
// every count of every parent as it shows, with the devices that live there.
#include "counting.h"

#include <algorithm>
#include <climits>
#include <cstdint>
#include <optional>
#include <ranges>

namespace mdevfs::capture {
namespace {

using Parents = std::span<const ParentCounts>;
using Counts = std::map<std::string, unsigned>;
using Weights = std::map<std::string, unsigned>;

std::uint64_t live_of(const ParentCounts& parent) {
  std::uint64_t live = 0;
  for (const TypeCount& type : parent) live += type.live;
  return live;
}

bool has_live(Parents parents) {
  return std::ranges::any_of(parents, [](const auto& parent) { return live_of(parent) != 0; });
}

// --- devices of each parent

std::optional<Counting> by_parent(Parents parents) {
  std::optional<std::uint64_t> all;
  for (const ParentCounts& parent : parents) {
    for (const TypeCount& type : parent) {
      const std::uint64_t here = type.available + live_of(parent);
      if (all.value_or(here) != here || here > UINT_MAX) return std::nullopt;
      all = here;
    }
  }
  return Counting{.rule = Counting::Rule::parent,
                  .max_instances = static_cast<unsigned>(all.value_or(0)),
                  .why = "all counts are equal, so devices are counted, whatever their types"};
}

// --- a pool

std::uint64_t used_of(const ParentCounts& parent, const Weights& weights) {
  std::uint64_t used = 0;
  for (const TypeCount& type : parent) used += std::uint64_t{type.live} * weights.at(type.type);
  return used;
}

// Whether a pool of this size and these weights shows what is seen.
bool shows(Parents parents, std::uint64_t pool, const Weights& weights, bool of_all) {
  std::uint64_t used_by_all = 0;
  for (const ParentCounts& parent : parents) used_by_all += used_of(parent, weights);
  for (const ParentCounts& parent : parents) {
    const std::uint64_t used = of_all ? used_by_all : used_of(parent, weights);
    if (used > pool) return false;
    for (const TypeCount& type : parent) {
      if ((pool - used) / weights.at(type.type) != type.available) return false;
    }
  }
  return true;
}

bool divides(std::uint64_t pool, const Weights& weights) {
  return std::ranges::all_of(weights | std::views::values,
                             [&](unsigned weight) { return pool % weight == 0; });
}

std::optional<Counting> pool_if_it_shows(Parents parents, std::uint64_t pool, const Weights& weights) {
  if (pool > UINT_MAX || !divides(pool, weights)) return std::nullopt;
  for (const bool of_all : {false, true}) {
    if (!shows(parents, pool, weights, of_all)) continue;
    return Counting{.rule = Counting::Rule::pool,
                    .pool = static_cast<unsigned>(pool),
                    .pool_of_all = of_all,
                    .weights = weights,
                    .why = "the counts divide evenly, so one pool is shared by the types"};
  }
  return std::nullopt;
}

// Of each type what it shows on a parent without devices; nothing where two such show different counts.
std::optional<Counts> idle_counts(Parents parents) {
  Counts counts;
  for (const ParentCounts& parent : parents) {
    if (live_of(parent) != 0) continue;
    for (const auto& type : parent) {
      const auto [at, fresh] = counts.try_emplace(type.type, type.available);
      if (!fresh && at->second != type.available) return std::nullopt;
    }
  }
  return counts;
}

bool names_all(const Counts& counts, Parents parents) {
  return std::ranges::all_of(parents, [&](const ParentCounts& parent) {
    return std::ranges::all_of(parent, [&](const TypeCount& type) { return counts.contains(type.type); });
  });
}

// The type of which most fit has the weight 1.
std::optional<Counting> pool_by_idle(Parents parents) {
  const auto counts = idle_counts(parents);
  if (!counts || counts->empty() || !names_all(*counts, parents)) return std::nullopt;
  const unsigned pool = std::ranges::max(*counts | std::views::values);
  Weights weights;
  for (const auto& [type, count] : *counts) {
    if (count == 0) return std::nullopt;
    weights[type] = pool / count;
  }
  return pool_if_it_shows(parents, pool, weights);
}

// With devices everywhere: what is left is seen in units of the smallest type, and a weight is one of those
// that give a type its count. Thread-safety: none.
class WeightSearch {
 public:
  WeightSearch(Parents parents, const ParentCounts& first) : parents_(parents), first_(first) {
    for (const TypeCount& type : first) left_ = std::max(left_, type.available);
  }
  std::optional<Counting> search() { return left_ == 0 ? std::nullopt : try_from(0); }

 private:
  static constexpr unsigned kMostTries = 100000;

  std::optional<Counting> try_from(std::size_t place) {
    if (++tries_ > kMostTries) return std::nullopt;
    if (place == first_.size())
      return pool_if_it_shows(parents_, left_ + used_of(first_, weights_), weights_);
    const TypeCount& type = first_[place];
    if (type.available == 0) return std::nullopt;
    const std::uint64_t most = left_ / type.available;
    const std::uint64_t least = left_ / (std::uint64_t{type.available} + 1) + 1;
    for (std::uint64_t weight = least; weight <= most && tries_ <= kMostTries; ++weight) {
      weights_[type.type] = static_cast<unsigned>(weight);
      if (auto found = try_from(place + 1)) return found;
    }
    return std::nullopt;
  }

  const Parents parents_;
  const ParentCounts& first_;
  unsigned left_ = 0;
  unsigned tries_ = 0;
  Weights weights_;
};

std::optional<Counting> pool_by_search(Parents parents) {
  if (!has_live(parents)) return std::nullopt;
  const ParentCounts& first = parents.front();
  Counts named;
  for (const TypeCount& type : first) named[type.type] = 0;
  return names_all(named, parents) ? WeightSearch(parents, first).search() : std::nullopt;
}

// --- each type

constexpr const char* kEachType = "nothing shows that the types share anything, so each is counted by itself";
constexpr const char* kOneTypeOnly =
    "while a parent has devices of one type it shows no others, so it has one type at a time; a count of its "
    "other types is another parent's, or lost";

bool is_one_type_only(const ParentCounts& parent) {
  const auto live = std::ranges::count_if(parent, [](const auto& type) { return type.live != 0; });
  return live == 1 &&
         std::ranges::all_of(parent, [](const auto& type) { return type.live != 0 || type.available == 0; });
}

// Every parent with devices has one type, and shows none of at least one other that an idle parent has.
bool is_homogeneous(Parents parents, const Counts& idle) {
  bool seen = false;
  for (const ParentCounts& parent : parents) {
    if (live_of(parent) == 0) continue;
    if (!is_one_type_only(parent)) return false;
    for (const TypeCount& type : parent) {
      const auto other = idle.find(type.type);
      seen = seen || (type.live == 0 && other != idle.end() && other->second != 0);
    }
  }
  return seen;
}

Counting by_type(Parents parents) {
  const Counts idle = idle_counts(parents).value_or(Counts());
  Counting counting{
      .rule = Counting::Rule::type, .homogeneous = is_homogeneous(parents, idle), .why = kEachType};
  if (counting.homogeneous) counting.why = kOneTypeOnly;
  for (const ParentCounts& parent : parents) {
    auto& capacities = counting.capacities.emplace_back();
    for (const TypeCount& type : parent) {
      std::uint64_t capacity = std::uint64_t{type.available} + type.live;
      const auto other = idle.find(type.type);
      if (counting.homogeneous && live_of(parent) != 0 && type.live == 0 && other != idle.end())
        capacity = other->second;
      capacities[type.type] = static_cast<unsigned>(std::min<std::uint64_t>(capacity, UINT_MAX));
    }
  }
  return counting;
}

}  // namespace

Counting derive_counting(std::span<const ParentCounts> parents) {
  std::vector<ParentCounts> with_types;
  std::ranges::copy_if(parents, std::back_inserter(with_types),
                       [](const auto& parent) { return !parent.empty(); });
  if (with_types.empty()) return by_type(parents);
  for (const auto rule : {by_parent, pool_by_idle, pool_by_search}) {
    if (auto counting = rule(with_types)) return *counting;
  }
  return by_type(parents);
}

}  // namespace mdevfs::capture
