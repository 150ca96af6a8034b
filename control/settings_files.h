// SPDX-License-Identifier: Apache-2.0
//
// A unit's settings as files: one a key of its backend, and a directory for each of its groups, with an item
// for each thing in it, with a file a key again. All of them refuse to change while the unit is live (EBUSY),
// and say in the log what is wrong with a value (EINVAL).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backends/backends.h"
#include "model/configfs.h"
#include "model/core.h"

namespace mdevfs::control {

class Unit;
class GroupDirectory;

// The files of a backend's own keys in the unit's directory. Thread-safety: as Object.
class KeyFiles final : public model::ConfigAttributes {
 public:
  KeyFiles(model::Core& owner, std::shared_ptr<Unit> unit, const backends::Backend& backend);
  // What the files say.
  backends::Values values() const EXCLUDES(model::kernfs_rwsem);
  // EINVAL: there is no such key, or no such value.
  model::Result<void> set(const backends::Values& values);

  Unit& unit() const { return *unit_; }
  const backends::Backend& backend;

 private:
  const std::shared_ptr<Unit> unit_;
};

// A thing of a group. Parents have two more files: `device`, is its device there (1 adds it, 0 takes it
// away), and `live`, is it registered (1 does both, 0 leaves the device). Thread-safety: as Object.
class GroupItem final : public model::ConfigItem {
 public:
  GroupItem(model::Core& owner, std::shared_ptr<GroupDirectory> in, std::string name);
  backends::Values values() const EXCLUDES(model::kernfs_rwsem);
  model::Result<void> set(const backends::Values& values);  // as KeyFiles has it
  GroupDirectory& directory() const { return *directory_; }

 private:
  const std::shared_ptr<GroupDirectory> directory_;
};

// A group. Thread-safety: as Object; make_item and drop_item from any thread.
class GroupDirectory final : public model::ConfigItem {
 public:
  GroupDirectory(model::Core& owner, std::shared_ptr<Unit> unit, const backends::Group& group);

  model::Result<void> make_item(std::string_view name) override;
  model::Result<void> drop_item(std::string_view name) override;
  // make_item with the values.
  model::Result<void> add(const std::string& name, const backends::Values& values) EXCLUDES(lock_);
  // In the order in which they were made.
  std::vector<std::shared_ptr<GroupItem>> items() const EXCLUDES(lock_);
  void take_away() EXCLUDES(lock_);  // with all items

  bool is_parents() const { return group.name == backends::kParents; }
  Unit& unit() const { return *unit_; }
  const backends::Group& group;

 private:
  model::Result<std::shared_ptr<GroupItem>> make(std::string_view name) EXCLUDES(lock_);

  const std::shared_ptr<Unit> unit_;
  mutable model::Mutex lock_{model::Rank::group};
  std::vector<std::shared_ptr<GroupItem>> items_ GUARDED_BY(lock_);
  bool gone_ GUARDED_BY(lock_) = false;  // a mkdir may come late
};

}  // namespace mdevfs::control
