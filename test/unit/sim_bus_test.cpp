// SPDX-License-Identifier: Apache-2.0
//
// Simulated parents on a bus of any name: where they are, what they show, and how they are bound.
#include "loaded_machine.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kPath = "devices/css0/0.0.1234";

struct Css : LoadedMachine {
  explicit Css(backends::Values more = {})
      : LoadedMachine("sim", values(std::move(more)),
                      {{"0.0.1234", {{"above", "css0"}, {"modalias", "css:t0"}}}},
                      {{"a", {{"max_instances", "2"}}}, {"b", {{"max_instances", "3"}, {"has_name", "0"}}}}) {
    settings.items["parent_attributes"] = {{"type", {{"value", "0"}}},
                                           {"limit", {{"value", "5"}, {"mode", "0644"}, {"group", "knobs"}}},
                                           {"other", {{"value", "x"}, {"parent", "0.0.9999"}}}};
    unload();
    load();
  }
  static backends::Values values(backends::Values more) {
    more.insert({{"bus", "css"}, {"parent_driver", "card"}, {"counting", "type"}});
    return more;
  }
};

}  // namespace

TEST_CASE("a parent on a bus is where it is said to be, and has the files that it is said to have") {
  Css machine;
  CHECK(machine.target("class/mdev_bus/0.0.1234") == kPath);
  CHECK(machine.target("bus/css/devices/0.0.1234") == kPath);
  CHECK(machine.target(kPath + "/driver") == "bus/css/drivers/card");
  CHECK(machine.show(kPath + "/uevent") == "DRIVER=card\nMODALIAS=css:t0\n");
  CHECK(machine.show(kPath + "/type") == "0\n");
  CHECK(machine.store(kPath + "/knobs/limit", "7") == 0);
  CHECK(machine.show(kPath + "/knobs/limit") == "7\n");
  CHECK_FALSE(machine.exists(kPath + "/other"));
  CHECK_FALSE(machine.exists(kPath + "/mdev_supported_types/card-b/name"));
  CHECK(machine.available("0.0.1234", "card-a") + machine.available("0.0.1234", "card-b") == "2\n3\n");
}

TEST_CASE("types that exclude one another") {
  Css machine(backends::Values{{"homogeneous", "1"}});
  REQUIRE(machine.create("0.0.1234", "card-a", 1) == 0);
  CHECK(machine.available("0.0.1234", "card-a") + machine.available("0.0.1234", "card-b") == "1\n0\n");
  CHECK(machine.create("0.0.1234", "card-b", 2) == ENOSPC);
  REQUIRE(machine.remove("0.0.1234", 1) == 0);
  CHECK(machine.available("0.0.1234", "card-b") == "3\n");
}

TEST_CASE("such a parent is bound and unbound as any other") {
  Css machine;
  const std::string unbind = "bus/css/drivers/card/unbind", probe = "bus/css/drivers_probe";
  CHECK(machine.store(unbind, "0.0.1234\n") == 0);
  CHECK_FALSE(machine.exists("class/mdev_bus/0.0.1234"));
  CHECK(machine.store(kPath + "/driver_override", "other\n") == 0);
  CHECK(machine.store(probe, "0.0.1234") == 0);
  CHECK_FALSE(machine.exists("class/mdev_bus/0.0.1234"));
  CHECK(machine.store(kPath + "/driver_override", "\n") == 0);
  CHECK(machine.show(kPath + "/driver_override") == "(null)\n");
  CHECK(machine.store(probe, "0.0.1234") == 0);
  CHECK(machine.exists("class/mdev_bus/0.0.1234"));
  CHECK(machine.store(probe, "0.0.9999") == ENODEV);
}

TEST_CASE("parents on a bus come and go one by one") {
  Css machine;
  CHECK(machine.loaded->register_parent("0.0.1234", {}).error().value == ENOMEM);
  CHECK(machine.loaded->remove_parent("0.0.1234").error().value == EBUSY);
  REQUIRE(machine.loaded->add_parent("0.0.5678", {{"above", "css0"}}));
  CHECK(machine.exists("devices/css0/0.0.5678"));
  CHECK(machine.loaded->has_parent("0.0.5678"));
  CHECK_FALSE(machine.loaded->is_registered("0.0.5678"));
  REQUIRE(machine.loaded->register_parent("0.0.5678", {}));
  CHECK(machine.exists("class/mdev_bus/0.0.5678"));
  REQUIRE(machine.loaded->unregister_parent("0.0.5678"));
  CHECK(machine.loaded->unregister_parent("0.0.5678").error().value == ENODEV);
  REQUIRE(machine.loaded->remove_parent("0.0.5678"));
  CHECK_FALSE(machine.exists("devices/css0/0.0.5678"));
}
