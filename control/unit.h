// SPDX-License-Identifier: Apache-2.0
//
// A unit of emulated hardware: an item of kernel/config/mdevfs with the files
//
//   backend        its kind, from `mdevfs backends`; with it come the files of that backend's settings
//   live           1 loads it and registers its parents; 0 unregisters them, waiting as the kernel does, and
//                  unloads it; `unload` does that as rmmod does: not while a vfio descriptor is open
//   parent_names   what came of it: the parents that are registered, a line each
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backends.h"
#include "control.h"
#include "model/configfs.h"
#include "model/core.h"

namespace mdevfs::control {

class KeyFiles;
class GroupDirectory;

// Thread-safety: all functions from any thread.
class Unit final : public model::ConfigItem {
 public:
  Unit(model::Core& owner, std::shared_ptr<model::ConfigItem> in, std::string name, Complete complete);

  // EBUSY: it is live. ENOENT: there is no such backend.
  model::Result<void> set_backend(std::string_view name) EXCLUDES(lock_);
  std::string backend_name() const EXCLUDES(lock_);
  // Makes the items and sets the keys, as a client would that makes directories and writes to files. EINVAL:
  // a value, or a key or a group that the backend does not have. EEXIST: an item is there already. EBUSY: it
  // is live.
  model::Result<void> describe(const backends::Settings& settings) EXCLUDES(lock_);

  // EINVAL: it has no backend, or it cannot be completed. EEXIST: it is live. EBUSY: it is on its way, or its
  // driver's name is taken. Otherwise what Backend::load says.
  model::Result<void> go_live() EXCLUDES(lock_, plug_);
  // Wait for what the kernel waits for. No effect where it is not live. EBUSY: it is on its way.
  model::Result<void> go_off() EXCLUDES(lock_, plug_) { return leave(Leave::wait); }
  // EAGAIN: a vfio descriptor of one of its devices is open.
  model::Result<void> unload() EXCLUDES(lock_, plug_) { return leave(Leave::try_only); }
  bool is_live() const EXCLUDES(lock_);
  bool is_off() const EXCLUDES(lock_);

  // What came of it; null: nothing.
  std::shared_ptr<backends::Loaded> loaded() const EXCLUDES(lock_);
  // One of its parents: as Loaded has it. ENODEV: the unit is not live. EINVAL: it cannot be completed.
  model::Result<void> add_parent(const std::string& name, const backends::Values& values)
      EXCLUDES(lock_, plug_);
  model::Result<void> register_parent(const std::string& name, const backends::Values& values)
      EXCLUDES(lock_, plug_);
  model::Result<void> unregister_parent(const std::string& name) EXCLUDES(lock_, plug_);
  model::Result<void> remove_parent(const std::string& name) EXCLUDES(lock_, plug_);

  // Takes it out of the tree. EBUSY: it is live.
  model::Result<void> take_away() EXCLUDES(lock_);
  // The same for the end of everything, live or not; what is live stays loaded.
  void end() EXCLUDES(lock_);

  // One line in the log: why a file refused.
  void explain(std::string_view why) const;

 private:
  // Between off and live, and while its files change (nothing vanishes under a lock: a file that goes is
  // waited for, and who is inside may want the lock), it is on its way.
  enum class State { off, changing, coming, live, going, gone };
  struct SettingsFiles {
    const backends::Backend* backend = nullptr;
    std::shared_ptr<KeyFiles> keys = nullptr;
    std::vector<std::shared_ptr<GroupDirectory>> groups = {};
  };
  enum class Leave { wait, try_only };
  using Plug = model::Result<void> (backends::Loaded::*)(const std::string&, const backends::Values&);
  model::Result<void> plug_in(Plug step, const std::string& name, const backends::Values& values)
      EXCLUDES(lock_, plug_);
  model::Result<void> leave(Leave how) EXCLUDES(lock_, plug_);
  model::Result<backends::Settings> begin_coming() EXCLUDES(lock_);
  model::Result<backends::Settings> completed(const backends::Backend& backend,
                                              backends::Settings settings) const EXCLUDES(lock_);
  model::Result<backends::Values> completed_parent(const std::string& name, const backends::Values& values)
      EXCLUDES(lock_);
  backends::Settings settings() const REQUIRES(lock_);
  bool starts_empty() const REQUIRES(lock_);
  model::Result<SettingsFiles> begin_change(State next, std::string_view what) EXCLUDES(lock_);
  void take_away(SettingsFiles& files) EXCLUDES(lock_);

  // Over the coming and going of one parent (shared) against that of the whole unit.
  model::SharedMutex plug_{model::Rank::plug};
  mutable model::Mutex lock_{model::Rank::control};
  State state_ GUARDED_BY(lock_) = State::off;
  SettingsFiles files_ GUARDED_BY(lock_);
  std::shared_ptr<backends::Loaded> loaded_ GUARDED_BY(lock_);
  std::set<std::string> loaded_items_ GUARDED_BY(lock_);  // of its groups but the parents: GROUP/ITEM
  const Complete complete_;
};

}  // namespace mdevfs::control
