// SPDX-License-Identifier: Apache-2.0
#include "loaded_functions.h"

#include "../values.h"

namespace mdevfs::backends::pci {

LoadedFunctions::LoadedFunctions(model::Core& core, std::shared_ptr<model::Module> mdev_module,
                                 std::shared_ptr<model::Module> host_module, std::shared_ptr<Driver> driver)
    : LoadedOnBus(core, std::move(mdev_module)), bus_(Bus::of(core)) {
  bus_driver_ = std::move(driver);
  host_module_ = std::move(host_module);
}

model::Result<std::string> LoadedFunctions::plug_function(const Identity& identity, const Values& values,
                                                          const std::string& name) {
  const Reader read(values, function_keys(), name);
  const auto function = bus_->plug(identity, read.text("path"), read.text("iommu_group"));
  if (!function) return std::unexpected(function.error());
  return (*function)->name();
}

void LoadedFunctions::unplug(const std::string& device) {
  if (const auto address = parse_address(device)) bus_->unplug(*address);
}

}  // namespace mdevfs::backends::pci
