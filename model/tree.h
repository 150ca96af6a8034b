// SPDX-License-Identifier: Apache-2.0
//
// The tree as the model's objects imply it: from an inode number to a node, from a directory to its contents,
// from a link to its target; and the two things that change it: a part of an object appears, a part vanishes.
//
// Errors: none of these calls a backend or blocks but for kernfs_rwsem; vanish() waits for those inside its
// gates.
#pragma once

#include <ctime>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "change.h"
#include "kernel_age.h"
#include "object.h"
#include "registry.h"

namespace mdevfs::model {

constexpr std::uint64_t inode_of(Id id, Slot slot) {
  return id << kSlotBits | index(slot);
}
inline std::uint64_t inode_of(Node node) {
  return inode_of(node.object->id, node.slot);
}

// A node with its object held. The object is null where it is gone and nobody holds it: the slot still says
// what it was.
struct HeldNode {
  std::shared_ptr<Object> object;
  Slot slot = Slot::none;
  const Entry* entry = nullptr;  // never null in a resolved node
};

struct Stat {
  std::uint64_t inode = 0;
  Kind kind = Kind::none;
  mode_t mode = 0;  // permission bits
  unsigned nlink = 0;
  std::uint64_t size = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
};

// What setattr sets; absent fields stay.
struct StatChange {
  const mode_t* mode = nullptr;
  const uid_t* uid = nullptr;
  const gid_t* gid = nullptr;
  const timespec* atime = nullptr;
  const timespec* mtime = nullptr;
  bool truncated = false;  // the size stays, the times do not
};

struct DirectoryEntry {
  std::string name;
  std::uint64_t inode = 0;
  Kind kind = Kind::none;
  std::uint64_t next = 0;  // the position of the entry after it
};

// Positions in a directory: 0 is `.`, 1 is `..`, then hashes of names (above them, where another name before
// it hashes alike, the id of the entry's object), and kEndOfDirectory.
inline constexpr std::uint64_t kEndOfDirectory = 0x7fffffff;

// Thread-safety: all functions from any thread.
class Tree {
 public:
  Tree(uid_t uid, gid_t gid, const KernelAge& age) : uid_(uid), gid_(gid), age_(age) {}

  // The watcher hears of every change from now on; null: nobody does.
  void set_watcher(Watcher* watcher) {
    listener_ = watcher != nullptr && watcher->hears_uevents() ? watcher : nullptr;
    watcher_ = watcher;
  }
  // Who hears uevents; null: nobody does, and none need be made.
  Watcher* listener() const { return listener_.load(std::memory_order_acquire); }

  Registry& registry() { return registry_; }
  HeldNode resolve(std::uint64_t inode) const EXCLUDES(kernfs_rwsem);
  bool alive(const HeldNode& node) const EXCLUDES(kernfs_rwsem);

  // ENOENT.
  Result<HeldNode> lookup(const HeldNode& directory, std::string_view name) const EXCLUDES(kernfs_rwsem);
  Stat stat(const HeldNode& node) const EXCLUDES(kernfs_rwsem);
  void set_attributes(const HeldNode& node, const StatChange& change) EXCLUDES(kernfs_rwsem);
  // A read of the text: sets the access time of a node whose attributes nobody has set, once.
  void note_read(const HeldNode& node) EXCLUDES(kernfs_rwsem);
  // Visits entries from a position on until visit() returns false.
  void list(const HeldNode& directory, std::uint64_t position,
            const std::function<bool(const DirectoryEntry&)>& visit) const EXCLUDES(kernfs_rwsem);
  // ENOENT where the link's target cannot be known any more.
  Result<std::string> readlink(const HeldNode& link) const EXCLUDES(kernfs_rwsem);

  // ENODATA; names with a prefix that sysfs does not keep: EOPNOTSUPP.
  Result<std::string> get_xattr(const HeldNode& node, const std::string& name) const EXCLUDES(kernfs_rwsem);
  // EEXIST and ENODATA as the flags ask, EOPNOTSUPP.
  Result<void> set_xattr(const HeldNode& node, const std::string& name, std::string value, int flags)
      EXCLUDES(kernfs_rwsem);
  Result<void> remove_xattr(const HeldNode& node, const std::string& name) EXCLUDES(kernfs_rwsem);
  std::vector<std::string> list_xattrs(const HeldNode& node) const EXCLUDES(kernfs_rwsem);

  // Shows or takes away parts of an object: one change, seen by others as a whole. vanish() returns when
  // nobody is inside the gates of those parts any more.
  void appear(Object& object, std::initializer_list<Part> parts) EXCLUDES(kernfs_rwsem);
  void vanish(Object& object, std::initializer_list<Part> parts) EXCLUDES(kernfs_rwsem);

  // An object is about to appear in the directories of others. Its places there are far apart in memory:
  // fetched side by side, they cost one wait for it instead of two each.
  void prefetch_places(Object& object) const EXCLUDES(kernfs_rwsem);

  // The same as steps of a bigger change, made under one lock; finish() publishes it.
  void appear_locked(Object& object, Part part, Changes& changes) REQUIRES(kernfs_rwsem);
  bool vanish_locked(Object& object, Part part, Changes& changes) REQUIRES(kernfs_rwsem);
  void finish(Changes changes) EXCLUDES(kernfs_rwsem);

  // For between the steps of a change that has very many: Watcher::keep_up().
  bool keep_up() EXCLUDES(kernfs_rwsem);

  // What a lookup of the node said (Entry::waits) holds no more: it must be looked up again.
  void expire(Node node) EXCLUDES(kernfs_rwsem);
  // What poll(2) says of the node has changed.
  void wake(Node node);

  // kernfs_remove_self: the caller, inside the part's gate, takes the part away. True for the one who did it;
  // the others wait until that one has left the gate, and have done nothing.
  bool take_away_self(Object& object, Part part) EXCLUDES(kernfs_rwsem);

  // Another node takes the place of one that has been taken away by its own file, inside whose old gate the
  // caller is; descriptors of the old one stay dead. No effect where part `with` has gone too.
  void come_back(Object& object, Part part, Part with) EXCLUDES(kernfs_rwsem);

  static std::string name_of(Node node);
  static std::uint32_t hash_of(Node node);  // of the name
  // `../..` as sysfs writes its links: up from the link's directory to where the ways part, then down.
  static std::string relative_path(Node link, Node target);
  static std::string path(Node node);  // from the root, with a leading slash
  static Node directory_of(Node node);

 private:
  static Node find_child(Node directory, std::string_view name) REQUIRES_SHARED(kernfs_rwsem);
  static unsigned count_links(Node node) REQUIRES_SHARED(kernfs_rwsem);
  static void note_change_of(Node directory, Changes& changes) REQUIRES(kernfs_rwsem);
  void inherit_owner(Object& object, const Entry& entry, Node target) REQUIRES(kernfs_rwsem);
  NodeAttributes& attributes_for_change(const HeldNode& node) REQUIRES(kernfs_rwsem);
  NodeAttributes defaults(Object* object, const Entry& entry) const;

  Registry registry_;
  const uid_t uid_;
  const gid_t gid_;
  const KernelAge age_;
  std::atomic<Watcher*> watcher_{nullptr};
  std::atomic<Watcher*> listener_{nullptr};
};

}  // namespace mdevfs::model
