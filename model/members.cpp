// SPDX-License-Identifier: Apache-2.0
#include "members.h"

#include <climits>

#include "core.h"
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

Members::Item Members::item_of(Node node) {
  return {Tree::hash_of(node), inode_of(node)};
}

Node Members::node_of(const Item& item) const {
  const Id id = item.inode() >> kSlotBits;
  return {&registry_->held(id), static_cast<Slot>(item.inode() & ((1U << kSlotBits) - 1))};
}

void Members::insert(Node node) {
  registry_ = &node.object->core.tree().registry();
  items_.insert(item_of(node));
  if (node.object->entry(node.slot).kind == Kind::directory) ++directories_;
}

void Members::erase(Node node) {
  if (!items_.erase(item_of(node))) return;
  if (node.object->entry(node.slot).kind == Kind::directory) --directories_;
}

Node Members::find(std::string_view name) const {
  Node found;
  items_.find(name_hash(name), [&](const Item& item) {
    const Node node = node_of(item);
    if (Tree::name_of(node) == name) found = node;
    return found.object == nullptr;
  });
  return found;
}

}  // namespace mdevfs::model
