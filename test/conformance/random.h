// SPDX-License-Identifier: Apache-2.0
//
// Chance that is the same everywhere: what a seed gives must not depend on the standard library that happens
// to be there, whose distributions differ.
#pragma once

#include <cstdint>
#include <iterator>

namespace mdevfs::conformance {

// Not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  // SplitMix64.
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }

  // From 0 to `count` - 1; `count` is small, so that the remainder's preference for the low ones is none.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  bool percent(unsigned chance) { return below(100) < chance; }

  template <typename Range>
  const auto& one_of(const Range& range) {
    return *std::next(std::begin(range), static_cast<std::ptrdiff_t>(below(std::size(range))));
  }

 private:
  std::uint64_t state_;
};

}  // namespace mdevfs::conformance
