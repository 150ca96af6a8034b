// SPDX-License-Identifier: Apache-2.0
//
// The table of backends that there are, this build's and plugins': each one a kernel module's worth of
// emulated hardware, with the keys that it is described by. The same keys are parameters of a module, files
// of an item under kernel/config/mdevfs, and arguments of `mdevfs load`.
//
// mdevfs-backend(3) is the reference of all that a backend is made of. What a backend's functions return is
// an errno that reaches the client; they throw nothing.
#pragma once

#include <deque>
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

// What the values of a key are; called as the function that it mostly is.
struct Check {
  // How a file format that knows numbers writes them. `octal`: as a mode, so that 444 is no way to write
  // 0444.
  enum class Number { none, decimal, octal };

  // The value as it is kept, of a text as written. EINVAL: there is no such value. Any thread, several at
  // once, with a descriptor's lock held; does not block.
  model::Result<std::string> (*take)(std::string_view text);
  std::string (*expected)();  // for a sentence: "a number from 1 to 4095"
  Number number = Number::none;

  model::Result<std::string> operator()(std::string_view text) const { return take(text); }
};

struct Key {
  std::string_view name;
  std::string_view otherwise;  // the value without one; `kItemName` is the name of the item that has the key
  std::string_view summary;
  Check check;
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

// What is wrong with settings of which every value has passed its check. Without a key it is about the item,
// without an item about the group, without a group about the unit.
struct Complaint {
  std::string group;
  std::string item;
  std::string key;
  std::string what;  // a sentence
};

// A module that is loaded. Its parents may come and go one by one, where the backend can do that: they are
// then the items of its group `kParents`. Thread-safety: all functions from any thread.
class Loaded {
 public:
  explicit Loaded(std::shared_ptr<model::Module> its_module) : module(std::move(its_module)) {}
  virtual ~Loaded() = default;
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  // The four that change something are called for several parents at once, never while the unit comes or
  // goes, and may block; of the model's locks the unit's Rank::plug is held. EPERM: parents come and go with
  // the module. The two that ask may be called at any time, with no lock of the model held, and do not block.
  //
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
  // The unit's settings have items, in another group than that of the parents, that they had not when it was
  // loaded: types of a card that a parent names which comes now. False: it cannot take more.
  virtual bool learn(const Settings&) { return false; }
  // The module's exit function; then what of the hardware came with it.
  virtual void unload(model::Core& core);

  const std::shared_ptr<model::Module> module;
};
inline constexpr std::string_view kParents = "parents";
// The key of such an item that names a card: a file with values for the rest of its keys, and types.
inline constexpr std::string_view kCard = "card";
// The flag among the keys of such a backend that there is to be no parent where none is described.
inline constexpr std::string_view kStartEmpty = "start_empty";

struct Backend {
  std::string_view name;     // as in --backend NAME, and the kernel module's name
  std::string_view summary;  // one line for `mdevfs backends`
  std::span<const Key> keys;
  std::span<const Group> groups;
  bool complete = true;     // works without any key set
  bool by_default = false;  // is there unless others are asked for
  // The item of its group kParents that there is where none is described.
  std::string_view first_parent = kItemName;
  // Loads the module and registers its parents; nothing is left of it where that fails. EINVAL: a value.
  // EEXIST: it is loaded already, or what register_parent says. ENOENT: mdev or vfio is not. Any thread, for
  // several units at once; of the locks of a model only one unit's are held. May block.
  model::Result<std::shared_ptr<Loaded>> (*load)(model::Core& core, const Settings& settings);
  // What load() would refuse them for. May be null: nothing.
  std::vector<Complaint> (*check)(const Settings& settings) = nullptr;
};

// Grows only while the program starts, before it has a second thread; a backend stays where it is.
const std::deque<Backend>& all();
const Backend* find(std::string_view name);
const Backend& add(Backend backend);

}  // namespace mdevfs::backends
