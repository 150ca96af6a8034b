// SPDX-License-Identifier: Apache-2.0
//
// A kernel module as /sys/module shows it: mdev itself, and one for each backend. Only what its users read is
// there; `notes` and `sections` are empty.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "object.h"

namespace mdevfs::model {

class Schema;
void define_module(Schema& schema);

struct ModuleParameter {
  std::string name;
  std::string text;  // with its newline; what is written replaces it
  mode_t mode = 0444;
};

struct ModuleInfo {
  std::string name;
  unsigned coresize = 16384;
  std::string taint = "OE";     // of a module from outside the kernel's own tree
  std::string version = {};     // empty: the file is not there
  std::string srcversion = {};  // empty: the file is not there
  std::vector<ModuleParameter> parameters = {};
  bool uses_mdev = true;       // it is one of mdev's holders, and needs it and vfio
  std::string import_ns = {};  // empty: the file is not there
  std::string farewell = {};   // what its exit function prints at its end; empty: nothing
};

// Thread-safety: as Object.
class Module final : public Object {
 public:
  static constexpr Part kDrivers = 1;     // `drivers`, of a module that has one
  static constexpr Part kVersion = 2;     // `version`
  static constexpr Part kSrcversion = 3;  // `srcversion`
  static constexpr Part kParameters = 4;  // `parameters`
  static constexpr Part kHolder = 5;      // the link in module/mdev/holders
  static constexpr Part kImportNs = 6;    // `import_ns`

  Module(Core& owner, ModuleInfo module_info);
  Slot self() const override { return Slot::module_directory; }
  std::string name() const override { return info.name; }
  Members* members(Slot slot) override;
  const ExtraEntries* extra() const override { return &parameters_; }
  std::size_t holders() const REQUIRES_SHARED(kernfs_rwsem) { return holders_.size(); }

  const ModuleInfo info;
  // Its `add` has been announced, so that its `remove` will be.
  std::atomic<bool> announced{false};
  // It is being unloaded: no more vfio descriptors of its devices.
  bool going GUARDED_BY(vfio_lock) = false;

 private:
  ExtraEntries parameters_;
  Members holders_;
  Members drivers_;
};

}  // namespace mdevfs::model
