// SPDX-License-Identifier: Apache-2.0
//
// Registering and unregistering parents, and creates and removes against it.
#include <thread>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

TEST_CASE("unregistering waits for a create, and lets nobody else begin") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto create_file = bench.find(Bench::kParent + "/mdev_supported_types/slow-a/create");
  bench.driver->at_probe.close();
  int created = -1;
  std::thread creator([&] { created = bench.create(uuid(2)); });
  REQUIRE(bench.driver->at_probe.wait_for(1));
  std::thread unregister([&] { bench.core.unregister_parent(*bench.parent); });
  while (bench.parent->unreg_sem.try_down_read())
    bench.parent->unreg_sem.up_read();  // until it has begun to wait
  CHECK(bench.create(uuid(3)) == ENODEV);
  std::this_thread::yield();  // EUSERS or a probe until it has begun to wait
  CHECK(bench.create("zzz") == EINVAL);
  CHECK(bench.create(uuid(1)) == EEXIST);
  CHECK(bench.exists("class/mdev_bus/slow"));
  CHECK(bench.remove(uuid(1)) == ENODEV);
  CHECK_FALSE(bench.exists(Bench::kParent + "/" + uuid(1) + "/remove"));
  CHECK(bench.exists(Bench::kParent + "/" + uuid(1) + "/uevent"));
  bench.driver->at_probe.open();
  creator.join();
  unregister.join();
  CHECK(created == 0);
  CHECK(bench.names("bus/mdev/devices").empty());
  CHECK(bench.names(Bench::kParent) == "uevent power subsystem");
  CHECK_FALSE(bench.exists("class/mdev_bus/slow"));
  CHECK(Bench::store(create_file, uuid(4)) == ENODEV);
}

TEST_CASE("while devices go, the types are there and those not reached yet are whole") {
  Bench bench;
  for (unsigned n = 1; n <= 3; ++n) REQUIRE(bench.create(uuid(n)) == 0);
  bench.driver->at_remove.close();
  std::thread unregister([&] { bench.core.unregister_parent(*bench.parent); });
  REQUIRE(bench.driver->at_remove.wait_for(1));
  CHECK(bench.names(Bench::kParent + "/" + uuid(1)).empty());  // in the order of their creation
  CHECK(bench.exists(Bench::kParent + "/" + uuid(2) + "/mdev_type"));
  CHECK_FALSE(bench.exists("class/mdev_bus/slow"));
  CHECK(bench.available() == "0\n");
  CHECK(bench.create(uuid(3)) == EEXIST);
  CHECK(bench.create(uuid(9)) != 0);
  CHECK(bench.remove(uuid(3)) == ENODEV);
  bench.driver->at_remove.open();
  unregister.join();
  CHECK(bench.driver->removes == 3);
  CHECK_FALSE(bench.exists(Bench::kParent + "/mdev_supported_types"));
}

TEST_CASE("a new registration is fresh, and what is held of the old one stays dead") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto old = bench.find(Bench::kParent + "/mdev_supported_types/slow-a/create");
  bench.core.unregister_parent(*bench.parent);
  bench.register_parent();
  CHECK(bench.available() == "3\n");
  CHECK(Bench::store(old, uuid(1)) == ENODEV);
  CHECK(bench.create(uuid(1)) == 0);
}

TEST_CASE("registering what cannot be registered changes nothing") {
  Bench bench;
  CHECK(bench.core.register_parent(bench.device, bench.driver, {{"c", ""}}).error() == model::Errno{ENOMEM});
  const auto other = *bench.core.add_parent_device(*bench.module, bench.device_class, "other");
  CHECK(bench.core.register_parent(other, bench.driver, {{"c", ""}, {"c", ""}}).error() ==
        model::Errno{EEXIST});
  CHECK(bench.names("devices/virtual/slow/other") == "uevent power subsystem");
  CHECK(bench.core.register_parent(other, bench.driver, {{"c", ""}}).has_value());
  CHECK(bench.core.add_parent_device(*bench.module, bench.device_class, "other").error() ==
        model::Errno{EEXIST});
}

TEST_CASE("of two parents of one name the second has no link and takes the first's away") {
  Bench bench;
  const auto other_class = bench.core.add_class(*bench.module, "other").value();
  const auto twin = *bench.core.add_parent_device(*bench.module, other_class, "slow");
  const auto registered = *bench.core.register_parent(twin, bench.driver, {{"c", ""}});
  CHECK(bench.core.tree().readlink(bench.find("class/mdev_bus/slow")) == "../../devices/virtual/slow/slow");
  CHECK(bench.exists("devices/virtual/other/slow/mdev_supported_types/other-c/name"));
  bench.core.unregister_parent(*registered);
  CHECK_FALSE(bench.exists("class/mdev_bus/slow"));
  CHECK(bench.create(uuid(1)) == 0);
}

TEST_CASE("unloading a module takes everything of it away, live devices included") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto held = bench.find(Bench::kParent + "/uevent");
  bench.core.unload_module(*bench.module);
  CHECK(bench.names("devices/virtual").empty());
  CHECK(bench.names("bus/mdev/drivers").empty());
  CHECK(bench.names("module") == "mdev");
  CHECK(bench.show("module/mdev/refcnt") == "0\n");
  CHECK_FALSE(bench.exists("class/slow"));
  CHECK(Bench::store(held, "add") == ENODEV);
  CHECK(bench.core.device_count() == 0);
}
