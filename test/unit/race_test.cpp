// SPDX-License-Identifier: Apache-2.0
//
// What others see and get while a probe or a driver's remove runs. The driver stands at a latch, so that each
// moment lasts as long as the test needs it.
#include <algorithm>
#include <thread>
#include <vector>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

// A call in a thread of its own, and what it returned.
class Call {
 public:
  template <typename Function>
  explicit Call(Function function) : thread_([this, function] { result_ = function(); }) {}
  ~Call() {
    if (thread_.joinable()) thread_.join();
  }
  int result() {
    thread_.join();
    return result_;
  }

 private:
  int result_ = -1;
  std::thread thread_;
};

const std::string kDevice = Bench::kParent + "/" + uuid(1);

}  // namespace

TEST_CASE("while a probe runs, the device is there without its type links") {
  Bench bench(3, true);
  bench.driver->at_probe.close();
  Call create([&] { return bench.create(uuid(1)); });
  REQUIRE(bench.driver->at_probe.wait_for(1));
  CHECK(bench.names(kDevice) == "uevent power driver subsystem remove");
  CHECK(bench.exists("bus/mdev/devices/" + uuid(1)));
  CHECK(bench.exists("bus/mdev/drivers/slow/" + uuid(1)));
  CHECK(bench.names(Bench::kParent + "/mdev_supported_types/slow-a/devices").empty());
  CHECK(bench.available() == "2\n");
  CHECK(bench.create(uuid(1), "slow-b") == EEXIST);
  bench.driver->at_probe.open();
  CHECK(create.result() == 0);
  CHECK(bench.exists(kDevice + "/mdev_type"));
  CHECK(bench.exists(kDevice + "/iommu_group"));
}

TEST_CASE("a remove during the probe is refused and takes its file away for good") {
  Bench bench;
  bench.driver->at_probe.close();
  Call create([&] { return bench.create(uuid(1)); });
  REQUIRE(bench.driver->at_probe.wait_for(1));
  const auto held = bench.find(kDevice + "/remove");
  CHECK(bench.store(kDevice + "/remove", "0") == 0);
  CHECK(bench.store(kDevice + "/remove", "1") == EAGAIN);
  CHECK_FALSE(bench.exists(kDevice + "/remove"));
  CHECK(Bench::store(held, "1") == ENODEV);
  bench.driver->at_probe.open();
  CHECK(create.result() == 0);
  CHECK_FALSE(bench.exists(kDevice + "/remove"));
  CHECK(bench.exists(kDevice + "/mdev_type"));
  bench.core.unregister_parent(*bench.parent);
  CHECK_FALSE(bench.exists(kDevice));
}

TEST_CASE("while the driver's remove runs, the directory is there and empty, and the UUID is taken") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto held = bench.find(kDevice + "/remove");
  const auto uevent = bench.find(kDevice + "/uevent");
  bench.driver->at_remove.close();
  Call remove([&] { return bench.remove(uuid(1)); });
  REQUIRE(bench.driver->at_remove.wait_for(1));
  CHECK(bench.exists(kDevice));
  CHECK(bench.names(kDevice).empty());
  CHECK(bench.core.tree().stat(bench.find(kDevice)).nlink == 2);
  CHECK(bench.names("bus/mdev/devices").empty());
  CHECK(bench.available() == "2\n");
  CHECK(bench.create(uuid(1)) == EEXIST);
  CHECK(bench.create(uuid(2)) == 0);  // others are not held up
  CHECK(Bench::store(held, "1") == ENODEV);
  CHECK(Bench::store(uevent, "add") == ENODEV);
  bench.driver->at_remove.open();
  CHECK(remove.result() == 0);
  CHECK(bench.create(uuid(1)) == 0);
}

TEST_CASE("an unbind during the probe waits for it and then undoes it") {
  Bench bench;
  bench.driver->at_probe.close();
  Call create([&] { return bench.create(uuid(1)); });
  REQUIRE(bench.driver->at_probe.wait_for(1));
  Call unbind([&] { return bench.store("bus/mdev/drivers/slow/unbind", uuid(1)); });
  CHECK(bench.store("bus/mdev/drivers/slow/bind", uuid(1)) == ENODEV);
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(1)) == 0);
  bench.driver->at_probe.open();
  CHECK(create.result() == 0);
  CHECK(unbind.result() == 0);
  CHECK_FALSE(bench.exists(kDevice + "/driver"));
  CHECK(bench.exists(kDevice + "/mdev_type"));
}

TEST_CASE("a remove during a slow unbind waits for it, with part of the device shown") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  bench.driver->at_remove.close();
  Call unbind([&] { return bench.store("bus/mdev/drivers/slow/unbind", uuid(1)); });
  REQUIRE(bench.driver->at_remove.wait_for(1));
  CHECK(bench.names(kDevice) == "uevent power mdev_type subsystem remove");
  CHECK(bench.names("bus/mdev/drivers/slow") == "uevent bind unbind module");
  Call remove([&] { return bench.remove(uuid(1)); });
  while (bench.exists(kDevice + "/mdev_type")) std::this_thread::yield();
  CHECK(bench.names(kDevice) == "uevent power subsystem");
  CHECK(bench.exists("bus/mdev/devices/" + uuid(1)));
  bench.driver->at_remove.open();
  CHECK(unbind.result() == 0);
  CHECK(remove.result() == 0);
  CHECK(bench.driver->removes == 1);
  CHECK_FALSE(bench.exists(kDevice));
}

TEST_CASE("creates run side by side, and of many of one UUID one wins") {
  Bench bench(100);
  bench.driver->at_probe.close();
  std::vector<std::unique_ptr<Call>> creates;
  for (unsigned n = 0; n < 8; ++n) {
    creates.push_back(std::make_unique<Call>([&bench, n] { return bench.create(uuid(n)); }));
  }
  REQUIRE(bench.driver->at_probe.wait_for(8));
  std::vector<std::unique_ptr<Call>> rivals;
  for (int n = 0; n < 8; ++n)
    rivals.push_back(std::make_unique<Call>([&] { return bench.create(uuid(99)); }));
  REQUIRE(bench.driver->at_probe.wait_for(9));
  bench.driver->at_probe.open();
  for (auto& create : creates) CHECK(create->result() == 0);
  std::vector<int> results;
  for (auto& rival : rivals) results.push_back(rival->result());
  CHECK(std::ranges::count(results, 0) == 1);
  CHECK(std::ranges::count(results, EEXIST) == 7);
}

TEST_CASE("of many removes of one device one goes on") {
  Bench bench(100);
  for (int round = 0; round < 50; ++round) {
    REQUIRE(bench.create(uuid(1)) == 0);
    const auto file = bench.find(kDevice + "/remove");
    std::vector<std::unique_ptr<Call>> removes;
    for (int n = 0; n < 4; ++n)
      removes.push_back(std::make_unique<Call>([&] { return Bench::store(file, "1"); }));
    int done = 0;
    for (auto& remove : removes) {
      const int result = remove->result();
      // Who was inside already when another took the file away returns success, having removed nothing.
      CHECK((result == 0 || result == ENODEV));
      done += result == 0 ? 1 : 0;
    }
    CHECK(done >= 1);
    CHECK(bench.driver->removes == round + 1);
    CHECK_FALSE(bench.exists(kDevice));
  }
}
