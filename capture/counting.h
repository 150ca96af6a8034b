// SPDX-License-Identifier: Apache-2.0
//
// From the counts that types show to a rule that has the same counts (the key `counting` of the backend sim).
// What shows is a moment of one machine: a rule is a guess unless there is only one.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

namespace mdevfs::capture {

struct TypeCount {
  std::string type;
  unsigned available = 0;  // as it shows
  unsigned live = 0;       // devices of it
};
using ParentCounts = std::vector<TypeCount>;

struct Counting {
  enum class Rule { parent, type, pool };
  Rule rule = Rule::parent;
  unsigned max_instances = 0;  // counting parents
  unsigned pool = 0;           // counting a pool
  bool pool_of_all = false;
  bool homogeneous = false;
  std::map<std::string, unsigned> weights = {};                  // counting a pool, by type
  std::vector<std::map<std::string, unsigned>> capacities = {};  // counting types: by parent, then type
  std::string why;                                               // a sentence: what it was guessed from
};

// Of the parents of one unit; each type is named once in each.
Counting derive_counting(std::span<const ParentCounts> parents);

}  // namespace mdevfs::capture
