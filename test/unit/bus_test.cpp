// SPDX-License-Identifier: Apache-2.0
//
// Buses of parent devices and their drivers, coming and going.
#include <thread>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

// Takes every device; its remove stands still until the test lets it go on. Thread-safety: as BusDriver.
class SlowBusDriver final : public model::BusDriver {
 public:
  SlowBusDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus)
      : BusDriver(owner, std::move(its_bus), nullptr, "slow") {}
  bool matches(const model::HostDevice&) const override { return true; }
  model::Result<void> probe(model::HostDevice&) override { return {}; }
  void remove(model::HostDevice&) noexcept override { at_remove.pass(); }

  Latch at_remove;
};

}  // namespace

TEST_CASE("a driver that is going takes no more devices, and its bus can go after it") {
  Machine machine;
  const auto bus = machine.core.add_bus(machine.core.make<model::Bus>("toy"));
  const auto driver = machine.core.make<SlowBusDriver>(bus);
  machine.core.add_bus_driver(driver).value();
  const auto add = [&](const char* name, bool probe) {
    const auto device = machine.core.make<model::HostDevice>(model::HostDeviceInfo{.name = name, .bus = bus});
    machine.core.add_host_device(device, probe).value();
    return device;
  };
  const auto bound = add("bound", true);
  const auto loose = add("loose", false);
  driver->at_remove.hold();
  std::thread remover([&] { machine.core.remove_bus_driver(*driver); });
  driver->at_remove.wait_for(1);
  CHECK(machine.exists("bus/toy/drivers/slow/bound"));
  CHECK_FALSE(machine.exists("bus/toy/drivers/slow/bind"));
  CHECK(machine.store("bus/toy/drivers_probe", "loose") == 0);
  CHECK(loose->driver() == nullptr);
  driver->at_remove.open();
  remover.join();
  CHECK_FALSE(machine.exists("bus/toy/drivers/slow"));
  CHECK(bound->driver() == nullptr);
  machine.core.remove_bus_driver(*driver);  // once is enough
  machine.core.remove_host_device(*bound);
  machine.core.remove_host_device(*loose);
  machine.core.remove_bus(*bus);
  CHECK_FALSE(machine.exists("bus/toy"));
  CHECK(machine.core.add_bus(machine.core.make<model::Bus>("toy")) != bus);
}
