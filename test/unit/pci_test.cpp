// SPDX-License-Identifier: Apache-2.0
//
// PCI functions: what sysfs shows of them, bind and unbind, driver_override, new_id, virtual functions.
// Names, modes, errnos and events are those that a 6.1 was seen to have with such devices.
#include <thread>

#include "backends/pci/address.h"
#include "backends/pci/checks.h"
#include "backends/pci/config_space.h"
#include "loaded_machine.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

using Lines = std::vector<std::string>;

const std::string kA = "0000:65:00.0";
const std::string kPath = "devices/pci0000:64/0000:64:00.0/" + kA;
const std::string kDrivers = "bus/pci/drivers/";

// A GPU behind a bridge, as a sim parent: the driver `card` takes it.
struct Pci : LoadedMachine {
  explicit Pci(backends::Values more = {})
      : LoadedMachine("sim", sim_values(), {{kA, values(std::move(more))}}, {{"a", {}}}) {}

  static backends::Values sim_values() { return {{"bus", "pci"}, {"parent_driver", "card"}}; }
  static backends::Values values(backends::Values more) {
    more.insert({{"path", "pci0000:64/0000:64:00.0"},
                 {"vendor", "0x10de"},
                 {"device", "0x1eb8"},
                 {"subsystem_vendor", "0x10de"},
                 {"subsystem_device", "0x12a2"},
                 {"class", "0x030200"},
                 {"revision", "0xa1"},
                 {"bars", "0=16M 1=256M,mem64,pref 5=128,io 6=512K,rom"}});
    return more;
  }
  std::string driver() {
    const auto link = find(kPath + "/driver");
    return link.object ? target(kPath + "/driver") : "";
  }
  bool registered() { return exists("class/mdev_bus/" + kA); }
};

}  // namespace

TEST_CASE("an address is four numbers of so many digits") {
  using backends::pci::parse_address;
  CHECK(to_string(parse_address("0000:65:00.0").value()) == "0000:65:00.0");
  CHECK(to_string(parse_address("10000:e2:1f.7").value()) == "10000:e2:1f.7");
  for (const auto* wrong : {"", "65:00.0", "0000:65:00", "0000:65:20.0", "0000:65:00.8", "0000:65:00.0 ",
                            "0000:6g:00.0", "000:65:00.0", "0000:65:00.00", "0000-65:00.0"})
    CHECK_FALSE(parse_address(wrong));
}

TEST_CASE("a function shows what it is described as") {
  Pci machine(backends::Values{{"numa_node", "1"}, {"irq", "42"}, {"local_cpulist", "0-3,34"}});
  const std::pair<const char*, const char*> texts[] = {
      {"vendor", "0x10de\n"},
      {"device", "0x1eb8\n"},
      {"class", "0x030200\n"},
      {"revision", "0xa1\n"},
      {"subsystem_vendor", "0x10de\n"},
      {"subsystem_device", "0x12a2\n"},
      {"numa_node", "1\n"},
      {"irq", "42\n"},
      {"local_cpulist", "0-3,34\n"},
      {"local_cpus", "4,0000000f\n"},
      {"modalias", "pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00\n"},
      {"driver_override", "(null)\n"},
      {"enable", "1\n"},
      {"uevent",
       "DRIVER=card\nPCI_CLASS=30200\nPCI_ID=10DE:1EB8\nPCI_SUBSYS_ID=10DE:12A2\n"
       "PCI_SLOT_NAME=0000:65:00.0\nMODALIAS=pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00\n"},
  };
  for (const auto& [name, text] : texts) CHECK(machine.show(kPath + "/" + name) == text);
  CHECK(machine.target("bus/pci/devices/" + kA) == kPath);
  CHECK(machine.target("class/mdev_bus/" + kA) == kPath);
  CHECK(machine.target(kPath + "/subsystem") == "bus/pci");
  CHECK(machine.driver() == "bus/pci/drivers/card");
  CHECK(machine.target("bus/pci/drivers/pcieport/0000:64:00.0") == "devices/pci0000:64/0000:64:00.0");
  CHECK(machine.target("kernel/iommu_groups/0/devices/" + kA) == kPath);
  CHECK(machine.exists(kPath + "/mdev_supported_types/card-a"));
}

TEST_CASE("resources have their places, none over another, and the configuration space says the same") {
  Pci machine;
  const auto resource = machine.show(kPath + "/resource");
  CHECK(std::count(resource.begin(), resource.end(), '\n') == 13);
  const auto config = machine.show(kPath + "/config");
  REQUIRE(config.size() == 4096);
  CHECK(machine.core.tree().stat(machine.find(kPath + "/config")).size == 4096);
  CHECK(machine.core.tree().stat(machine.find(kPath + "/resource1")).size == 256 << 20);
  CHECK(machine.show(kPath + "/resource0") == "errno " + std::to_string(EIO));
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(config[at]); };
  CHECK((byte(0) | byte(1) << 8) == 0x10de);
  CHECK((byte(0x2e) | byte(0x2f) << 8) == 0x12a2);
  const auto resources = backends::pci::place_bars("0=16M 1=16M 2=64K 5=128,io 4=128,io",
                                                   backends::pci::parse_address(kA).value());
  for (const auto& one : resources) {
    for (const auto& other : resources) {
      if (&one == &other || one.flags == 0 || (one.flags & 0x300) != (other.flags & 0x300)) continue;
      CHECK((one.end < other.start || other.end < one.start));
    }
  }
  for (const auto* wrong : {"0=15M", "13=16M", "0", "0=16M,fast", "0=0", "x=1M", "0=16T"})
    CHECK_FALSE(backends::pci::take_bars(wrong));
}

TEST_CASE("bind and unbind register and unregister, with the errnos of the driver core") {
  Pci machine;
  const auto bind = [&](const std::string& driver, const std::string& text) {
    return machine.store(kDrivers + driver + "/bind", text);
  };
  const auto unbind = [&](const std::string& driver, const std::string& text) {
    return machine.store(kDrivers + driver + "/unbind", text);
  };
  REQUIRE(machine.create(kA, "card-a", 1) == 0);
  CHECK(unbind("card", "nonsense") == ENODEV);
  CHECK(unbind("pcieport", kA) == ENODEV);
  CHECK(bind("card", kA) == EBUSY);
  CHECK(unbind("card", kA + "\n") == 0);
  CHECK_FALSE(machine.registered());
  CHECK_FALSE(machine.exists("bus/mdev/devices/" + uuid(1)));
  CHECK(machine.driver().empty());
  CHECK(machine.show(kPath + "/enable") == "0\n");
  CHECK(unbind("card", kA) == ENODEV);
  CHECK(bind("pci-stub", kA) == ENODEV);  // not one for it
  CHECK(bind("card", "nonsense") == ENODEV);
  CHECK(bind("card", kA) == 0);
  CHECK(machine.registered());
  CHECK(machine.available(kA, "card-a") == "4\n");  // afresh
}

TEST_CASE("driver_override decides who takes a device, and drivers_probe brings them together") {
  Pci machine;
  const auto override = [&](std::string_view text) {
    return machine.store(kPath + "/driver_override", text);
  };
  const auto probe = [&](const std::string& text) { return machine.store("bus/pci/drivers_probe", text); };
  CHECK(override("pci-stub\n") == 0);
  CHECK(machine.show(kPath + "/driver_override") == "pci-stub\n");
  CHECK(machine.driver() == "bus/pci/drivers/card");  // it stays as it is
  CHECK(machine.store(kDrivers + "card/unbind", kA) == 0);
  CHECK(machine.store(kDrivers + "card/bind", kA) == ENODEV);
  CHECK(probe("nonsense") == ENODEV);
  CHECK(probe(kA + "\n") == 0);
  CHECK(machine.driver() == "bus/pci/drivers/pci-stub");
  CHECK_FALSE(machine.registered());
  CHECK(probe(kA) == 0);  // it has one
  CHECK(machine.store(kDrivers + "pci-stub/unbind", kA) == 0);
  CHECK(override("nobody") == 0);
  CHECK(probe(kA) == 0);  // that nobody takes it is no error
  CHECK(machine.driver().empty());
  const std::pair<std::string, std::string> texts[] = {
      {"a\nb", "a\n"}, {"a b\n", "a b\n"}, {"\n", "(null)\n"}};
  for (const auto& [written, shown] : texts) {
    CHECK(override(written) == 0);
    CHECK(machine.show(kPath + "/driver_override") == shown);
  }
  CHECK(override(std::string(4096, 'x')) == EINVAL);
  CHECK(probe(kA) == 0);
  CHECK(machine.registered());
}

TEST_CASE("a driver learns of other ids") {
  Pci machine;
  const auto id = [&](const char* file, const char* text) {
    return machine.store(kDrivers + "pci-stub/" + file, text);
  };
  CHECK(id("new_id", "zz") == EINVAL);
  CHECK(id("new_id", "10de") == EINVAL);
  CHECK(id("remove_id", "10de 1eb8") == ENODEV);
  REQUIRE(machine.store(kDrivers + "card/unbind", kA) == 0);
  CHECK(id("new_id", "10de 1eb8") == 0);
  CHECK(machine.driver() == "bus/pci/drivers/pci-stub");  // at once
  CHECK(id("new_id", "10de 1eb8\n") == EEXIST);
  CHECK(id("remove_id", "10de 1eb8") == 0);
  CHECK(machine.driver() == "bus/pci/drivers/pci-stub");  // it keeps what it has
}

TEST_CASE("without autoprobe nobody is bound who was not asked for") {
  Pci machine;
  CHECK(machine.store("bus/pci/drivers_autoprobe", "0") == 0);
  CHECK(machine.show("bus/pci/drivers_autoprobe") == "0\n");
  CHECK(machine.store(kPath + "/remove", "1") == 0);
  CHECK(machine.store("bus/pci/rescan", "1") == 0);
  CHECK(machine.exists(kPath));
  CHECK(machine.driver().empty());
  CHECK(machine.store("bus/pci/drivers_probe", kA) == 0);
  CHECK(machine.registered());
}

TEST_CASE("vfio-pci takes the whole function") {
  Pci machine;
  REQUIRE(machine.store(kDrivers + "card/unbind", kA) == 0);
  REQUIRE(machine.store(kPath + "/driver_override", "vfio-pci") == 0);
  REQUIRE(machine.store("bus/pci/drivers_probe", kA) == 0);
  CHECK(machine.target("class/vfio-dev/vfio0") == kPath + "/vfio-dev/vfio0");
  CHECK(machine.target("class/vfio/0") == "devices/virtual/vfio/0");
  REQUIRE(machine.store(kDrivers + "vfio-pci/unbind", kA) == 0);
  CHECK_FALSE(machine.exists(kPath + "/vfio-dev"));
  CHECK_FALSE(machine.exists("class/vfio/0"));
}

TEST_CASE("remove takes the device away, its file first, and rescan finds it again") {
  Pci machine;
  const auto held = machine.find(kPath + "/remove");
  CHECK(machine.store(kPath + "/remove", "x") == EINVAL);
  CHECK(machine.store(kPath + "/remove", "0") == 0);
  CHECK(machine.registered());
  CHECK(machine.store(held, "1") == 0);
  CHECK_FALSE(machine.exists(kPath));
  CHECK_FALSE(machine.exists("kernel/iommu_groups/0"));
  CHECK(machine.store(held, "1") == ENODEV);
  CHECK(machine.store("bus/pci/rescan", "x") == EINVAL);
  CHECK(machine.store("bus/pci/rescan", "1") == 0);
  CHECK(machine.registered());
  CHECK(machine.available(kA, "card-a") == "4\n");
}

TEST_CASE("the events of a function are the kernel's") {
  Pci machine;
  const std::string ids =
      "PCI_CLASS=30200 PCI_ID=10DE:1EB8 PCI_SUBSYS_ID=10DE:12A2 PCI_SLOT_NAME=0000:65:00.0";
  const std::string alias = " MODALIAS=pci:v000010DEd00001EB8sv000010DEsd000012A2bc03sc02i00";
  UeventLines uevents(machine.core);
  REQUIRE(machine.store(kDrivers + "card/unbind", kA) == 0);
  CHECK(uevents.take() ==
        Lines{"change@/" + kPath + " pci MDEV_STATE=unregistered DRIVER=card " + ids + alias,
              "unbind@/" + kPath + " pci " + ids});
  REQUIRE(machine.store(kDrivers + "card/bind", kA) == 0);
  CHECK(uevents.take() == Lines{"change@/" + kPath + " pci MDEV_STATE=registered DRIVER=card " + ids + alias,
                                "bind@/" + kPath + " pci DRIVER=card " + ids + alias});
  REQUIRE(machine.store(kPath + "/remove", "1") == 0);
  CHECK(uevents.take().back() == "remove@/" + kPath + " pci " + ids + alias);
}

TEST_CASE("a unit takes its functions along, and brings them back") {
  Pci machine;
  machine.unload();
  CHECK_FALSE(machine.exists(kPath));
  CHECK_FALSE(machine.exists(kDrivers + "card"));
  machine.load();
  CHECK(machine.registered());
}

TEST_CASE("a function is removed while devices are made on it") {
  Pci machine;
  const auto create = machine.find(machine.parent_file(kA, "mdev_supported_types/card-a/create"));
  std::atomic<bool> ended{false};
  std::thread creator([&] {
    for (unsigned n = 1; !ended; ++n) {
      const int error = Machine::store(create, uuid(n));
      if (error != 0 && error != EUSERS && error != ENODEV) FAIL("create: " << error);
    }
  });
  for (int round = 0; round < 20; ++round) {
    std::ignore = machine.store(kDrivers + "card/unbind", kA);
    std::ignore = machine.store(kDrivers + "card/bind", kA);
  }
  REQUIRE(machine.store(kPath + "/remove", "1") == 0);
  ended = true;
  creator.join();
  CHECK(machine.core.device_count() == 0);
}
