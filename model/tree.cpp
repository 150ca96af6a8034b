// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <sys/xattr.h>

#include <algorithm>
#include <functional>

namespace mdevfs::model {
namespace {

timespec to_timespec(std::int64_t nanoseconds) {
  return {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
}

std::int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

// Sets a time once; whoever comes later sees the first one's.
std::int64_t once(std::atomic<std::int64_t>& time) {
  std::int64_t seen = time.load(std::memory_order_relaxed);
  if (seen != 0) return seen;
  const std::int64_t mine = now();
  return time.compare_exchange_strong(seen, mine, std::memory_order_relaxed) ? mine : seen;
}

Node place_of(Object& object, const Entry& entry) {
  if (entry.directory != Slot::none) return {&object, entry.directory};
  return entry.place != nullptr ? entry.place(object) : Node{};
}

// Visits the entries of the object whose directory is this slot and whose part is shown.
template <typename Visit>
void visit_own_children(Node directory, Visit visit) REQUIRES_SHARED(kernfs_rwsem) {
  Object& object = *directory.object;
  if (directory.slot < kFirstExtra) {
    for (const Slot slot : Schema::get().children(directory.slot)) {
      const Entry& entry = Schema::get().at(slot);
      if (object.shows(entry)) visit(entry);
    }
  }
  if (const auto* const entries = object.extra()) {
    for (const Entry& entry : *entries) {
      if (entry.directory == directory.slot && object.shows(entry)) visit(entry);
    }
  }
}

}  // namespace

// --- from a number or a name to a node

HeldNode Tree::resolve(std::uint64_t inode) const {
  const auto slot = static_cast<Slot>(inode & ((1U << kSlotBits) - 1));
  auto object = registry_.find(inode >> kSlotBits);
  if (object) {
    const Entry& entry = object->entry(slot);
    if (entry.kind != Kind::none) return {std::move(object), slot, &entry};
  }
  return {nullptr, slot, &Schema::of_the_gone(slot)};
}

bool Tree::alive(const HeldNode& node) const {
  if (!node.object) return false;
  const SharedLock lock(kernfs_rwsem);
  return node.object->shows(*node.entry);
}

Node Tree::find_child(Node directory, std::string_view name) {
  Node found;
  visit_own_children(directory, [&](const Entry& entry) {
    const Node child{directory.object, entry.slot};
    if (entry.name.empty() ? name_of(child) == name : entry.name == name) found = child;
  });
  if (found.object == nullptr) {
    if (const auto* const members = directory.object->members(directory.slot)) found = members->find(name);
  }
  return found;
}

Result<HeldNode> Tree::lookup(const HeldNode& directory, std::string_view name) const {
  if (!directory.object || directory.entry->kind != Kind::directory) return fail(ENOENT);
  const SharedLock lock(kernfs_rwsem);
  if (!directory.object->shows(*directory.entry)) return fail(ENOENT);
  const Node found = find_child({directory.object.get(), directory.slot}, name);
  if (found.object == nullptr) return fail(ENOENT);
  // Under the lock, so that whoever takes the node away afterwards knows that the kernel may hold its name.
  const Entry& entry = found.object->entry(found.slot);
  found.object->mark_seen(entry);
  return HeldNode{found.object->shared_from_this(), found.slot, &entry};
}

std::string Tree::name_of(Node node) {
  const Entry& entry = node.object->entry(node.slot);
  if (!entry.name.empty()) return entry.name;
  return entry.name_of != nullptr ? entry.name_of(*node.object) : node.object->name();
}

std::uint32_t Tree::hash_of(Node node) {
  const Entry& entry = node.object->entry(node.slot);
  if (!entry.name.empty()) return model::name_hash(entry.name);
  return entry.name_of != nullptr ? model::name_hash(entry.name_of(*node.object)) : node.object->name_hash();
}

Node Tree::directory_of(Node node) {
  return place_of(*node.object, node.object->entry(node.slot));
}

// --- attributes

unsigned Tree::count_links(Node node) {
  unsigned directories = 0;
  visit_own_children(node, [&](const Entry& entry) { directories += entry.kind == Kind::directory ? 1 : 0; });
  if (const auto* const members = node.object->members(node.slot)) {
    directories += static_cast<unsigned>(members->directories());
  }
  return 2 + directories;
}

NodeAttributes Tree::defaults(Object* object, const Entry& entry) const {
  NodeAttributes attributes{.mode = entry.mode, .uid = uid_, .gid = gid_};
  if (entry.mode_of_age != nullptr) attributes.mode = age_.*entry.mode_of_age;
  const std::int64_t looked = object != nullptr ? once(object->first_look) : now();
  attributes.atime = attributes.mtime = attributes.ctime = to_timespec(looked);
  if (object != nullptr && entry.kind == Kind::file) {
    if (const std::int64_t read = object->first_read.load(std::memory_order_relaxed); read != 0) {
      attributes.atime = to_timespec(read);
    }
  }
  return attributes;
}

Stat Tree::stat(const HeldNode& node) const {
  Object* const object = node.object.get();
  Stat stat{.inode = index(node.slot), .kind = node.entry->kind, .nlink = 1};
  NodeAttributes attributes = defaults(object, *node.entry);
  if (node.entry->kind == Kind::directory) stat.nlink = 2;
  if (object == nullptr && !age_.gone_has_links) stat.nlink = 0;
  if (object != nullptr) {
    stat.inode = inode_of(object->id, node.slot);
    const SharedLock lock(kernfs_rwsem);
    if (node.entry->kind == Kind::directory) stat.nlink = count_links({object, node.slot});
    if (!age_.gone_has_links && !object->shows(*node.entry)) stat.nlink = 0;
    if (const auto* const extras = object->extras_if_any()) {
      const auto own = extras->attributes.find(node.slot);
      if (own != extras->attributes.end()) attributes = own->second;
    }
  }
  stat.size = node.entry->kind == Kind::file ? node.entry->size : 0;
  stat.mode = attributes.mode;
  stat.uid = attributes.uid;
  stat.gid = attributes.gid;
  stat.atime = attributes.atime;
  stat.mtime = attributes.mtime;
  stat.ctime = attributes.ctime;
  return stat;
}

NodeAttributes& Tree::attributes_for_change(const HeldNode& node) {
  auto& all = node.object->extras().attributes;
  const auto found = all.find(node.slot);
  if (found != all.end()) return found->second;
  return all.emplace(node.slot, defaults(node.object.get(), *node.entry)).first->second;
}

void Tree::set_attributes(const HeldNode& node, const StatChange& change) {
  if (!node.object) return;  // of what is gone nothing can be kept, and nobody can tell
  const Lock lock(kernfs_rwsem);
  NodeAttributes& attributes = attributes_for_change(node);
  const timespec time = to_timespec(now());
  if (change.mode != nullptr) attributes.mode = *change.mode & 07777U;
  if (change.uid != nullptr) attributes.uid = *change.uid;
  if (change.gid != nullptr) attributes.gid = *change.gid;
  if (change.truncated) attributes.mtime = time;
  if (change.atime != nullptr) attributes.atime = *change.atime;
  if (change.mtime != nullptr) attributes.mtime = *change.mtime;
  attributes.ctime = time;
}

void Tree::note_read(const HeldNode& node) {
  if (node.object && age_.read_sets_atime) once(node.object->first_read);
}

Result<std::string> Tree::get_xattr(const HeldNode& node, const std::string& name) const {
  if (!node.object) return fail(ENODATA);
  const SharedLock lock(kernfs_rwsem);
  if (const auto* const extras = node.object->extras_if_any()) {
    const auto own = extras->attributes.find(node.slot);
    if (own != extras->attributes.end()) {
      const auto& xattrs = own->second.xattrs;
      const auto found = std::ranges::find(xattrs, name, &ExtendedAttribute::name);
      if (found != xattrs.end()) return found->value;
    }
  }
  return fail(ENODATA);
}

Result<void> Tree::set_xattr(const HeldNode& node, const std::string& name, std::string value, int flags) {
  if (!node.object) return fail(ENODEV);
  const Lock lock(kernfs_rwsem);
  auto& xattrs = attributes_for_change(node).xattrs;
  const auto found = std::ranges::find(xattrs, name, &ExtendedAttribute::name);
  const bool there = found != xattrs.end();
  if ((flags & XATTR_CREATE) != 0 && there) return fail(EEXIST);
  if ((flags & XATTR_REPLACE) != 0 && !there) return fail(ENODATA);
  if (there) {
    found->value = std::move(value);
  } else {
    xattrs.insert(xattrs.begin(), {name, std::move(value)});
  }
  return {};
}

Result<void> Tree::remove_xattr(const HeldNode& node, const std::string& name) {
  if (!node.object) return fail(ENODATA);
  const Lock lock(kernfs_rwsem);
  const auto of_that_name = [&](const ExtendedAttribute& xattr) { return xattr.name == name; };
  return std::erase_if(attributes_for_change(node).xattrs, of_that_name) != 0 ? Result<void>{}
                                                                              : fail(ENODATA);
}

std::vector<std::string> Tree::list_xattrs(const HeldNode& node) const {
  std::vector<std::string> names;
  if (!node.object) return names;
  const SharedLock lock(kernfs_rwsem);
  const auto* const extras = node.object->extras_if_any();
  if (extras == nullptr) return names;
  const auto own = extras->attributes.find(node.slot);
  if (own == extras->attributes.end()) return names;
  for (const auto& xattr : own->second.xattrs) names.push_back(xattr.name);
  if (age_.xattrs_by_name) std::ranges::sort(names, std::greater<>());
  return names;
}

// --- listing

namespace {

struct Listed {
  std::uint32_t hash = 0;
  Node node;
};

// The directory's own entries by hash; there are never more than a few.
std::vector<Listed> own_entries(Node directory, std::uint32_t from) REQUIRES_SHARED(kernfs_rwsem) {
  std::vector<Listed> entries;
  visit_own_children(directory, [&](const Entry& entry) {
    const Node node{directory.object, entry.slot};
    const auto hash = Tree::hash_of(node);
    if (hash >= from) entries.push_back({hash, node});
  });
  std::ranges::sort(entries, {}, &Listed::hash);
  return entries;
}

// Gives one entry on after the next is known, because a position is that of the next entry (as kernfs has
// it).
class Lister {
 public:
  Lister(std::uint64_t position, const std::function<bool(const DirectoryEntry&)>& visit)
      : from_(static_cast<std::uint32_t>(position)), from_id_(position >> 32U), visit_(visit) {}

  // In the order of hashes, and of ids where hashes are the same.
  bool add(std::uint32_t hash, Node node) {
    const std::uint64_t id = node.object->id & 0x7fffffffU;  // a position is a positive off_t
    if (hash == from_ && id < from_id_) return true;
    const std::uint64_t position = hash == hash_ ? id << 32U | hash : hash;
    hash_ = hash;
    if (!flush(position)) return false;
    entry_ = {Tree::name_of(node), inode_of(node), node.object->entry(node.slot).kind, 0};
    return true;
  }
  bool flush(std::uint64_t next) {
    if (entry_.name.empty()) return true;
    entry_.next = next;
    const bool more = visit_(entry_);
    entry_ = {};
    return more;
  }
  void hold(DirectoryEntry entry) { entry_ = std::move(entry); }

 private:
  const std::uint32_t from_;
  const std::uint64_t from_id_;  // those of the first hash with lesser ids have been given
  const std::function<bool(const DirectoryEntry&)>& visit_;
  DirectoryEntry entry_;
  std::uint32_t hash_ = 0;
};

}  // namespace

void Tree::list(const HeldNode& held, std::uint64_t position,
                const std::function<bool(const DirectoryEntry&)>& visit) const {
  const SharedLock lock(kernfs_rwsem);
  Object* const object = held.object.get();
  const Node directory{object, held.slot};
  Lister lister(position, visit);
  if (position == 0) {
    const std::uint64_t self = object != nullptr ? inode_of(directory) : index(held.slot);
    if (!visit({".", self, Kind::directory, 1})) return;
  }
  if (position <= 1) {
    Node up = object != nullptr ? directory_of(directory) : Node{};
    lister.hold({"..", up.object != nullptr ? inode_of(up) : 1, Kind::directory, 0});
  }
  if (object != nullptr && static_cast<std::uint32_t>(position) < kEndOfDirectory) {
    const auto from = static_cast<std::uint32_t>(position);
    const auto own = own_entries(directory, from);
    auto next_own = own.begin();
    bool more = true;
    if (const auto* const members = object->members(held.slot)) {
      members->walk(from, [&](const Members::Member& member) {
        while (more && next_own != own.end() && next_own->hash <= member.hash) {
          more = lister.add(next_own->hash, next_own->node);
          ++next_own;
        }
        more = more && lister.add(member.hash, member.node);
        return more;
      });
    }
    for (; more && next_own != own.end(); ++next_own) more = lister.add(next_own->hash, next_own->node);
    if (!more) return;
  }
  lister.flush(kEndOfDirectory);
}

// --- links

Result<std::string> Tree::readlink(const HeldNode& link) const {
  if (!link.object) return fail(ENOENT);
  if (link.entry->kind != Kind::link) return fail(EINVAL);
  const SharedLock lock(kernfs_rwsem);
  if (link.entry->target == nullptr) return link.entry->show(*link.object, link.slot);
  const Node target = link.entry->target(*link.object);
  if (target.object == nullptr) return fail(ENOENT);
  return relative_path({link.object.get(), link.slot}, target);
}

std::string Tree::relative_path(Node link, Node target) {
  // kernfs_get_target_path: the target itself does not count as the place where the ways part, which is why a
  // link to the directory three up is `../../../NAME`.
  std::vector<Node> above;
  for (Node node = directory_of(target); node.object != nullptr; node = directory_of(node))
    above.push_back(node);
  std::string text;
  Node base = directory_of(link);
  while (base.object != nullptr && std::ranges::find(above, base) == above.end()) {
    text += "../";
    base = directory_of(base);
  }
  std::vector<Node> down{target};
  for (const Node node : above) {
    if (node == base) break;
    down.push_back(node);
  }
  for (auto node = down.rbegin(); node != down.rend(); ++node) {
    text += name_of(*node);
    text += '/';
  }
  text.pop_back();
  return text;
}

std::string Tree::path(Node node) {
  std::string text;
  for (Node up = directory_of(node); up.object != nullptr; node = up, up = directory_of(node)) {
    text = '/' + name_of(node) + text;
  }
  return text.empty() ? "/" : text;
}

// --- changes

void Tree::note_change_of(Node directory, Changes& changes) {
  if (directory.object == nullptr || !directory.object->seen(directory.slot)) return;
  const auto inode = inode_of(directory);
  if (changes.attributes.empty() || changes.attributes.back() != inode) changes.attributes.push_back(inode);
}

// A link takes over the owner that its target has when it is made (sysfs_do_create_link, kernfs_create_link).
void Tree::inherit_owner(Object& object, const Entry& entry, Node target) {
  const auto* const extras = target.object != nullptr ? target.object->extras_if_any() : nullptr;
  if (extras == nullptr) return;
  const auto own = extras->attributes.find(target.slot);
  if (own == extras->attributes.end()) return;
  const HeldNode link{object.shared_from_this(), entry.slot, &entry};
  NodeAttributes& attributes = attributes_for_change(link);
  attributes.uid = own->second.uid;
  attributes.gid = own->second.gid;
}

namespace {

// A directory whose attributes somebody has set notes the coming and going of its children; others do not.
void touch(Node directory) REQUIRES(kernfs_rwsem) {
  if (directory.object == nullptr || directory.object->extras_if_any() == nullptr) return;
  auto& all = directory.object->extras().attributes;
  const auto own = all.find(directory.slot);
  if (own != all.end()) own->second.mtime = own->second.ctime = to_timespec(now());
}

template <typename Visit>
void visit_part(Object& object, Part part, Visit visit) REQUIRES(kernfs_rwsem) {
  const Schema& schema = Schema::get();
  for (const Slot slot : schema.part(object.self(), part)) {
    if (const Entry& entry = schema.at(slot); object.shows(entry)) visit(entry);
  }
  if (const auto* const entries = object.extra()) {
    for (const Entry& entry : *entries) {
      if (entry.part == part) visit(entry);
    }
  }
}

}  // namespace

void Tree::appear_locked(Object& object, Part part, Changes& changes) {
  object.gate(part).open();
  object.shown_.fetch_or(static_cast<std::uint16_t>(1U << part), std::memory_order_relaxed);
  visit_part(object, part, [&](const Entry& entry) REQUIRES(kernfs_rwsem) {
    const Node node{&object, entry.slot};
    const Node directory = place_of(object, entry);
    if (entry.directory == Slot::none && directory.object != nullptr) {
      if (auto* const members = directory.object->members(directory.slot)) members->insert(node);
    }
    if (entry.kind == Kind::link && entry.target != nullptr)
      inherit_owner(object, entry, entry.target(object));
    touch(directory);
    note_change_of(directory, changes);
  });
}

// A name may linger, as on sysfs, but not where the kernel has asked for it again: it does so for a name that
// has expired, and without the lock of the directory. The answer, "as before", may reach whoever asked when
// the node has gone and its name has expired once more, and the name would be valid for ever (seen on a
// kernel 6.18). It may have expired while its node was there because another had borne it before, whose end
// was told late.
bool Tree::vanish_locked(Object& object, Part part, Changes& changes) {
  if (!object.shows(part)) return false;
  visit_part(object, part, [&](const Entry& entry) REQUIRES(kernfs_rwsem) {
    const Node node{&object, entry.slot};
    const Node directory = place_of(object, entry);
    if (directory.object == nullptr) return;
    if (entry.directory == Slot::none) {
      if (auto* const members = directory.object->members(directory.slot)) members->erase(node);
    }
    touch(directory);
    note_change_of(directory, changes);
    if (object.seen(entry.slot))
      changes.gone.push_back({inode_of(directory), name_of(node), !object.seen_again(entry.kind)});
    if (entry.kind == Kind::directory || !age_.gone_has_links) note_change_of(node, changes);
  });
  object.shown_.fetch_and(static_cast<std::uint16_t>(~(1U << part)), std::memory_order_relaxed);
  object.gate(part).close();
  return true;
}

void Tree::finish(Changes changes) {
  Watcher* const watcher = watcher_.load(std::memory_order_acquire);
  if (watcher != nullptr && !changes.empty()) watcher->publish(std::move(changes));
}

bool Tree::keep_up() {
  Watcher* const watcher = watcher_.load(std::memory_order_acquire);
  return watcher == nullptr || watcher->keep_up();
}

void Tree::expire(Node node) {
  Changes changes;
  {
    const SharedLock lock(kernfs_rwsem);
    const Node directory = directory_of(node);
    if (directory.object == nullptr || !node.object->seen(node.slot)) return;
    if (!node.object->shows(node.object->entry(node.slot).part)) return;
    changes.gone.push_back({inode_of(directory), name_of(node)});
  }
  finish(std::move(changes));
}

void Tree::wake(Node node) {
  if (Watcher* const watcher = watcher_.load(std::memory_order_acquire)) watcher->wake(inode_of(node));
}

void Tree::prefetch_places(Object& object) const {
  const auto hash = object.name_hash();
  const Schema& schema = Schema::get();
  const SharedLock lock(kernfs_rwsem);
  for (const Slot slot : schema.elsewhere(object.self())) {
    const Node directory = schema.at(slot).place(object);
    if (auto* const members = directory.object->members(directory.slot)) members->prefetch(hash);
  }
}

void Tree::appear(Object& object, std::initializer_list<Part> parts) {
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    for (const Part part : parts) appear_locked(object, part, changes);
  }
  finish(std::move(changes));
}

void Tree::vanish(Object& object, std::initializer_list<Part> parts) {
  Changes changes;
  unsigned taken = 0;
  {
    const Lock lock(kernfs_rwsem);
    for (const Part part : parts) {
      if (vanish_locked(object, part, changes)) taken |= 1U << part;
    }
  }
  finish(std::move(changes));
  // A part that was gone before is not waited for: the one who took it away may be our caller, inside its
  // gate.
  for (const Part part : parts) {
    if ((taken >> part & 1U) != 0) object.gate(part).wait_until_empty();
  }
}

void Tree::come_back(Object& object, Part part, Part with) {
  Changes changes;
  {
    const Lock lock(kernfs_rwsem);
    if (!object.shows(with)) return;
    appear_locked(object, part, changes);
  }
  finish(std::move(changes));
}

bool Tree::take_away_self(Object& object, Part part) {
  object.gate(part).leave();  // kernfs_break_active_protection: or we would wait for ourselves
  Changes changes;
  bool mine = false;
  {
    const Lock lock(kernfs_rwsem);
    mine = vanish_locked(object, part, changes);
    if (mine) object.gate(part).begin_taking();
  }
  finish(std::move(changes));
  if (mine) {
    object.gate(part).finish_taking();
  } else {
    object.gate(part).wait_until_empty();
    object.gate(part).reenter();
  }
  return mine;
}

}  // namespace mdevfs::model
