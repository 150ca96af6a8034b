// SPDX-License-Identifier: Apache-2.0
//
// The schema: what is known of a slot without its object. A table of entries, one a slot, made once and never
// changed; every object of a kind shares it. Nothing in a directory is stored anywhere else: its contents are
// the entries whose directory it is, if their part is shown, and then its members.
//
// A *part* is a group of entries of one object that come and go together, with one gate for all of them: a
// device's `remove` file is a part, its driver's links are one, its own directory is one. To create a device
// is to show its parts one after another.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "errno.h"
#include "slot.h"

namespace mdevfs::model {

class Object;
struct KernelAge;

enum class Kind : std::uint8_t { none, directory, file, link };

using Part = std::uint8_t;
inline constexpr Part kSelf = 0;  // every object's first part: the directory it is
inline constexpr unsigned kParts = 10;

// A node of the tree: an object's slot. Null object: nothing (any more).
struct Node {
  Object* object = nullptr;
  Slot slot = Slot::none;
  friend bool operator==(const Node&, const Node&) = default;
};

inline constexpr std::uint64_t kAttributeSize = 4096;  // st_size of a sysfs attribute, whatever it holds

struct Entry {
  Kind kind = Kind::none;
  mode_t mode = 0;
  Part part = kSelf;
  bool KernelAge::* in_age = nullptr;         // null: on all ages
  mode_t KernelAge::* mode_of_age = nullptr;  // null: `mode`
  Slot slot = Slot::none;
  Slot owner = Slot::none;      // the first slot of the kind of object that has it; none: it is an extra one
  Slot directory = Slot::none;  // the slot of the same object that holds it; none: `place` says where it is
  std::string name = {};        // empty: `name_of` says
  std::string (*name_of)(const Object&) = nullptr;
  Node (*place)(Object&) = nullptr;                      // the directory of another object that holds it
  Node (*target)(Object&) = nullptr;                     // links: the node they point to
  bool retargets = false;                                // links: another target when it comes back
  Result<std::string> (*show)(Object&, Slot) = nullptr;  // files: null, reading is EIO; links: a fixed text
  Result<void> (*store)(Object&, Slot, std::string_view) = nullptr;  // files; null: writing is EIO
  std::uint64_t size = kAttributeSize;                               // files
  bool changes_alone = false;        // files: may the text be another though nobody has written anything?
  bool grows = false;                // files: may it be longer than `size`?
  bool (*waits)(Object&) = nullptr;  // files: may a store take long? null: no
  std::string (*subsystem)(const Object&) = nullptr;    // directories with uevents: the SUBSYSTEM they are of
  std::string (*uevent_text)(const Object&) = nullptr;  // and the keys that all its events have, a line each
  // Files that are more than a show and a store: what opening and closing them does, what poll(2) says of an
  // open one.
  Result<void> (*open)(Object&, Slot) = nullptr;
  void (*close)(Object&, Slot) = nullptr;
  unsigned (*poll)(Object&, Slot) = nullptr;
  // Directories in which clients make and remove directories; null: EPERM.
  Result<void> (*make_directory)(Object&, std::string_view name) = nullptr;
  Result<void> (*remove_directory)(Object&, std::string_view name) = nullptr;
};

// The entries that an object has beside its kind's: a driver's attribute groups, a module's parameters.
using ExtraEntries = std::vector<Entry>;

// Gives the entry the slot of its place. The slot.
Slot add_extra(ExtraEntries& entries, Entry entry);

// Thread-safety: immutable once made.
class Schema {
 public:
  static const Schema& get() {
    static const Schema schema;
    return schema;
  }

  const Entry& at(Slot slot) const { return entries_[index(slot)]; }
  // The same for an object that is known by its own directory's slot; of other kinds' slots, an entry of
  // none.
  const Entry& at(Slot self, Slot slot) const;
  // The same where the object is gone: what the slot alone says.
  static const Entry& of_the_gone(Slot slot);
  // The slots whose `directory` is this one.
  std::span<const Slot> children(Slot directory) const { return children_[index(directory)]; }
  // The slots of a part of an object, which is known by its own directory's slot.
  std::span<const Slot> part(Slot self, Part part) const { return parts_[index(self)][part]; }
  // The slots that are shown in other objects' directories under the object's own name.
  std::span<const Slot> elsewhere(Slot self) const { return elsewhere_[index(self)]; }

  // For the tables. The entries of one kind of object follow one another, its own directory first.
  void begin(Slot self) { self_ = self; }
  void add(Slot slot, Entry entry);
  // A `power` directory and its nine files, in ten slots from `first`.
  void add_power(Slot directory, Slot first, Part part);

 private:
  Schema();
  Slot self_ = Slot::none;
  std::vector<Entry> entries_;
  std::vector<std::vector<Slot>> children_;
  std::vector<std::array<std::vector<Slot>, kParts>> parts_;
  std::vector<std::vector<Slot>> elsewhere_;
};

}  // namespace mdevfs::model
