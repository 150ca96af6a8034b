// SPDX-License-Identifier: Apache-2.0
//
// The changing contents of one directory: nodes of other objects shown in it, in the order in which kernfs
// lists them, which is by a hash of the name. Names that hash alike are told apart by the age of their
// object.
#pragma once

#include <cstdint>
#include <string_view>

#include "entry.h"
#include "hash_buckets.h"

namespace mdevfs::model {

// kernfs_name_hash: 31 bits of the dcache's name hash; 0, 1 and INT_MAX are kept for `.`, `..` and the end.
std::uint32_t name_hash(std::string_view name);

// Thread-safety: none of its own; kernfs_rwsem.
class Members {
 public:
  struct Item {
    std::uint32_t hash = 0;
    Slot slot = Slot::none;
    Object* object = nullptr;
    bool operator<(const Item& other) const;
  };

  void insert(Node node);
  void erase(Node node);
  Node find(std::string_view name) const;
  // For a directory of many, where an insert waits for memory: see HashBuckets.
  void prefetch(std::uint32_t hash) const { items_.prefetch(hash); }

  // Visits the members whose hash is at least this, in order, until visit(item) returns false.
  template <typename Visit>
  void walk(std::uint32_t hash, Visit visit) const {
    items_.walk(Item{hash, Slot::none, nullptr}, visit);
  }

  std::size_t size() const { return items_.size(); }
  std::size_t directories() const { return directories_; }

 private:
  HashBuckets<Item> items_;
  std::size_t directories_ = 0;
};

}  // namespace mdevfs::model
