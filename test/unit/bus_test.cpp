// SPDX-License-Identifier: Apache-2.0
//
// Buses of parent devices and their drivers, coming and going.
#include <thread>

#include "catch.h"
#include "probe_driver.h"
#include "slow_bus_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

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
  driver->removes.close();
  std::thread remover([&] { machine.core.remove_bus_driver(*driver); });
  REQUIRE(driver->removes.wait_for(1));
  CHECK(machine.exists("bus/toy/drivers/slow/bound"));
  CHECK_FALSE(machine.exists("bus/toy/drivers/slow/bind"));
  CHECK(machine.store("bus/toy/drivers_probe", "loose") == 0);
  CHECK(loose->driver() == nullptr);
  driver->removes.open();
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
