// SPDX-License-Identifier: Apache-2.0
//
// The drivers of the module vfio_ap: the mdev driver (vfio_ap_ops.c), the one that takes queues from the
// host, and the one of the device `matrix`, which has no bus of its own kind (vfio_ap_drv.c).
#pragma once

#include <memory>

#include "ap_bus.h"
#include "model/driver.h"

namespace mdevfs::backends::ap {

// vfio_ap_mdev. Thread-safety: as Driver.
class MdevDriver final : public model::Driver {
 public:
  MdevDriver(model::Core& owner, std::shared_ptr<model::Module> its_module,
             std::shared_ptr<Ownership> its_ownership, unsigned max_instances, bool has_ap_config);

  model::Result<void> probe(model::Device& device) override {
    ownership->add(device);
    return {};
  }
  void remove(model::Device& device) noexcept override { ownership->remove(device); }

  const std::shared_ptr<Ownership> ownership;
};

// The driver vfio_ap on the bus ap: queues that mediated devices may have. Thread-safety: as BusDriver.
class PassthroughQueueDriver final : public ApDriver {
 public:
  PassthroughQueueDriver(model::Core& owner, std::shared_ptr<ApBus> its_bus,
                         std::shared_ptr<model::Module> its_module)
      : ApDriver(owner, std::move(its_bus), std::move(its_module), "vfio_ap", true, false) {}

 protected:
  std::span<const model::HostAttribute> files_for(ApDevice& device) const override;
  void bound(ApDevice& device) override;
  void unbinding(ApDevice& device) override;
};

// The driver vfio_ap on the bus matrix, which stands for the module: nobody binds or unbinds it.
// Thread-safety: as BusDriver.
class MatrixDriver final : public model::BusDriver {
 public:
  MatrixDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus,
               std::shared_ptr<model::Module> its_module)
      : BusDriver(owner, std::move(its_bus), std::move(its_module), "vfio_ap") {}
  bool has_bind_files() const override { return false; }
  bool matches(const model::HostDevice&) const override { return true; }
  model::Result<void> probe(model::HostDevice&) override { return {}; }
  // The kernel's module has unregistered the parent by now; a core that ends has not.
  void remove(model::HostDevice&) noexcept override {
    if (parent) core.unregister_parent(*parent);
  }

  std::shared_ptr<model::Parent> parent;  // set once, before anybody can ask for the driver's end
};

// devices/vfio_ap/matrix. Thread-safety: as HostDevice.
class MatrixDevice final : public model::HostDevice {
 public:
  MatrixDevice(model::Core& owner, std::shared_ptr<model::Bus> bus, std::shared_ptr<HostDevice> root,
               bool has_ap_config);
};

// A device that root_device_register() makes in devices. Thread-safety: as HostDevice.
class RootDevice final : public model::HostDevice {
 public:
  // Without a module it is part of the kernel.
  RootDevice(model::Core& owner, std::string name, std::shared_ptr<model::Module> its_module);

  const std::shared_ptr<model::Module> module;
};

}  // namespace mdevfs::backends::ap
