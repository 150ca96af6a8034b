// SPDX-License-Identifier: Apache-2.0
//
// Creating, removing, unbinding one after another: the order of the checks, the errnos, what stays.
#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

TEST_CASE("the form of the UUID is checked before its use, and its use before the count") {
  Bench bench(1);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(bench.available() == "0\n");
  CHECK(bench.create("zzz") == EINVAL);
  CHECK(bench.create(uuid(1)) == EEXIST);
  CHECK(bench.create(uuid(1), "slow-b") == EEXIST);
  CHECK(bench.create(uuid(2)) == EUSERS);
  CHECK(bench.driver->probes == 1);
}

TEST_CASE("UUIDs are one over all parents, and case does not matter") {
  Bench bench;
  const auto* const mtty = backends::find("mtty");
  REQUIRE(mtty != nullptr);
  REQUIRE(mtty->load(bench.core, {}).has_value());
  REQUIRE(bench.create("abcdefab-0000-4000-8000-000000000001") == 0);
  const std::string create = "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create";
  CHECK(bench.store(create, "ABCDEFAB-0000-4000-8000-000000000001\n") == EEXIST);
}

TEST_CASE("a failing probe leaves nothing, and its errno passes as it is") {
  Bench bench;
  for (const int error : {EPERM, EIO, EINTR, ENODEV, ENOSPC, 512, 515, 524, 4095}) {
    bench.driver->probe_errno = error;
    CHECK(bench.create(uuid(1)) == error);
    CHECK(bench.available() == "3\n");
    CHECK(bench.names("bus/mdev/devices").empty());
    CHECK_FALSE(bench.exists(Bench::kParent + "/" + uuid(1)));
  }
  bench.driver->probe_errno = 517;
  CHECK(bench.create(uuid(1)) == EAGAIN);
  bench.driver->probe_errno = 0;
  CHECK(bench.create(uuid(1)) == 0);
}

TEST_CASE("zero is a successful remove that removes nothing, and nonsense leaves the file") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  const std::string remove = Bench::kParent + "/" + uuid(1) + "/remove";
  CHECK(bench.store(remove, "0") == 0);
  CHECK(bench.store(remove, "x") == EINVAL);
  CHECK(bench.store(remove, "18446744073709551616") == EINVAL);
  CHECK(bench.exists(remove));
  CHECK(bench.store(remove, "1") == 0);
  CHECK_FALSE(bench.exists(Bench::kParent + "/" + uuid(1)));
  CHECK(bench.available() == "3\n");
}

TEST_CASE("a descriptor on the remove of what is gone never reaches a device of the same UUID") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto old = bench.find(Bench::kParent + "/" + uuid(1) + "/remove");
  REQUIRE(Bench::store(old, "1") == 0);
  CHECK(Bench::store(old, "1") == ENODEV);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(Bench::store(old, "1") == ENODEV);
  CHECK(bench.exists(Bench::kParent + "/" + uuid(1)));
}

TEST_CASE("an unbound device keeps its place and can only be removed") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  const std::string device = Bench::kParent + "/" + uuid(1);
  CHECK(bench.store("bus/mdev/drivers/slow/unbind", uuid(1) + "\n\n") == ENODEV);
  CHECK(bench.store("bus/mdev/drivers/slow/unbind", uuid(2)) == ENODEV);
  REQUIRE(bench.store("bus/mdev/drivers/slow/unbind", uuid(1) + "\n") == 0);
  CHECK(bench.names(device) == "uevent power mdev_type subsystem remove");
  CHECK(bench.show(device + "/uevent").empty());
  CHECK(bench.names("kernel/iommu_groups").empty());
  CHECK_FALSE(bench.exists("devices/virtual/vfio"));
  CHECK(bench.available() == "2\n");
  CHECK(bench.store("bus/mdev/drivers/slow/unbind", uuid(1)) == ENODEV);
  CHECK(bench.store("bus/mdev/drivers/slow/bind", uuid(1)) == ENODEV);
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(1)) == 0);
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(2)) == ENODEV);
  CHECK_FALSE(bench.exists(device + "/driver"));
  REQUIRE(bench.remove(uuid(1)) == 0);
  CHECK(bench.available() == "3\n");
  CHECK(bench.driver->removes == 1);
}

TEST_CASE("iommu groups are numbered lowest free first") {
  Bench bench(3, true);
  for (unsigned n = 1; n <= 3; ++n) REQUIRE(bench.create(uuid(n)) == 0);
  REQUIRE(bench.remove(uuid(2)) == 0);
  REQUIRE(bench.create(uuid(4)) == 0);
  const auto group = bench.core.tree().readlink(bench.find(Bench::kParent + "/" + uuid(4) + "/iommu_group"));
  CHECK(group == "../../../../../kernel/iommu_groups/1");
  CHECK(bench.show("devices/virtual/vfio/1/uevent").ends_with("DEVNAME=vfio/1\n"));
}

TEST_CASE("mtty counts ports and refuses in probe") {
  Bench bench;
  REQUIRE(backends::find("mtty")->load(bench.core, {}).has_value());
  const std::string types = "devices/virtual/mtty/mtty/mdev_supported_types/";
  for (unsigned n = 1; n <= 11; ++n) REQUIRE(bench.store(types + "mtty-2/create", uuid(n)) == 0);
  REQUIRE(bench.store(types + "mtty-1/create", uuid(12)) == 0);
  CHECK(bench.show(types + "mtty-1/available_instances") == "1\n");
  CHECK(bench.show(types + "mtty-2/available_instances") == "0\n");
  CHECK(bench.store(types + "mtty-2/create", uuid(13)) == ENOSPC);
  // Unbinding gives the ports back though the device stays.
  REQUIRE(bench.store("bus/mdev/drivers/mtty/unbind", uuid(1)) == 0);
  CHECK(bench.show(types + "mtty-1/available_instances") == "3\n");
}

TEST_CASE("parameters of the samples") {
  Bench bench;
  CHECK_FALSE(backends::find("mdpy")->load(bench.core, {"mdpy", {{"count", "x"}}}).has_value());
  REQUIRE(backends::find("mdpy")->load(bench.core, {"mdpy", {{"count", "-1"}}}).has_value());
  const std::string type = "devices/virtual/mdpy/mdpy/mdev_supported_types/mdpy-vga/";
  CHECK(bench.show(type + "available_instances") == "4294967295\n");
  REQUIRE(bench.store(type + "create", uuid(1)) == 0);
  CHECK(bench.show(type + "available_instances") == "4294967294\n");
  CHECK(bench.show("module/mdpy/parameters/count") == "-1\n");
  REQUIRE(backends::find("mbochs")->load(bench.core, {"mbochs", {{"count", "20"}}}).has_value());
  CHECK(bench.show("devices/virtual/mbochs/mbochs/mdev_supported_types/mbochs-small/available_instances") ==
        "5\n");
  CHECK(backends::find("mbochs")->load(bench.core, {}).error() == model::Errno{EEXIST});
}
