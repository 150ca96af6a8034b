// SPDX-License-Identifier: Apache-2.0
//
// kernel/config/mdevfs: units made, described, switched and removed by files.
#include "control/control.h"

#include <future>
#include <thread>
#include <vector>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kUnits = "kernel/config/mdevfs/";
const std::string kSlow = kUnits + "slow/";
const std::string kType = "devices/virtual/slow/slow/mdev_supported_types/slow-a/";

using Items = std::vector<std::pair<std::string, backends::Values>>;

struct Controlled : Machine {
  control::Control control{core};

  // With the types a and b.
  void make_sim(const std::string& unit) {
    REQUIRE(make_directory(kUnits + unit) == 0);
    REQUIRE(store(kUnits + unit + "/backend", "sim\n") == 0);
    for (const auto* type : {"a", "b"}) REQUIRE(make_directory(kUnits + unit + "/types/" + type) == 0);
  }
  int set(const std::string& key, const std::string& value) { return store(kSlow + key, value + "\n"); }
  std::string types(const std::string& parent) {
    return names("devices/virtual/slow/" + parent + "/mdev_supported_types");
  }
  int create(unsigned n, const std::string& type = "slow-a", const std::string& parent = "slow") {
    return store("devices/virtual/slow/" + parent + "/mdev_supported_types/" + type + "/create", uuid(n));
  }
  std::string available(const std::string& type) {
    return show("devices/virtual/slow/slow/mdev_supported_types/" + type + "/available_instances");
  }
  std::string last_line() {
    const auto lines = core.log().lines();
    return lines.empty() ? "" : lines.back();
  }
};

}  // namespace

TEST_CASE("what the program was started with is an item") {
  Controlled machine;
  REQUIRE(machine.control.load("mtty", *backends::find("mtty")).has_value());
  CHECK(machine.show(kUnits + "mtty/backend") == "mtty\n");
  CHECK(machine.show(kUnits + "mtty/live") == "1\n");
  CHECK(machine.show(kUnits + "mtty/parent_names") == "mtty\n");
  CHECK(machine.store(kUnits + "mtty/live", "0") == 0);
  CHECK_FALSE(machine.exists("class/mdev_bus/mtty"));
  CHECK_FALSE(machine.exists("module/mtty"));
  CHECK(machine.store(kUnits + "mtty/live", "1") == 0);
  CHECK(machine.exists("class/mdev_bus/mtty"));
}

TEST_CASE("a unit that is loaded with its settings has them in its files") {
  Controlled machine;
  const backends::Settings settings{
      .name = "slow",
      .values = {{"counting", "pool"}, {"pool", "8"}},
      .items = {{"types", {{"b", {{"weight", "4"}}}, {"a", {}}}}, {"parents", {{"one", {{"types", "b"}}}}}}};
  REQUIRE(machine.control.load(settings, *backends::find("sim")).has_value());
  CHECK(machine.show(kSlow + "live") == "1\n");
  CHECK(machine.show(kSlow + "pool") == "8\n");
  CHECK(machine.show(kSlow + "full_errno") == "28\n");
  CHECK(machine.show(kSlow + "types/b/weight") == "4\n");
  CHECK(machine.show(kSlow + "types/a/weight") == "1\n");
  CHECK(machine.show(kSlow + "parents/one/types") == "b\n");
  CHECK(machine.show(kSlow + "parent_names") == "one\n");
  CHECK(machine.types("one") == "slow-b");
  CHECK(machine.show("devices/virtual/slow/one/mdev_supported_types/slow-b/available_instances") == "2\n");
}

TEST_CASE("of a unit that cannot be loaded with its settings nothing is left") {
  Controlled machine;
  const auto error = [&](const backends::Values& values, decltype(backends::Settings::items) items,
                         const char* backend = "sim") {
    const auto loaded =
        machine.control.load({.name = "slow", .values = values, .items = items}, *backends::find(backend));
    CHECK_FALSE(machine.exists(kUnits + "slow"));
    CHECK_FALSE(machine.exists("module/slow"));
    return loaded ? 0 : loaded.error().value;
  };
  const Items one = {{"a", {}}};
  CHECK(error({{"pool", "x"}}, {{"types", one}}) == EINVAL);
  CHECK(machine.last_line() == "<3> slow: `x' invalid for parameter `pool'");
  CHECK(error({{"colour", "red"}}, {{"types", one}}) == EINVAL);
  CHECK(error({}, {{"types", {{"a", {{"weight", "0"}}}}}}) == EINVAL);
  CHECK(error({}, {{"types", {{"a", {}}, {"a", {}}}}}) == EEXIST);
  CHECK(error({}, {{"colours", one}}) == EINVAL);
  CHECK(error({}, {}) == EINVAL);
  CHECK(error({{"class", "vfio"}}, {{"types", one}}) == EEXIST);
  CHECK(error({}, {{"types", one}}, "mtty") == EINVAL);
}

TEST_CASE("an item is made, described, live, off and gone") {
  Controlled machine;
  machine.make_sim("slow");
  CHECK(machine.set("types/a/name", "Slow A") == 0);
  CHECK(machine.set("types/a/description", "one of them") == 0);
  CHECK(machine.set("device_api", "slow-api") == 0);
  CHECK(machine.set("live", "1") == 0);
  CHECK(machine.show(kType + "name") == "Slow A\n");
  CHECK(machine.show(kType + "description") == "one of them\n");
  CHECK(machine.show(kType + "device_api") == "slow-api\n");
  CHECK(machine.show("devices/virtual/slow/slow/mdev_supported_types/slow-b/name") == "b\n");
  CHECK_FALSE(machine.exists("devices/virtual/slow/slow/mdev_supported_types/slow-b/description"));
  CHECK(machine.create(1) == 0);
  CHECK(machine.set("live", "0") == 0);
  CHECK_FALSE(machine.exists("bus/mdev/devices/" + uuid(1)));
  CHECK(machine.remove_directory(kUnits + "slow") == 0);
  CHECK_FALSE(machine.exists(kUnits + "slow"));
  CHECK_FALSE(machine.exists("class/slow"));
}

TEST_CASE("files refuse nonsense, say why in the log, and change nothing") {
  Controlled machine;
  REQUIRE(machine.make_directory(kUnits + "slow") == 0);
  CHECK(machine.make_directory(kUnits + "slow") == EEXIST);
  CHECK(machine.set("live", "1") == EINVAL);
  CHECK(machine.last_line() == "<3> mdevfs: slow: it has no backend");
  CHECK(machine.set("backend", "nope") == ENOENT);
  CHECK(machine.last_line() == "<3> mdevfs: slow: there is no backend `nope'");
  CHECK(machine.set("backend", "sim") == 0);
  CHECK(machine.set("live", "1") == EINVAL);
  CHECK(machine.last_line() == "<3> mdevfs: slow: slow has no types, or names one that is not there");
  CHECK_FALSE(machine.exists("module/slow"));
  CHECK(machine.set("live", "2") == EINVAL);
  CHECK(machine.set("max_instances", "-1") == EINVAL);
  CHECK(machine.last_line() == "<3> slow: `-1' invalid for parameter `max_instances'");
  CHECK(machine.show(kSlow + "max_instances") == "4\n");
  CHECK(machine.set("counting", "all") == EINVAL);
  CHECK(machine.set("class", "a/b") == EINVAL);
  CHECK(machine.set("class", "..") == EINVAL);
  CHECK(machine.make_directory(kSlow + "x") == EPERM);
  CHECK(machine.remove_directory(kSlow + "types") == EPERM);
  CHECK(machine.make_directory(kSlow + "types/a") == 0);
  CHECK(machine.set("types/a/weight", "0") == EINVAL);
  CHECK(machine.make_directory(kSlow + "types/a/x") == EPERM);
  CHECK(machine.set("live", "1") == 0);
}

TEST_CASE("what is live does not change") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.set("live", "1") == 0);
  CHECK(machine.set("backend", "mtty") == EBUSY);
  CHECK(machine.set("max_instances", "7") == EBUSY);
  CHECK(machine.set("types/a/name", "x") == EBUSY);
  CHECK(machine.make_directory(kSlow + "types/c") == EBUSY);
  CHECK(machine.remove_directory(kSlow + "types/a") == EBUSY);
  CHECK(machine.remove_directory(kUnits + "slow") == EBUSY);
  CHECK(machine.remove_directory(kSlow + "parents/slow") == EBUSY);
  CHECK(machine.set("parents/slow/types", "a") == EBUSY);
  CHECK(machine.set("live", "1") == EEXIST);
  CHECK(machine.set("live", "0") == 0);
  CHECK(machine.set("live", "0") == 0);
  CHECK(machine.set("backend", "mtty") == 0);
  CHECK_FALSE(machine.exists(kSlow + "types"));
  CHECK(machine.set("live", "1") == 0);
  CHECK(machine.show(kSlow + "parent_names") == "mtty\n");
}

TEST_CASE("a second unit of a module's, driver's or class's name is refused, and nothing of it is left") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.set("live", "1") == 0);
  machine.make_sim("other");
  REQUIRE(machine.store(kUnits + "other/module", "slow") == 0);
  CHECK(machine.store(kUnits + "other/live", "1") == EEXIST);
  CHECK(machine.show(kUnits + "other/live") == "0\n");
  CHECK_FALSE(machine.exists("class/other"));
  CHECK(machine.store(kUnits + "other/module", "other") == 0);
  CHECK(machine.store(kUnits + "other/driver", "slow") == 0);
  CHECK(machine.store(kUnits + "other/live", "1") == EBUSY);
  CHECK(machine.store(kUnits + "other/driver", "other") == 0);
  for (const auto* taken : {"slow", "vfio", "mdev_bus"}) {
    CHECK(machine.store(kUnits + "other/class", taken) == 0);
    CHECK(machine.store(kUnits + "other/live", "1") == EEXIST);
  }
  CHECK_FALSE(machine.exists("module/other"));
  CHECK_FALSE(machine.exists("bus/mdev/drivers/other"));
  CHECK(machine.store(kUnits + "other/class", "other") == 0);
  CHECK(machine.store(kUnits + "other/live", "1") == 0);
}

TEST_CASE("parents come and go one by one") {
  Controlled machine;
  machine.make_sim("slow");
  for (const auto* parent : {"slow", "slow1"})
    REQUIRE(machine.make_directory(kSlow + "parents/" + parent) == 0);
  CHECK(machine.set("parents/slow/live", "1") == ENODEV);
  REQUIRE(machine.set("live", "1") == 0);
  CHECK(machine.show(kSlow + "parent_names") == "slow\nslow1\n");
  CHECK(machine.create(1) == 0);
  CHECK(machine.show(kType + "available_instances") == "3\n");
  CHECK(machine.set("parents/slow/live", "1") == ENOMEM);  // a second registration
  CHECK(machine.set("parents/slow/live", "0") == 0);
  CHECK(machine.set("parents/slow/live", "0") == ENODEV);
  CHECK(machine.names("devices/virtual/slow/slow") == "uevent power subsystem");
  CHECK(machine.show(kSlow + "parent_names") == "slow1\n");
  CHECK(machine.set("parents/slow/live", "1") == 0);
  CHECK(machine.show(kType + "available_instances") == "4\n");  // a fresh count
  CHECK(machine.set("parents/slow/live", "0") == 0);
  CHECK(machine.remove_directory(kSlow + "parents/slow") == 0);
  CHECK_FALSE(machine.exists("devices/virtual/slow/slow"));
  CHECK(machine.make_directory(kSlow + "parents/late") == 0);
  CHECK(machine.set("parents/late/types", "b") == 0);
  CHECK(machine.set("parents/late/live", "1") == 0);
  CHECK(machine.types("late") == "slow-b");
}

TEST_CASE("a unit may start without parents") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.set("start_empty", "1") == 0);
  REQUIRE(machine.set("live", "1") == 0);
  CHECK(machine.show(kSlow + "parent_names").empty());
  CHECK(machine.exists("class/slow"));
  REQUIRE(machine.make_directory(kSlow + "parents/slow") == 0);
  CHECK(machine.set("parents/slow/device", "1") == 0);
  CHECK(machine.set("parents/slow/device", "1") == EEXIST);
  CHECK(machine.names("devices/virtual/slow/slow") == "uevent power subsystem");
  CHECK(machine.set("parents/slow/live", "1") == 0);
  CHECK(machine.set("parents/slow/device", "0") == EBUSY);
  CHECK(machine.set("parents/slow/live", "0") == 0);
  CHECK(machine.set("parents/slow/device", "0") == 0);
  CHECK_FALSE(machine.exists("devices/virtual/slow"));
}

TEST_CASE("two types of one name, and two parents of one name in one class, are refused") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.set("types/b/sysfs_name", "a") == 0);
  CHECK(machine.set("live", "1") == EEXIST);
  CHECK_FALSE(machine.exists("devices/virtual/slow"));
  REQUIRE(machine.set("types/b/sysfs_name", "b") == 0);
  REQUIRE(machine.set("live", "1") == 0);
  REQUIRE(machine.make_directory(kSlow + "parents/twin") == 0);
  REQUIRE(machine.set("parents/twin/device_name", "slow") == 0);
  CHECK(machine.set("parents/twin/live", "1") == EEXIST);
}

TEST_CASE("the three ways to count") {
  Controlled machine;
  machine.make_sim("slow");
  SECTION("per parent") {
    REQUIRE(machine.set("max_instances", "1") == 0);
    REQUIRE(machine.set("live", "1") == 0);
    CHECK(machine.create(1, "slow-b") == 0);
    CHECK(machine.available("slow-a") == "0\n");
    CHECK(machine.create(2) == EUSERS);
  }
  SECTION("per type") {
    REQUIRE(machine.set("counting", "type") == 0);
    REQUIRE(machine.set("types/a/max_instances", "1") == 0);
    REQUIRE(machine.set("full_errno", "12") == 0);
    REQUIRE(machine.set("live", "1") == 0);
    CHECK(machine.create(1) == 0);
    CHECK(machine.create(2) == 12);
    CHECK(machine.available("slow-a") == "0\n");
    CHECK(machine.available("slow-b") == "4\n");
    CHECK(machine.create(2, "slow-b") == 0);
  }
  SECTION("a pool for all parents, with weights") {
    REQUIRE(machine.make_directory(kSlow + "parents/slow") == 0);
    REQUIRE(machine.make_directory(kSlow + "parents/slow1") == 0);
    REQUIRE(machine.set("counting", "pool") == 0);
    REQUIRE(machine.set("pool", "10") == 0);
    REQUIRE(machine.set("pool_of", "all") == 0);
    REQUIRE(machine.set("types/b/weight", "4") == 0);
    REQUIRE(machine.set("live", "1") == 0);
    CHECK(machine.available("slow-b") == "2\n");
    CHECK(machine.create(1, "slow-b", "slow1") == 0);
    CHECK(machine.available("slow-a") == "6\n");
    CHECK(machine.available("slow-b") == "1\n");
    CHECK(machine.create(2, "slow-b") == 0);
    CHECK(machine.create(3, "slow-b") == ENOSPC);
    CHECK(machine.create(3) == 0);
    CHECK(machine.store("devices/virtual/slow/slow/" + uuid(2) + "/remove", "1") == 0);
    CHECK(machine.available("slow-a") == "5\n");
  }
}

TEST_CASE("attributes of devices and parameters of the module are what they are described as") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.make_directory(kSlow + "attributes/level") == 0);
  REQUIRE(machine.set("attributes/level/mode", "0644") == 0);
  REQUIRE(machine.set("attributes/level/value", "low") == 0);
  REQUIRE(machine.make_directory(kSlow + "parameters/count") == 0);
  REQUIRE(machine.set("parameters/count/value", "4") == 0);
  REQUIRE(machine.set("live", "1") == 0);
  for (unsigned n : {1, 2}) REQUIRE(machine.create(n) == 0);
  const auto of = [&](unsigned n) {
    return machine.show("devices/virtual/slow/slow/" + uuid(n) + "/vendor/level");
  };
  CHECK(of(1) == "low\n");
  CHECK(machine.store("devices/virtual/slow/slow/" + uuid(1) + "/vendor/level", "high") == 0);
  CHECK(of(1) == "high\n");
  CHECK(of(2) == "low\n");
  CHECK(machine.find("devices/virtual/slow/slow/" + uuid(1) + "/vendor/level").entry->mode == 0644);
  CHECK(machine.show("module/slow/parameters/count") == "4\n");
}

TEST_CASE("setting a unit off waits for a probe; unloading it is refused while a device is in use") {
  Controlled machine;
  machine.make_sim("slow");
  REQUIRE(machine.set("live", "1") == 0);
  REQUIRE(machine.store("kernel/debug/mdevfs/slow/probe_delay_ms", "100") == 0);
  auto created = std::async(std::launch::async, [&] { return machine.create(1); });
  while (!machine.exists("devices/virtual/slow/slow/" + uuid(1))) std::this_thread::yield();
  CHECK(machine.set("live", "0") == 0);
  CHECK(created.get() == 0);
  REQUIRE(machine.set("live", "1") == 0);
  REQUIRE(machine.create(1) == 0);
  const auto node = machine.find("kernel/debug/mdevfs/vfio/0");
  REQUIRE(node.entry->open(*node.object, node.slot).has_value());
  CHECK(machine.set("live", "unload") == EAGAIN);
  CHECK(machine.show(kSlow + "live") == "1\n");
  auto off = std::async(std::launch::async, [&] { return machine.set("live", "0"); });
  while (machine.exists("class/mdev_bus/slow")) std::this_thread::yield();
  CHECK(machine.set("live", "1") == EBUSY);
  CHECK(machine.remove_directory(kUnits + "slow") == EBUSY);
  CHECK(machine.remove_directory(kSlow + "parents/slow") == EBUSY);
  node.entry->close(*node.object, node.slot);
  CHECK(off.get() == 0);
  CHECK(machine.remove_directory(kUnits + "slow") == 0);
}

TEST_CASE("a backend is changed, items are made and removed, and read, by several at once") {
  Controlled machine;
  REQUIRE(machine.make_directory(kUnits + "slow") == 0);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) machine.store(kSlow + "backend", i % 2 == 0 ? "sim" : "mtty");
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        machine.make_directory(kSlow + "types/a");
        machine.store(kSlow + "types/a/name", "x");
        machine.remove_directory(kSlow + "types/a");
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        machine.store(kSlow + "live", "1");
        machine.show(kSlow + "parent_names");
        machine.store(kSlow + "live", "0");
      }
    });
  }
  threads.clear();
  CHECK(machine.set("live", "0") == 0);
  CHECK(machine.set("backend", "sim") == 0);
}
