// SPDX-License-Identifier: Apache-2.0
//
// The changing contents of one directory: nodes of other objects shown in it, in the order in which kernfs
// lists them, which is by a hash of the name. Names that hash alike are told apart by the age of their
// object.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "entry.h"
#include "hash_buckets.h"

namespace mdevfs::model {

class Registry;

// kernfs_name_hash: 31 bits of the dcache's name hash; 0, 1 and INT_MAX are kept for `.`, `..` and the end.
std::uint32_t name_hash(std::string_view name);

// Thread-safety: none of its own; kernfs_rwsem.
class Members {
 public:
  struct Member {
    std::uint32_t hash;
    Node node;
  };

  void insert(Node node);
  void erase(Node node);
  Node find(std::string_view name) const;
  // For a directory of many, where an insert waits for memory: see HashBuckets.
  void prefetch(std::uint32_t hash) const { items_.prefetch(hash); }

  // Visits the members whose hash is at least this, in order, until visit(member) returns false.
  template <typename Visit>
  void walk(std::uint32_t hash, Visit visit) const {
    items_.walk(Item(hash, 0), [&](const Item& item) { return visit(Member{item.hash, node_of(item)}); });
  }

  std::size_t size() const { return items_.size(); }
  std::size_t directories() const { return directories_; }

 private:
  // A node by its inode number, in two halves so that nothing is between: there are up to nine of a device.
  class Item {
   public:
    Item(std::uint32_t its_hash, std::uint64_t inode)
        : hash(its_hash),
          high_(static_cast<std::uint32_t>(inode >> 32U)),
          low_(static_cast<std::uint32_t>(inode)) {}
    std::uint64_t inode() const { return std::uint64_t{high_} << 32U | low_; }
    // In the order of hashes, then of ids, then of slots.
    auto operator<=>(const Item&) const = default;

    std::uint32_t hash;

   private:
    std::uint32_t high_;
    std::uint32_t low_;
  };

  static Item item_of(Node node);
  Node node_of(const Item& item) const;

  const Registry* registry_ = nullptr;  // that the objects are in, known from the first on
  HashBuckets<Item> items_;
  std::size_t directories_ = 0;
};

}  // namespace mdevfs::model
