// SPDX-License-Identifier: Apache-2.0
//
// mtty, the kernel's sample of a serial port card (samples/vfio-mdev/mtty.c): 24 ports for the whole module,
// a device takes one or two. It counts them itself and refuses in probe; on old kernels it does not refuse.
#include "mtty.h"

#include <fmt/format.h>

#include "../sample.h"

namespace mdevfs::backends {
namespace {

constexpr int kPorts = 24;  // MAX_MTTYS

int ports_of(const model::Type& type) {
  return static_cast<int>(type.number) + 1;
}

model::Result<std::string> show_sample_mdev_dev(model::Device& device) {
  return fmt::format("This is MDEV {}\n", device.name());
}

model::DriverInfo driver_info() {
  return {.name = "mtty",
          .device_api = "vfio-pci",
          .uses_vfio = true,
          .counts_itself = true,
          .waits = false,
          .groups = {{"vendor", {{.name = "sample_mdev_dev", .show = show_sample_mdev_dev}}}},
          .parent_files = {{.name = "sample_mtty_dev",
                            .text = "This is phy device\n",
                            .group = "mtty_dev",
                            .part = model::HostDevice::kParentGroups}}};
}

// Thread-safety: as Driver.
class Mtty final : public model::Driver {
 public:
  Mtty(model::Core& owner, std::shared_ptr<model::Module> owner_module)
      : Driver(owner, std::move(owner_module), driver_info()) {}

  model::Result<void> probe(model::Device& device) override {
    const model::Lock lock(lock_);
    const int wanted = ports_of(*device.type);
    if (free_ports_ < wanted && core.age().mtty_refuses) return model::fail(ENOSPC);
    free_ports_ -= wanted;
    return {};
  }

  void remove(model::Device& device) noexcept override {
    const model::Lock lock(lock_);
    free_ports_ += ports_of(*device.type);
  }

  std::optional<unsigned> get_available(const model::Type& type) override {
    const model::Lock lock(lock_);
    return static_cast<unsigned>(free_ports_ / ports_of(type));
  }

 private:
  model::Mutex lock_{model::Rank::backend};
  int free_ports_ GUARDED_BY(lock_) = kPorts;
};

model::Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings&) {
  return load_sample<Mtty>(core,
                           {.name = "mtty",
                            .coresize = 24576,
                            .version = "0.1",
                            .srcversion = "43B83662CF2A38CCDEE7D52",
                            .farewell = "mtty_dev: Unloaded!"},
                           {"mtty_dev: mtty_dev_init", "major_number:{}"},
                           {{"1", "Single port serial"}, {"2", "Dual port serial"}});
}

}  // namespace

Backend mtty() {
  return {.name = "mtty",
          .summary = "serial ports: 24 in all, one or two to a device (the kernel's sample)",
          .keys = {},
          .groups = {},
          .complete = true,
          .by_default = true,
          .load = load};
}

}  // namespace mdevfs::backends
