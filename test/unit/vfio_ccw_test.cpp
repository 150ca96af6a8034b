// SPDX-License-Identifier: Apache-2.0
//
// The backend vfio_ccw: subchannels, which driver they are bound to, and the one device of each that vfio_ccw
// has.
#include <atomic>
#include <thread>

#include "catch.h"
#include "control/control.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kFirst = "0.0.0313";
const std::string kSecond = "0.0.0314";
const std::string kCss = "bus/css/";
const std::string kVfioCcw = kCss + "drivers/vfio_ccw/";
const std::string kIo = kCss + "drivers/io_subchannel/";

std::string subchannel(const std::string& name) {
  return "devices/css0/" + name + "/";
}
std::string type_of(const std::string& name) {
  return subchannel(name) + "mdev_supported_types/vfio_ccw-io/";
}

// Two subchannels, the second with what it is given.
struct CssMachine : Machine {
  CssMachine(std::initializer_list<backends::Values::value_type> second = {{"driver", "io_subchannel"}})
      : second_values(second) {
    loaded = load().value();
  }
  model::Result<std::shared_ptr<backends::Loaded>> load() {
    return backends::find("vfio_ccw")
        ->load(core,
               {.name = "vfio_ccw",
                .items = {{"parents", {{kFirst, {{"dev_busid", "0.0.26ab"}}}, {kSecond, second_values}}}}});
  }
  int create(unsigned n, const std::string& name = kFirst) {
    return store(type_of(name) + "create", uuid(n));
  }
  std::string driver_of(const std::string& name) {
    const auto target = core.tree().readlink(find(subchannel(name) + "driver"));
    return target ? target->substr(target->rfind('/') + 1) : "none";
  }

  backends::Values second_values;
  std::shared_ptr<backends::Loaded> loaded;
};

}  // namespace

TEST_CASE("vfio_ccw: a subchannel that it has is a parent for one device") {
  CssMachine machine;
  CHECK(*machine.core.tree().readlink(machine.find("class/mdev_bus/" + kFirst)) ==
        "../../devices/css0/0.0.0313");
  CHECK(*machine.core.tree().readlink(machine.find(kCss + "devices/" + kFirst)) ==
        "../../../devices/css0/0.0.0313");
  CHECK(machine.exists(kVfioCcw + kFirst));
  CHECK(machine.show(type_of(kFirst) + "name") == "I/O subchannel (Non-QDIO)\n");
  CHECK(machine.show(type_of(kFirst) + "device_api") == "vfio-ccw\n");
  CHECK(machine.show(type_of(kFirst) + "available_instances") == "1\n");
  CHECK_FALSE(machine.exists(type_of(kFirst) + "description"));
  REQUIRE(machine.create(1) == 0);
  CHECK(machine.show(type_of(kFirst) + "available_instances") == "0\n");
  CHECK(machine.create(2) == EUSERS);
  CHECK(machine.create(1) == EEXIST);
  CHECK(*machine.core.tree().readlink(machine.find(subchannel(kFirst) + uuid(1) + "/driver")) ==
        "../../../../bus/mdev/drivers/vfio_ccw_mdev");
  CHECK(machine.exists(subchannel(kFirst) + uuid(1) + "/vfio-dev/vfio0"));
  REQUIRE(machine.store(subchannel(kFirst) + uuid(1) + "/remove", "1") == 0);
  CHECK(machine.create(2) == 0);
}

TEST_CASE("vfio_ccw: what is there of a subchannel and of css0") {
  CssMachine machine{{"chpids", "17 26"}, {"pimpampom", "c0 c0 ff"}, {"driver", "io_subchannel"}};
  CHECK(machine.show(subchannel(kFirst) + "dev_busid") == "0.0.26ab\n");
  CHECK(machine.show(subchannel(kSecond) + "dev_busid") == "0.0.0314\n");
  CHECK(machine.show(subchannel(kFirst) + "type") == "0\n");
  CHECK(machine.show(subchannel(kFirst) + "modalias") == "css:t0\n");
  CHECK(machine.show(subchannel(kFirst) + "uevent") == "DRIVER=vfio_ccw\nST=0\nMODALIAS=css:t0\n");
  CHECK(machine.show(subchannel(kFirst) + "chpids") == "00 00 00 00 00 00 00 00 \n");
  CHECK(machine.show(subchannel(kFirst) + "pimpampom") == "80 80 ff\n");
  CHECK_FALSE(machine.exists(subchannel(kFirst) + "vpm"));
  CHECK(machine.show(subchannel(kSecond) + "vpm") == "c0\n");
  CHECK(machine.store(subchannel(kSecond) + "logging", "1") == 0);
  CHECK(machine.exists("devices/css0/defunct"));
  CHECK(machine.show("devices/css0/real_cssid") == "0\n");
  CHECK(machine.store("devices/css0/rescan", "1") == 0);
  CHECK(machine.show("devices/css0/cm_enable") == "0\n");
  CHECK(machine.store("devices/css0/cm_enable", "2") == EINVAL);
  CHECK(machine.store("devices/css0/cm_enable", "x") == EINVAL);
  CHECK(machine.store("devices/css0/cm_enable", "0x1\n") == 0);
  CHECK(machine.show("devices/css0/cm_enable") == "1\n");
}

TEST_CASE("vfio_ccw: unbind takes the parent and its device, bind brings another, with its count") {
  CssMachine machine;
  REQUIRE(machine.create(1) == 0);
  const auto create = machine.find(type_of(kFirst) + "create");
  CHECK(machine.store(kVfioCcw + "bind", kFirst) == EBUSY);
  CHECK(machine.store(kIo + "unbind", kFirst) == ENODEV);
  CHECK(machine.store(kVfioCcw + "bind", "0.0.9999") == ENODEV);
  REQUIRE(machine.store(kVfioCcw + "unbind", kFirst + "\n") == 0);
  CHECK(machine.names("bus/mdev/devices").empty());
  CHECK_FALSE(machine.exists("class/mdev_bus/" + kFirst));
  CHECK_FALSE(machine.exists(subchannel(kFirst) + "mdev_supported_types"));
  CHECK(Machine::store(create, uuid(2)) == ENODEV);
  REQUIRE(machine.store(kVfioCcw + "bind", kFirst) == 0);
  CHECK(Machine::store(create, uuid(2)) == ENODEV);
  CHECK(machine.show(type_of(kFirst) + "available_instances") == "1\n");
  CHECK(machine.create(2) == 0);
}

TEST_CASE("vfio_ccw: io_subchannel has what nobody asks for, and driver_override asks") {
  CssMachine machine;
  CHECK(machine.driver_of(kSecond) == "io_subchannel");
  CHECK_FALSE(machine.exists(subchannel(kSecond) + "mdev_supported_types"));
  const std::string wanted = subchannel(kSecond) + "driver_override";
  CHECK(machine.show(wanted) == "(null)\n");
  REQUIRE(machine.store(wanted, "vfio_ccw\n") == 0);
  CHECK(machine.show(wanted) == "vfio_ccw\n");
  CHECK(machine.driver_of(kSecond) == "io_subchannel");
  REQUIRE(machine.store(kIo + "unbind", kSecond) == 0);
  CHECK(machine.store(kIo + "bind", kSecond) == ENODEV);
  REQUIRE(machine.store(kCss + "drivers_probe", kSecond) == 0);
  CHECK(machine.driver_of(kSecond) == "vfio_ccw");
  CHECK(machine.create(1, kSecond) == 0);
  REQUIRE(machine.store(wanted, "\n") == 0);
  CHECK(machine.show(wanted) == "(null)\n");
  REQUIRE(machine.store(kVfioCcw + "unbind", kSecond) == 0);
  REQUIRE(machine.store(kCss + "drivers_probe", kSecond) == 0);
  CHECK(machine.driver_of(kSecond) == "io_subchannel");
  REQUIRE(machine.store(wanted, "nothing") == 0);
  REQUIRE(machine.store(kIo + "unbind", kSecond) == 0);
  CHECK(machine.store(kCss + "drivers_probe", kSecond) == 0);
  CHECK(machine.driver_of(kSecond) == "none");
  CHECK(machine.store(wanted, std::string(4095, 'x')) == EINVAL);
  CHECK(machine.store(kCss + "drivers_probe", "0.0.9999") == ENODEV);
}

TEST_CASE("vfio_ccw: what it does not take") {
  CssMachine machine{{"qdio", "1"}, {"driver", "io_subchannel"}};
  REQUIRE(machine.store(kIo + "unbind", kSecond) == 0);
  CHECK(machine.store(kVfioCcw + "bind", kSecond) == ENODEV);
  CHECK(machine.core.log().lines().back() ==
        "<4> vfio_ccw 0.0.0314: vfio: ccw: does not support QDIO: 0.0.0314");
  CHECK(machine.driver_of(kSecond) == "none");
  CssMachine other{{"type", "3"}, {"driver", "io_subchannel"}};
  CHECK(other.driver_of(kSecond) == "none");
  CHECK(other.store(kVfioCcw + "bind", kSecond) == ENODEV);
  CHECK(other.show(subchannel(kSecond) + "uevent") == "ST=3\nMODALIAS=css:t3\n");
  CHECK_FALSE(other.exists(subchannel(kSecond) + "chpids"));
}

TEST_CASE("vfio_ccw: unbinding waits for a create") {
  CssMachine machine;
  REQUIRE(machine.store("kernel/debug/mdevfs/" + kFirst + "/probe_delay_ms", "200") == 0);
  int created = -1;
  std::thread creator([&] { created = machine.create(1); });
  while (!machine.exists("bus/mdev/devices/" + uuid(1))) std::this_thread::yield();
  CHECK(machine.store(kVfioCcw + "unbind", kFirst) == 0);
  creator.join();
  CHECK(created == 0);
  CHECK(machine.names("bus/mdev/devices").empty());
  CHECK(machine.driver_of(kFirst) == "none");
}

TEST_CASE("vfio_ccw: unloading takes all of it, and loading brings the same") {
  CssMachine machine;
  const auto tree = [&] {
    return machine.names("bus/css") + "|" + machine.names("bus/css/devices") + "|" +
           machine.names("devices/css0") + "|" + machine.names(subchannel(kFirst)) + "|" +
           machine.names(subchannel(kSecond)) + "|" + machine.names("class/mdev_bus") + "|" +
           machine.names("module/vfio_ccw/drivers");
  };
  const std::string before = tree();
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.store(subchannel(kSecond) + "driver_override", "vfio_ccw") == 0);
  CHECK(machine.load().error() == model::Errno{EEXIST});
  machine.loaded->unload(machine.core);
  for (const char* gone : {"bus/css", "devices/css0", "module/vfio_ccw", "bus/mdev/drivers/vfio_ccw_mdev"})
    CHECK_FALSE(machine.exists(gone));
  CHECK(machine.names("bus/mdev/devices").empty());
  CHECK(machine.names("class/mdev_bus").empty());
  machine.loaded = machine.load().value();
  CHECK(tree() == before);
  CHECK(machine.create(1) == 0);
}

TEST_CASE("vfio_ccw: unloading while others bind, unbind and create") {
  for (int round = 0; round < 20; ++round) {
    CssMachine machine;
    const auto bind = machine.find(kVfioCcw + "bind");
    const auto probe = machine.find(kCss + "drivers_probe");
    const auto unbind = machine.find(kVfioCcw + "unbind");
    machine.store(subchannel(kSecond) + "driver_override", "vfio_ccw");
    machine.store(kIo + "unbind", kSecond);
    std::atomic<bool> stop{false};
    const auto worker = [&](const model::HeldNode& node, const std::string& name) {
      while (!stop) std::ignore = Machine::store(node, name);
    };
    std::thread binder(worker, std::cref(bind), kFirst);
    std::thread prober(worker, std::cref(probe), kSecond);
    std::thread unbinder(worker, std::cref(unbind), kFirst);
    std::thread creator([&] {
      for (unsigned n = 1; !stop; n = n % 50 + 1)
        std::ignore = machine.create(n, n % 2 == 0 ? kFirst : kSecond);
    });
    machine.core.pause(std::chrono::milliseconds(2));
    machine.loaded->unload(machine.core);
    CHECK(machine.names("bus/mdev/devices").empty());
    CHECK(machine.names("class/mdev_bus").empty());
    CHECK_FALSE(machine.exists("bus/css"));
    stop = true;
    for (std::thread* thread : {&binder, &prober, &unbinder, &creator}) thread->join();
    CHECK(machine.core.device_count() == 0);
  }
}

TEST_CASE("vfio_ccw: parents come and go by the control files") {
  Machine machine;
  control::Control control(machine.core);
  REQUIRE(machine.make_directory("kernel/config/mdevfs/z") == 0);
  const std::string unit = "kernel/config/mdevfs/z/";
  REQUIRE(machine.store(unit + "backend", "vfio_ccw") == 0);
  REQUIRE(machine.store(unit + "live", "1") == 0);
  CHECK(machine.show(unit + "parent_names") == "0.0.0000\n");
  CHECK(machine.show(unit + "parents/0.0.0000/live") == "1\n");
  const std::string parent = unit + "parents/" + kFirst;
  REQUIRE(machine.make_directory(parent) == 0);
  CHECK(machine.store(parent + "/dev_busid", "x") == EINVAL);
  CHECK(machine.store(parent + "/dev_busid", "none") == 0);
  CHECK(machine.store(parent + "/chpids", "1 2 3 4 5 6 7 8 9") == EINVAL);
  CHECK(machine.store(parent + "/driver", "zfcp") == EINVAL);
  REQUIRE(machine.store(parent + "/device", "1") == 0);
  CHECK(machine.exists(kIo + kFirst));
  CHECK(machine.show(parent + "/live") == "0\n");
  REQUIRE(machine.store(parent + "/live", "1") == 0);
  CHECK(machine.exists(kVfioCcw + kFirst));
  CHECK(machine.show(subchannel(kFirst) + "dev_busid") == "none\n");
  CHECK(machine.store(parent + "/live", "1") == ENOMEM);
  CHECK(machine.remove_directory(parent) == EBUSY);
  // Who unbinds it by hand has unregistered it.
  REQUIRE(machine.store(kVfioCcw + "unbind", kFirst) == 0);
  CHECK(machine.show(parent + "/live") == "0\n");
  REQUIRE(machine.store(parent + "/live", "1") == 0);
  REQUIRE(machine.store(parent + "/live", "0") == 0);
  CHECK(machine.exists(subchannel(kFirst)));
  REQUIRE(machine.remove_directory(parent) == 0);
  CHECK_FALSE(machine.exists("devices/css0/" + kFirst));
  REQUIRE(machine.make_directory(unit + "parents/odd") == 0);
  CHECK(machine.store(unit + "parents/odd/live", "1") == EINVAL);
  REQUIRE(machine.store(unit + "live", "0") == 0);
  CHECK_FALSE(machine.exists("bus/css"));
}
