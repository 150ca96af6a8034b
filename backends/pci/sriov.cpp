// SPDX-License-Identifier: Apache-2.0
//
// Virtual functions coming and going (drivers/pci/iov.c). All of it happens under the physical function's
// lock.
#include <fmt/format.h>

#include "bus.h"
#include "model/uevent.h"

namespace mdevfs::backends::pci {
namespace {

using model::fail;
using model::Result;

// virtfn_add: its ids are its physical function's, but for the device; its BARs are parts of theirs.
Identity identity_of_virtual(const Function& physical, unsigned number) {
  Identity identity = physical.identity;
  const Sriov sriov = std::exchange(identity.sriov, Sriov{});
  identity.address.routing_id =
      static_cast<std::uint16_t>(identity.address.routing_id + sriov.offset + sriov.stride * number);
  identity.attributes = sriov.attributes;
  if (sriov.device != 0) identity.device = sriov.device;
  identity.irq = 0;
  identity.config.clear();
  identity.resources = {};
  for (std::size_t bar = 0; bar < 6; ++bar) {
    const Resource& all = physical.identity.resources[7 + bar];
    if (all.flags == 0) continue;
    const auto size = (all.end - all.start + 1) / physical.identity.sriov.total;
    identity.resources[bar] = {all.start + number * size, all.start + (number + 1) * size - 1, all.flags};
  }
  return identity;
}

// pci_iov_add_virtfn.
Result<void> add_virtual_function(Function& physical, unsigned number) REQUIRES(physical.device_lock) {
  model::Core& core = physical.core;
  auto function = core.make<Function>(
      Function::Place{physical.place.bus, physical.place.above,
                      std::static_pointer_cast<Function>(physical.shared_from_this()), number},
      identity_of_virtual(physical, number));
  if (physical.iommu_group) function->iommu_group = core.add_iommu_group();
  if (const auto added = core.add_host_device(function, false); !added) return added;
  physical.virtual_functions.push_back(function);
  model::announce({function.get(), model::Slot::host_device_directory}, "change");
  if (physical.sriov_drivers_autoprobe) core.probe_host_device(*function);
  return {};
}

}  // namespace

void remove_virtual_functions(Function& function) {
  for (const auto& virtual_function : std::exchange(function.virtual_functions, {})) {
    if (const auto gone = virtual_function.lock()) function.core.remove_host_device(*gone);
  }
}

void remove_function(Function& function) {
  const auto keep = function.shared_from_this();
  {
    const model::Lock lock(function.device_lock);
    remove_virtual_functions(function);
  }
  function.core.remove_host_device(function);
}

Result<void> set_virtual_functions(Function& function, unsigned count) {
  const model::Lock lock(function.device_lock);
  if (function.dead) return fail(ENODEV);
  const auto present = function.virtual_functions.size();
  if (count == present) return {};
  const auto driver = std::static_pointer_cast<Driver>(function.driver());
  if (!driver || !driver->configures_sriov()) {
    function.print(model::Level::info, driver ? "driver does not support SR-IOV configuration via sysfs"
                                              : "no driver bound to device; cannot configure SR-IOV");
    return fail(ENOENT);
  }
  if (count == 0) {
    remove_virtual_functions(function);
    return {};
  }
  if (present != 0) {
    function.print(model::Level::warning,
                   fmt::format("{} VFs already enabled. Disable before enabling {} VFs", present, count));
    return fail(EBUSY);
  }
  for (unsigned number = 0; number < count; ++number) {
    if (const auto added = add_virtual_function(function, number); !added) {
      remove_virtual_functions(function);
      return added;
    }
  }
  model::announce({&function, model::Slot::host_device_directory}, "change");
  return {};
}

}  // namespace mdevfs::backends::pci
