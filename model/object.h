// SPDX-License-Identifier: Apache-2.0
//
// What every object of the model has: an id that is never used again, the parts of it that are shown at
// present (entry.h), a gate for each, and, only where somebody has set them, attributes of its nodes. There
// is no tree of nodes beside the objects: a node is computed from object and slot when it is asked for.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "entry.h"
#include "gate.h"
#include "lock.h"
#include "members.h"
#include "registry.h"

namespace mdevfs::model {

class Core;

struct ExtendedAttribute {
  std::string name;
  std::string value;
};

// What somebody has set on a node (chmod, chown, utimes, a truncating open, xattrs). kernfs_iattrs.
struct NodeAttributes {
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  timespec atime{};
  timespec mtime{};
  timespec ctime{};
  std::vector<ExtendedAttribute> xattrs{};  // newest first: so they are listed
};

// Allocated for the few objects that need it.
struct Extras {
  std::map<Slot, NodeAttributes> attributes;
  std::map<Slot, std::string> kept;  // texts of files that keep what is written to them (power/control)
};

// Thread-safety: members marked GUARDED_BY under that lock; gates and `seen` from any thread; the rest is
// const.
class Object : public std::enable_shared_from_this<Object> {
 public:
  explicit Object(Core& core);
  virtual ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  // The slot of the directory that the object is: the first of its kind.
  virtual Slot self() const = 0;
  // The name of that directory.
  virtual std::string name() const = 0;
  // name_hash() of it, for those that have it at hand.
  virtual std::uint32_t name_hash() const { return model::name_hash(name()); }
  // The changing contents of one of its directories; null for a directory that has none.
  virtual Members* members(Slot) { return nullptr; }
  virtual const ExtraEntries* extra() const { return nullptr; }
  // May a show or store of those entries, which are somebody else's, take long?
  virtual bool extra_waits() const { return true; }

  const Entry& entry(Slot slot) const {
    if (slot < Slot::end) {
      if (const Entry& own = Schema::get().at(slot); own.owner == self()) return own;
    }
    return extra_entry(slot);
  }
  bool shows(Part part) const REQUIRES_SHARED(kernfs_rwsem) {
    return ((shown_.load(std::memory_order_relaxed) >> part) & 1U) != 0;
  }
  // The same of one entry, which not all ages have.
  bool shows(const Entry& entry) const REQUIRES_SHARED(kernfs_rwsem) {
    return shows(entry.part) && (entry.in_age == nullptr || has(entry));
  }
  Gate& gate(Part part) { return gates_[part]; }

  // Has the kernel been told of this node? Only then can it hold a name or attributes that must be
  // invalidated. Has it asked again for one of that kind, though it had been told?
  void mark_seen(const Entry& entry) noexcept REQUIRES_SHARED(kernfs_rwsem) {
    const auto before = seen_.fetch_or(bit(entry.slot), std::memory_order_relaxed);
    if ((before & bit(entry.slot)) != 0)
      shown_.fetch_or(seen_again_bit(entry.kind), std::memory_order_relaxed);
  }
  bool seen(Slot slot) const noexcept { return (seen_.load(std::memory_order_relaxed) & bit(slot)) != 0; }
  bool seen_again(Kind kind) const noexcept REQUIRES_SHARED(kernfs_rwsem) {
    return (shown_.load(std::memory_order_relaxed) & seen_again_bit(kind)) != 0;
  }

  Extras& extras() REQUIRES(kernfs_rwsem);
  const Extras* extras_if_any() const REQUIRES_SHARED(kernfs_rwsem) { return extras_.get(); }

  // A node that nobody has set attributes of carries the time at which it was first looked at; here one time
  // for all nodes of an object. Nanoseconds since the epoch, 0: not yet.
  std::atomic<std::int64_t> first_look{0};
  std::atomic<std::int64_t> first_read{0};

  Core& core;
  const Id id;

 private:
  friend class Tree;
  const Entry& extra_entry(Slot slot) const;
  bool has(const Entry& entry) const;

  // Slots far apart share one, and are invalidated once too often.
  static std::uint64_t bit(Slot slot) noexcept { return std::uint64_t{1} << (index(slot) % 64); }

  // In the order of their sizes, so that nothing is between them: there are millions.
  std::unique_ptr<Extras> extras_ GUARDED_BY(kernfs_rwsem);
  std::atomic<std::uint64_t> seen_{0};
  std::array<Gate, kParts> gates_;
  // A bit a part, set and cleared with the lock held exclusively, and one a kind that is set by whoever
  // shares it.
  std::atomic<std::uint16_t> shown_ GUARDED_BY(kernfs_rwsem){0};
  static constexpr std::uint16_t seen_again_bit(Kind kind) noexcept {
    return static_cast<std::uint16_t>(1U << (kParts + static_cast<unsigned>(kind)));
  }
};

// Files that keep what is written to them.
std::string kept_text(const Object& object, Slot slot, const std::string& otherwise) EXCLUDES(kernfs_rwsem);
void keep_text(Object& object, Slot slot, std::string text) EXCLUDES(kernfs_rwsem);

}  // namespace mdevfs::model
