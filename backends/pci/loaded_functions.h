// SPDX-License-Identifier: Apache-2.0
//
// A unit whose parents are PCI functions of one make: a module with their PCI driver, one with the mdev
// driver, and the functions in their slots.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "../bus_parents.h"
#include "../types.h"
#include "bus.h"

namespace mdevfs::backends::pci {

// Thread-safety: as Loaded.
class LoadedFunctions : public LoadedOnBus {
 public:
  LoadedFunctions(model::Core& core, std::shared_ptr<model::Module> mdev_module,
                  std::shared_ptr<model::Module> host_module, std::shared_ptr<Driver> driver);

 protected:
  // The rest of plug(): the function in its slot, as `path` and `iommu_group` among the values say.
  model::Result<std::string> plug_function(const Identity& identity, const Values& values,
                                           const std::string& name);
  void unplug(const std::string& device) override;

 private:
  const std::shared_ptr<Bus> bus_;
};

// Loads both modules, adds both drivers and registers the parents; nothing is left of it where that fails.
// `Unit` is made with the core, both modules, the PCI driver and the settings.
template <typename MdevDriver, typename PciDriver, typename Unit>
model::Result<std::shared_ptr<Loaded>> load_functions(model::Core& core, const Settings& settings,
                                                      model::ModuleInfo host_info,
                                                      model::ModuleInfo mdev_info) {
  std::ignore = Bus::of(core);
  const auto host_module = core.load_module(std::move(host_info));
  if (!host_module) return std::unexpected(host_module.error());
  const auto mdev_module = core.load_module(std::move(mdev_info));
  if (!mdev_module) {
    core.unload_module(**host_module);
    return std::unexpected(mdev_module.error());
  }
  const auto mdev_driver = core.make<MdevDriver>(*mdev_module);
  const auto driver = core.make<PciDriver>(*host_module, mdev_driver);
  const auto unit = std::make_shared<Unit>(core, *mdev_module, *host_module, driver, settings);
  auto done = core.add_driver(mdev_driver);
  if (done) done = core.add_bus_driver(driver);
  for (const auto& [name, values] : items_of(settings, kParents)) {
    if (done) done = unit->register_parent(name, values);
  }
  if (!done) {
    unit->unload(core);
    return std::unexpected(done.error());
  }
  core.module_loaded(**host_module);
  core.module_loaded(**mdev_module);
  return unit;
}

}  // namespace mdevfs::backends::pci
