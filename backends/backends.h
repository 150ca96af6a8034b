// SPDX-License-Identifier: Apache-2.0
//
// The table of backends that this build has: each one a kernel module's worth of emulated hardware, with the
// keys that it is described by. The same keys are parameters of a module, files of an item under
// kernel/config/mdevfs, and arguments of `mdevfs load`.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/errno.h"

namespace mdevfs::model {
class Core;
class Module;
}  // namespace mdevfs::model

namespace mdevfs::backends {

struct Key {
  std::string_view name;
  std::string_view otherwise;  // the value without one; `kItemName` is the name of the item that has the key
  std::string_view summary;
  // The value as it is kept. EINVAL: there is no such value.
  model::Result<std::string> (*check)(std::string_view text);
};
inline constexpr std::string_view kItemName = "%item";

// Things of which there can be any number, each with these keys: a directory in which mkdir makes one.
struct Group {
  std::string_view name;
  std::string_view summary;
  std::span<const Key> keys;
};

using Values = std::map<std::string, std::string, std::less<>>;

// What a unit is to be. Keys that are not there have their `otherwise`.
struct Settings {
  std::string name;
  Values values = {};
  std::map<std::string, std::vector<std::pair<std::string, Values>>, std::less<>> items = {};  // by group
};

// A module that is loaded. Its parents may come and go one by one, where the backend can do that: they are
// then the items of its group `kParents`. Thread-safety: all functions from any thread.
class Loaded {
 public:
  explicit Loaded(std::shared_ptr<model::Module> its_module) : module(std::move(its_module)) {}
  virtual ~Loaded() = default;
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  // Adds the parent's device. EEXIST: there is one of that name in its class.
  virtual model::Result<void> add_parent(const std::string& name, const Values& values);
  // Adds the device where it is not there, and registers it. EEXIST: there is another device of that
  // name, or two types of one name. ENOMEM: it is registered already. EINVAL: it names a type that is not
  // there.
  virtual model::Result<void> register_parent(const std::string& name, const Values& values);
  // Waits as the kernel does; the device stays. ENODEV: it is not registered.
  virtual model::Result<void> unregister_parent(const std::string& name);
  // Takes the device away. EBUSY: it is registered.
  virtual model::Result<void> remove_parent(const std::string& name);
  virtual bool has_parent(const std::string& name);
  virtual bool is_registered(const std::string& name);

  const std::shared_ptr<model::Module> module;
};
inline constexpr std::string_view kParents = "parents";
// The flag among the keys of such a backend that there is to be no parent where none is described.
inline constexpr std::string_view kStartEmpty = "start_empty";

struct Backend {
  std::string_view name;     // as in --backend NAME, and the kernel module's name
  std::string_view summary;  // one line for `mdevfs backends`
  std::span<const Key> keys;
  std::span<const Group> groups;
  bool complete = true;  // works without any key set; such a one is there unless others are asked for
  // Loads the module and registers its parents; nothing is left of it where that fails. EINVAL: a value.
  // EEXIST: it is loaded already, or what register_parent says. Unloading is the core's.
  model::Result<std::shared_ptr<Loaded>> (*load)(model::Core& core, const Settings& settings);
};

std::span<const Backend> all();
const Backend* find(std::string_view name);

}  // namespace mdevfs::backends
