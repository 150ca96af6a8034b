// SPDX-License-Identifier: Apache-2.0
//
// The items of a group `types`, and which of them a parent has: those that its key `types` names, all of them
// where it names none.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backends.h"
#include "model/lock.h"

namespace mdevfs::backends {

using Items = std::vector<std::pair<std::string, Values>>;

const Items& items_of(const Settings& settings, std::string_view group);
std::vector<std::string> words_of(const std::string& text);

struct NamedType {
  std::string item;
  std::string sysfs_name;
};

// Their places in the list. EINVAL: one that is not there, or there is none.
model::Result<std::vector<std::size_t>> find_types(std::span<const NamedType> types,
                                                   const std::string& names);

// What find_types() and the kernel would refuse a parent for.
void check_types(std::span<const NamedType> types, const std::string& parent, const std::string& names,
                 std::vector<Complaint>& complaints);

// The same, and that it has types at all.
void check_has_types(std::span<const NamedType> types, const std::string& parent, const std::string& names,
                     std::vector<Complaint>& complaints);

// No two parents may have the same value of this key.
void check_unique(const Items& parents, std::span<const Key> keys, std::string_view key,
                  std::vector<Complaint>& complaints);

// The types of a unit, with what its backend knows of each; parents that come later may bring others.
// Thread-safety: all functions from any thread.
template <typename Description>
class KnownTypes {
 public:
  struct List {
    std::vector<NamedType> names;
    std::vector<Description> types;  // in the same order
  };
  explicit KnownTypes(List list) : list_(std::move(list)) {}

  List list() const EXCLUDES(lock_) {
    const model::Lock lock(lock_);
    return list_;
  }
  // Those of which there is no item yet.
  void add(const List& others) EXCLUDES(lock_) {
    const model::Lock lock(lock_);
    for (std::size_t place = 0; place < others.names.size(); ++place) {
      const std::string& item = others.names[place].item;
      if (std::ranges::find(list_.names, item, &NamedType::item) != list_.names.end()) continue;
      list_.names.push_back(others.names[place]);
      list_.types.push_back(others.types[place]);
    }
  }

 private:
  mutable model::Mutex lock_{model::Rank::backend};
  List list_ GUARDED_BY(lock_);
};

}  // namespace mdevfs::backends
