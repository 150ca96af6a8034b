// SPDX-License-Identifier: Apache-2.0
#include "members.h"

#include <climits>
#include <tuple>

#include "object.h"
#include "tree.h"

namespace mdevfs::model {

std::uint32_t name_hash(std::string_view name) {
  std::uint64_t hash = 0;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    hash = (hash + (std::uint64_t{byte} << 4U) + (byte >> 4U)) * 11;
  }
  constexpr std::uint64_t kGoldenRatio = 0x61C8864680B583EB;
  auto folded = static_cast<std::uint32_t>((hash * kGoldenRatio) >> 32U) & 0x7fffffffU;
  if (folded < 2) folded += 2;
  return folded >= INT_MAX ? INT_MAX - 1 : folded;
}

bool Members::Item::operator<(const Item& other) const {
  const auto key = [](const Item& item) {
    return std::tuple(item.hash, item.object != nullptr, item.object != nullptr ? item.object->id : 0,
                      item.slot);
  };
  return hash != other.hash ? hash < other.hash : key(*this) < key(other);
}

void Members::insert(Node node) {
  items_.insert({Tree::hash_of(node), node.slot, node.object});
  if (node.object->entry(node.slot).kind == Kind::directory) ++directories_;
}

void Members::erase(Node node) {
  if (!items_.erase({Tree::hash_of(node), node.slot, node.object})) return;
  if (node.object->entry(node.slot).kind == Kind::directory) --directories_;
}

Node Members::find(std::string_view name) const {
  Node found;
  const auto hash = name_hash(name);
  walk(hash, [&](const Item& item) {
    if (item.hash != hash) return false;
    const Node node{item.object, item.slot};
    if (Tree::name_of(node) != name) return true;
    found = node;
    return false;
  });
  return found;
}

}  // namespace mdevfs::model
