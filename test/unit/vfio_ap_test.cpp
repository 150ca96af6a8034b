// SPDX-License-Identifier: Apache-2.0
//
// The backend vfio_ap: the bus ap and what is on it, the parent matrix, and what its devices are put together
// from. The machine has the cards 05 and 06 with the domains 0004 and 00ab unless a test says otherwise.
#include <atomic>
#include <thread>

#include "catch.h"
#include "control/control.h"
#include "probe_driver.h"
#include "uevent_lines.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kMatrix = "devices/vfio_ap/matrix";
const std::string kType = kMatrix + "/mdev_supported_types/vfio_ap-passthrough";
const std::string kAp = "bus/ap/";
const std::string kZeros(60, '0');

std::string device(unsigned n) {
  return kMatrix + "/" + uuid(n) + "/";
}

struct ApMachine : Machine {
  ApMachine(std::initializer_list<backends::Values::value_type> values = {}) {
    loaded = backends::find("vfio_ap")->load(core, {.name = "vfio_ap", .values = values}).value();
  }
  int create(unsigned n) { return store(kType + "/create", uuid(n)); }
  int assign(unsigned n, const std::string& what, std::string_view text) {
    return store(device(n) + "assign_" + what, text);
  }
  int unassign(unsigned n, const std::string& what, std::string_view text) {
    return store(device(n) + "unassign_" + what, text);
  }
  std::string matrix(unsigned n) { return show(device(n) + "matrix"); }
  std::string guest(unsigned n) { return show(device(n) + "guest_matrix"); }
  std::string driver_of(const std::string& queue) {
    const auto link = core.tree().readlink(find(kAp + "devices/" + queue));
    const auto driver = find("devices/ap/card" + queue.substr(0, 2) + "/" + queue + "/driver");
    if (!link || !driver.object) return "none";
    const auto target = core.tree().readlink(driver);
    return target->substr(target->rfind('/') + 1);
  }
  std::string mode(const std::string& path) {
    char text[8];
    std::snprintf(text, sizeof text, "%04o", core.tree().stat(find(path)).mode);
    return text;
  }

  std::shared_ptr<backends::Loaded> loaded;
};

}  // namespace

TEST_CASE("vfio_ap: the parent and its type") {
  ApMachine machine;
  CHECK(*machine.core.tree().readlink(machine.find("class/mdev_bus/matrix")) ==
        "../../devices/vfio_ap/matrix");
  CHECK(*machine.core.tree().readlink(machine.find("bus/matrix/devices/matrix")) ==
        "../../../devices/vfio_ap/matrix");
  CHECK(*machine.core.tree().readlink(machine.find("devices/vfio_ap/module")) == "../../module/vfio_ap");
  CHECK(machine.exists("bus/matrix/drivers/vfio_ap/matrix"));
  CHECK_FALSE(machine.exists("bus/matrix/drivers/vfio_ap/unbind"));
  CHECK_FALSE(machine.exists("bus/matrix/drivers/vfio_ap/bind"));
  CHECK(machine.exists("bus/mdev/drivers/vfio_ap_mdev"));
  CHECK(machine.exists("module/vfio_ap/drivers/mdev:vfio_ap_mdev"));
  CHECK(machine.exists("module/vfio_ap/drivers/ap:vfio_ap"));
  CHECK(machine.exists("module/vfio_ap/drivers/matrix:vfio_ap"));
  CHECK(machine.names(kMatrix + "/mdev_supported_types") == "vfio_ap-passthrough");
  CHECK(machine.show(kType + "/name") == "VFIO AP Passthrough Device\n");
  CHECK(machine.show(kType + "/device_api") == "vfio-ap\n");
  CHECK(machine.show(kType + "/available_instances") == "65536\n");
  CHECK_FALSE(machine.exists(kType + "/description"));
  CHECK_FALSE(machine.exists(kMatrix + "/features"));
}

TEST_CASE("vfio_ap: the core counts its devices") {
  ApMachine machine{{"max_instances", "2"}};
  REQUIRE(machine.create(1) == 0);
  CHECK(machine.show(kType + "/available_instances") == "1\n");
  REQUIRE(machine.create(2) == 0);
  CHECK(machine.create(3) == EUSERS);
  CHECK(machine.create(2) == EEXIST);
  REQUIRE(machine.store(device(1) + "remove", "1") == 0);
  CHECK(machine.show(kType + "/available_instances") == "1\n");
  CHECK(machine.create(3) == 0);
}

TEST_CASE("vfio_ap: a device's files stand in its own directory") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  for (const char* what : {"adapter", "domain", "control_domain"}) {
    CHECK(machine.mode(device(1) + "assign_" + what) == "0200");
    CHECK(machine.mode(device(1) + "unassign_" + what) == "0200");
  }
  for (const char* file : {"matrix", "guest_matrix", "control_domains"}) {
    CHECK(machine.mode(device(1) + file) == "0444");
    CHECK(machine.show(device(1) + file).empty());
  }
  CHECK_FALSE(machine.exists(device(1) + "ap_config"));
  CHECK(machine.exists(device(1) + "vfio-dev/vfio0"));
  CHECK(machine.exists("kernel/iommu_groups/0/devices/" + uuid(1)));
  REQUIRE(machine.store("bus/mdev/drivers/vfio_ap_mdev/unbind", uuid(1)) == 0);
  CHECK_FALSE(machine.exists(device(1) + "matrix"));
}

TEST_CASE("vfio_ap: the matrix as it is put together") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  CHECK(machine.assign(1, "adapter", "5\n") == 0);
  CHECK(machine.matrix(1) == "05.\n");
  CHECK(machine.assign(1, "adapter", "0x6") == 0);
  CHECK(machine.matrix(1) == "05.\n06.\n");
  CHECK(machine.assign(1, "domain", "0253") == 0);
  CHECK(machine.assign(1, "domain", "4") == 0);
  CHECK(machine.matrix(1) == "05.0004\n05.00ab\n06.0004\n06.00ab\n");
  CHECK(machine.guest(1) == machine.matrix(1));
  CHECK(machine.assign(1, "control_domain", "171") == 0);
  CHECK(machine.assign(1, "control_domain", "4") == 0);
  CHECK(machine.show(device(1) + "control_domains") == "0004\n00ab\n");
  CHECK(machine.unassign(1, "adapter", "5") == 0);
  CHECK(machine.unassign(1, "adapter", "6") == 0);
  CHECK(machine.matrix(1) == ".0004\n.00ab\n");
  CHECK(machine.unassign(1, "domain", "4") == 0);
  CHECK(machine.unassign(1, "control_domain", "0xab") == 0);
  CHECK(machine.matrix(1) == ".00ab\n");
  CHECK(machine.show(device(1) + "control_domains") == "0004\n");
}

TEST_CASE("vfio_ap: what is assigned already, or not, is no error") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  for (const char* what : {"adapter", "domain", "control_domain"}) {
    CHECK(machine.unassign(1, what, "7") == 0);
    CHECK(machine.assign(1, what, "7") == 0);
    CHECK(machine.assign(1, what, "7") == 0);
  }
}

TEST_CASE("vfio_ap: what is no number, or too big a one, changes nothing") {
  ApMachine machine{{"max_adapter", "63"}, {"max_domain", "171"}};
  REQUIRE(machine.create(1) == 0);
  for (const char* what : {"adapter", "domain", "control_domain"}) {
    for (const char* text : {"", "\n", "x", "-1", "5 ", "5\n\n", "05.0004", "08"}) {
      CAPTURE(what, text);
      CHECK(machine.assign(1, what, text) == EINVAL);
      CHECK(machine.unassign(1, what, text) == EINVAL);
    }
    CHECK(machine.assign(1, what, "18446744073709551616") == ERANGE);
    CHECK(machine.assign(1, what, "172") == ENODEV);
    CHECK(machine.unassign(1, what, "172") == ENODEV);
  }
  CHECK(machine.assign(1, "adapter", "64") == ENODEV);
  CHECK(machine.assign(1, "adapter", "63") == 0);
  CHECK(machine.assign(1, "domain", "171") == 0);
  CHECK(machine.matrix(1) == "3f.00ab\n");
}

TEST_CASE("vfio_ap: a queue is one device's") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.create(2) == 0);
  REQUIRE(machine.assign(1, "adapter", "5") == 0);
  REQUIRE(machine.assign(1, "domain", "4") == 0);
  CHECK(machine.assign(2, "adapter", "5") == 0);
  CHECK(machine.assign(2, "domain", "4") == EADDRINUSE);
  CHECK(machine.core.log().lines().back() ==
        "<4> vfio_ap_mdev " + uuid(2) +
            ": Userspace may not assign queue 05.0004 to mdev: already assigned to " + uuid(1));
  CHECK(machine.matrix(2) == "05.\n");
  CHECK(machine.assign(2, "domain", "0xab") == 0);
  CHECK(machine.assign(1, "domain", "0xab") == EADDRINUSE);
  CHECK(machine.assign(2, "control_domain", "4") == 0);
  CHECK(machine.assign(1, "control_domain", "4") == 0);
  REQUIRE(machine.store(device(1) + "remove", "1") == 0);
  CHECK(machine.assign(2, "domain", "4") == 0);
}

TEST_CASE("vfio_ap: what is the host's cannot be assigned, what is assigned cannot become the host's") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.store(kAp + "aqmask", "+4") == 0);
  REQUIRE(machine.assign(1, "adapter", "5") == 0);
  CHECK(machine.assign(1, "domain", "4") == EADDRNOTAVAIL);
  CHECK(machine.matrix(1) == "05.\n");
  REQUIRE(machine.assign(1, "domain", "0xab") == 0);
  CHECK(machine.store(kAp + "aqmask", "+0xab") == EBUSY);
  CHECK(machine.core.log().lines().back() ==
        "<4> vfio_ap_mdev " + uuid(1) + ": Can not reserve queue 05.00ab for host driver: in use by mdev");
  CHECK(machine.show(kAp + "aqmask") == "0x08" + kZeros + "00\n");
  CHECK(machine.driver_of("05.00ab") == "vfio_ap");
  REQUIRE(machine.store(kAp + "apmask", "-5") == 0);
  CHECK(machine.store(kAp + "aqmask", "+0xab") == 0);
  CHECK(machine.store(kAp + "apmask", "+5") == EBUSY);
  CHECK(machine.assign(1, "domain", "4") == 0);
  CHECK(machine.assign(1, "adapter", "6") == EADDRNOTAVAIL);
}

TEST_CASE("vfio_ap: the masks move queues between the host's driver and vfio_ap, and guests follow") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.assign(1, "adapter", "5") == 0);
  REQUIRE(machine.assign(1, "domain", "4") == 0);
  CHECK(machine.show(kAp + "bindings") == "4/4 (complete)\n");
  CHECK(machine.driver_of("06.0004") == "vfio_ap");
  CHECK(machine.store(kAp + "aqmask", "+0xab") == 0);
  CHECK(machine.driver_of("06.00ab") == "cex4queue");
  CHECK(machine.driver_of("06.0004") == "vfio_ap");
  CHECK(machine.show(kAp + "bindings") == "4/4 (complete)\n");
  const std::string queue = "devices/ap/card06/06.00ab/";
  CHECK(machine.show(queue + "online") == "1\n");
  CHECK_FALSE(machine.exists(queue + "status"));
  // By hand a queue goes only to a driver of the kind that it is for.
  REQUIRE(machine.store(kAp + "drivers/cex4queue/unbind", "06.00ab") == 0);
  CHECK(machine.show(kAp + "bindings") == "3/4\n");
  CHECK(machine.store(kAp + "drivers/vfio_ap/bind", "06.00ab") == ENODEV);
  CHECK(machine.store(kAp + "drivers/cex4queue/bind", "06.00ab") == 0);
  CHECK(machine.store(kAp + "aqmask", "0") == 0);
  CHECK(machine.driver_of("06.00ab") == "vfio_ap");
  CHECK(machine.show(queue + "status") == "unassigned\n");
  CHECK_FALSE(machine.exists(queue + "online"));
  CHECK(machine.show("devices/ap/card05/05.0004/status") == "assigned\n");
  // A queue that is taken from vfio_ap takes its adapter from the guest, until it is back.
  REQUIRE(machine.assign(1, "domain", "0xab") == 0);
  REQUIRE(machine.store(kAp + "drivers/vfio_ap/unbind", "05.0004") == 0);
  CHECK(machine.matrix(1) == "05.0004\n05.00ab\n");
  CHECK(machine.guest(1) == ".0004\n.00ab\n");
  REQUIRE(machine.assign(1, "adapter", "6") == 0);
  CHECK(machine.guest(1) == "06.0004\n06.00ab\n");
  REQUIRE(machine.unassign(1, "adapter", "6") == 0);
  CHECK(machine.store(kAp + "drivers_probe", "05.0004") == 0);
  CHECK(machine.guest(1) == "05.0004\n05.00ab\n");
}

TEST_CASE("vfio_ap: a guest has no adapter that lacks a queue, and no domain that the machine lacks") {
  ApMachine machine;
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.assign(1, "domain", "4") == 0);
  REQUIRE(machine.assign(1, "adapter", "5") == 0);
  REQUIRE(machine.assign(1, "adapter", "7") == 0);
  REQUIRE(machine.assign(1, "domain", "8") == 0);
  CHECK(machine.matrix(1) == "05.0004\n05.0008\n07.0004\n07.0008\n");
  CHECK(machine.guest(1) == "05.0004\n");
}

TEST_CASE("vfio_ap: texts of masks") {
  ApMachine machine;
  const auto apmask = [&](std::string_view text) {
    const int error = machine.store(kAp + "apmask", text);
    return error == 0 ? machine.show(kAp + "apmask") : "errno " + std::to_string(error);
  };
  const auto mask = [](const std::string& digits) {
    return "0x" + digits + std::string(64 - digits.size(), '0') + "\n";
  };
  CHECK(apmask("0x0\n") == mask(""));
  CHECK(apmask("0xAbC") == mask("abc"));
  CHECK(apmask("41") == mask("41"));
  CHECK(apmask("x41") == mask("41"));
  CHECK(apmask("+0x3,-1,-0xf\n") == mask("11"));
  CHECK(apmask("+0-255,-4-0x7") == "0xf0" + std::string(62, 'f') + "\n");
  CHECK(apmask("0x" + std::string(64, '8')) == "0x" + std::string(64, '8') + "\n");
  for (const std::string& text : {"0x" + std::string(65, '8'), std::string("0xg"), std::string("0x1 "),
                                  std::string("+256"), std::string("+"), std::string("+5-4"),
                                  std::string("+5-256"), std::string("+5,6"), std::string("- 5")}) {
    CAPTURE(text);
    CHECK(apmask(text) == "errno 22");
  }
  CHECK(machine.show(kAp + "apmask") == "0x" + std::string(64, '8') + "\n");
}

TEST_CASE("vfio_ap: ap_config is written whole or not at all") {
  ApMachine machine{{"ap_config", "1"}, {"max_adapter", "63"}};
  CHECK(machine.show(kMatrix + "/features") == "guest_matrix dyn ap_config\n");
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.create(2) == 0);
  const std::string config = device(1) + "ap_config";
  const auto mask = [](const std::string& digits) {
    return "0x" + digits + std::string(64 - digits.size(), '0');
  };
  const std::string none = mask("") + "," + mask("") + "," + mask("") + "\n";
  CHECK(machine.mode(config) == "0644");
  CHECK(machine.show(config) == none);
  const std::string some = mask("04") + "," + mask("08") + "," + mask("08") + "\n";
  CHECK(machine.store(config, some) == 0);
  CHECK(machine.show(config) == some);
  CHECK(machine.matrix(1) == "05.0004\n");
  CHECK(machine.guest(1) == "05.0004\n");
  CHECK(machine.show(device(1) + "control_domains") == "0004\n");
  CHECK(machine.store(device(2) + "ap_config", some) == EADDRINUSE);
  CHECK(machine.show(device(2) + "ap_config") == none);
  CHECK(machine.store(config, mask("0000000000000000"
                                   "8") +
                                  "," + mask("") + "," + mask("")) == ENODEV);
  for (const std::string& text : {std::string("0x04"), std::string("0x04,0x08"),
                                  std::string("0x04,0x0g,0x08"), std::string("+5,+4,+4")}) {
    CAPTURE(text);
    CHECK(machine.store(config, text) == EINVAL);
  }
  REQUIRE(machine.store(kAp + "aqmask", "+0xab") == 0);
  CHECK(machine.store(config, "0x04,0x08" + std::string(40, '0') + "1,0\n") == EADDRNOTAVAIL);
  CHECK(machine.show(config) == some);
  CHECK(machine.store(config, "0x02,0x08,0\n") == 0);
  CHECK(machine.matrix(1) == "06.0004\n");
  CHECK(machine.guest(1) == "06.0004\n");
  CHECK(machine.store(device(2) + "ap_config", some) == 0);
}

TEST_CASE("vfio_ap: the files of the bus") {
  ApMachine machine{
      {"apmask", "0xfd" + std::string(62, 'f')}, {"aqmask", "0x08"}, {"control_domains", "0 1"}};
  CHECK(machine.show(kAp + "apmask") == "0xfd" + std::string(62, 'f') + "\n");
  CHECK(machine.show(kAp + "ap_adapter_mask") == "0x06" + kZeros + "00\n");
  CHECK(machine.show(kAp + "ap_usage_domain_mask") ==
        "0x08" + std::string(40, '0') + "1" + std::string(21, '0') + "\n");
  CHECK(machine.show(kAp + "ap_control_domain_mask") == "0xc0" + kZeros + "00\n");
  CHECK(machine.show(kAp + "ap_max_adapter_id") == "255\n");
  CHECK(machine.show(kAp + "ap_max_domain_id") == "255\n");
  CHECK(machine.show(kAp + "ap_interrupts") == "1\n");
  CHECK(machine.show(kAp + "ap_domain") == "4\n");
  CHECK(machine.store(kAp + "ap_domain", "5") == EINVAL);
  CHECK(machine.store(kAp + "ap_domain", "0x4") == 0);
  CHECK(machine.show(kAp + "config_time") == "30\n");
  for (const char* text : {"4", "121", "x", "-5"}) CHECK(machine.store(kAp + "config_time", text) == EINVAL);
  CHECK(machine.store(kAp + "config_time", " 60 seconds") == 0);
  CHECK(machine.show(kAp + "config_time") == "60\n");
  CHECK(machine.show(kAp + "poll_timeout") == "250000\n");
  CHECK(machine.store(kAp + "poll_timeout", "0") == EINVAL);
  CHECK(machine.store(kAp + "poll_timeout", "120000000000") == 0);
  CHECK(machine.store(kAp + "poll_thread", "1") == 0);  // there are interrupts
  CHECK(machine.show(kAp + "poll_thread") == "0\n");
  CHECK(machine.store(kAp + "poll_thread", "x") == EINVAL);
  CHECK(machine.show(kAp + "scans") == "1\n");
  CHECK(machine.store(kAp + "scans", "x") == 0);
  CHECK(machine.show(kAp + "scans") == "2\n");
  CHECK(machine.driver_of("05.0004") == "cex4queue");
  CHECK(machine.driver_of("06.0004") == "vfio_ap");
  CHECK(machine.mode(kAp + "apmask") == "0644");
  CHECK(machine.mode(kAp + "bindings") == "0444");
}

TEST_CASE("vfio_ap: cards and queues") {
  ApMachine machine{{"aqmask", "0x08"}};
  const std::string card = "devices/ap/card05/";
  CHECK(*machine.core.tree().readlink(machine.find(kAp + "devices/05.0004")) ==
        "../../../devices/ap/card05/05.0004");
  CHECK(machine.show(card + "type") == "CEX8C\n");
  CHECK(machine.show(card + "hwtype") == "14\n");
  CHECK(machine.show(card + "raw_hwtype") == "14\n");
  CHECK(machine.show(card + "modalias") == "ap:t0E\n");
  CHECK(machine.show(card + "ap_functions") == "0x92000000\n");
  CHECK(machine.show(card + "depth") == "8\n");
  CHECK(machine.show(card + "max_msg_size") == "12288\n");
  CHECK(machine.show(card + "uevent") ==
        "DEVTYPE=ap_card\nDRIVER=cex4card\nDEV_TYPE=000E\nMODALIAS=ap:t0E\nMODE=cca\n");
  CHECK(machine.show(card + "05.0004/uevent") == "DEVTYPE=ap_queue\nDRIVER=cex4queue\nMODE=cca\n");
  CHECK(machine.show(card + "05.0004/request_count") == "0\n");
  CHECK(machine.show(card + "05.00ab/request_count") == "-\n");
  CHECK(machine.show(card + "05.0004/interrupt") == "Interrupts enabled.\n");
  CHECK(machine.store(card + "online", "2") == EINVAL);
  REQUIRE(machine.store(card + "online", "0") == 0);
  CHECK(machine.show(card + "05.0004/online") == "0\n");
  CHECK(machine.store(card + "05.0004/online", "1") == EINVAL);
  REQUIRE(machine.store(card + "config", "0") == 0);
  CHECK(machine.show(card + "05.00ab/config") == "0\n");
  CHECK(machine.store(card + "online", "1") == ENODEV);
  CHECK(machine.store(card + "05.0004/online", "1") == ENODEV);
  CHECK(machine.store(card + "config", "x") == EINVAL);
  REQUIRE(machine.store(card + "config", "1") == 0);
  REQUIRE(machine.store(card + "online", "1") == 0);
  CHECK(machine.show(card + "05.0004/online") == "1\n");
}

TEST_CASE("vfio_ap: what is heard of a change of the masks") {
  ApMachine machine;
  const UeventLines hearer(machine.core, "ap");
  REQUIRE(machine.store(kAp + "aqmask", "+0xab,-0xab") == 0);
  CHECK(hearer.lines.empty());
  REQUIRE(machine.store(kAp + "aqmask", "0x08") == 0);
  const std::string queue = "@/devices/ap/card05/05.0004 ap DEVTYPE=ap_queue";
  REQUIRE(hearer.lines.size() == 7);
  CHECK(hearer.lines[0] == "unbind" + queue + " MODE=cca");
  CHECK(hearer.lines[1] == "change@/devices/ap ap BINDINGS=complete COMPLETECOUNT=2");
  CHECK(hearer.lines[2] == "bind" + queue + " DRIVER=cex4queue MODE=cca");
  CHECK(hearer.lines[6] == "change@/devices/ap ap AQMASK=0x08" + kZeros + "00\n");
}

TEST_CASE("vfio_ap: unloading takes all of it, with devices on it, and loading brings the same") {
  ApMachine machine;
  const auto tree = [&] {
    return machine.names("bus/ap") + "|" + machine.names("bus/ap/devices") + "|" +
           machine.names("devices/ap/card06") + "|" + machine.names("devices/ap/card06/06.0004") + "|" +
           machine.names(kMatrix) + "|" + machine.names("bus/ap/drivers/vfio_ap") + "|" +
           machine.names("module/vfio_ap/drivers") + "|" + machine.show(kType + "/available_instances") +
           machine.show(kAp + "aqmask");
  };
  const std::string before = tree();
  REQUIRE(machine.create(1) == 0);
  REQUIRE(machine.assign(1, "adapter", "5") == 0);
  REQUIRE(machine.store(kAp + "aqmask", "+1") == 0);
  const auto create = machine.find(kType + "/create");
  const auto mask = machine.find(kAp + "aqmask");
  machine.loaded->unload(machine.core);
  for (const char* gone : {"bus/ap", "bus/matrix", "devices/ap", "devices/vfio_ap", "module/vfio_ap",
                           "class/mdev_bus/matrix", "bus/mdev/drivers/vfio_ap_mdev"})
    CHECK_FALSE(machine.exists(gone));
  CHECK(machine.names("bus/mdev/devices").empty());
  CHECK(machine.names("kernel/iommu_groups").empty());
  CHECK(Machine::store(create, uuid(2)) == ENODEV);
  CHECK(Machine::store(mask, "+1") == ENODEV);
  machine.loaded = backends::find("vfio_ap")->load(machine.core, {.name = "vfio_ap"}).value();
  CHECK(tree() == before);
  CHECK(machine.create(1) == 0);
  CHECK(machine.matrix(1).empty());
}

TEST_CASE("vfio_ap: unloading waits for a create") {
  ApMachine machine;
  REQUIRE(machine.store("kernel/debug/mdevfs/matrix/probe_delay_ms", "200") == 0);
  int created = -1;
  std::thread creator([&] { created = machine.create(1); });
  while (!machine.exists("bus/mdev/devices/" + uuid(1))) std::this_thread::yield();
  machine.loaded->unload(machine.core);
  creator.join();
  CHECK(created == 0);
  CHECK(machine.names("bus/mdev/devices").empty());
  CHECK_FALSE(machine.exists("bus/ap"));
}

TEST_CASE("vfio_ap: unloading while others move queues and assign them") {
  for (int round = 0; round < 20; ++round) {
    ApMachine machine;
    REQUIRE(machine.create(1) == 0);
    const auto mask = machine.find(kAp + "aqmask");
    const auto adapter = machine.find(device(1) + "assign_adapter");
    const auto probe = machine.find(kAp + "drivers_probe");
    std::atomic<bool> stop{false};
    std::thread mover([&] {
      while (!stop) std::ignore = Machine::store(mask, "+4") + Machine::store(mask, "-4");
    });
    std::thread prober([&] {
      while (!stop) std::ignore = Machine::store(probe, "05.0004");
    });
    std::thread assigner([&] {
      while (!stop) std::ignore = Machine::store(adapter, "5");
    });
    machine.core.pause(std::chrono::milliseconds(2));
    machine.loaded->unload(machine.core);
    CHECK(machine.names("bus/mdev/devices").empty());
    CHECK_FALSE(machine.exists("bus/ap"));
    CHECK_FALSE(machine.exists("devices/ap"));
    stop = true;
    for (std::thread* thread : {&mover, &prober, &assigner}) thread->join();
  }
}

TEST_CASE("vfio_ap: there is one of it, and what it is described by is looked at") {
  ApMachine machine;
  const auto* const backend = backends::find("vfio_ap");
  CHECK(backend->load(machine.core, {.name = "again"}).error() == model::Errno{EEXIST});
  CHECK(machine.exists(kMatrix));
  machine.loaded->unload(machine.core);
  const auto load = [&](backends::Values values, const std::string& card) {
    return backend->load(machine.core,
                         {.name = "u", .values = std::move(values), .items = {{"cards", {{card, {}}}}}});
  };
  CHECK(load({}, "x").error() == model::Errno{EINVAL});
  CHECK(load({{"max_adapter", "9"}}, "0a").error() == model::Errno{EINVAL});
  CHECK(load({{"max_domain", "170"}}, "0a").error() == model::Errno{EINVAL});
  CHECK(load({{"max_adapter", "10"}}, "0a").has_value());
  CHECK(machine.names("devices/ap") == "uevent power card0a");
}

TEST_CASE("vfio_ap: by the control files") {
  Machine machine;
  control::Control control(machine.core);
  const std::string unit = "kernel/config/mdevfs/z/";
  REQUIRE(machine.make_directory("kernel/config/mdevfs/z") == 0);
  REQUIRE(machine.store(unit + "backend", "vfio_ap") == 0);
  REQUIRE(machine.make_directory(unit + "cards/0a") == 0);
  CHECK(machine.store(unit + "cards/0a/domains", "0006 100") == EINVAL);
  CHECK(machine.store(unit + "cards/0a/domains", "0006 0047\n") == 0);
  CHECK(machine.store(unit + "cards/0a/type", "CEX9C") == EINVAL);
  CHECK(machine.store(unit + "cards/0a/type", "CEX5A") == 0);
  CHECK(machine.store(unit + "apmask", "0xz") == EINVAL);
  CHECK(machine.store(unit + "apmask", "-10") == 0);
  CHECK(machine.store(unit + "aqmask", "+0-255") == 0);
  REQUIRE(machine.store(unit + "live", "1") == 0);
  CHECK(machine.show(unit + "parent_names") == "matrix\n");
  CHECK(machine.show("devices/ap/card0a/type") == "CEX5A\n");
  CHECK(machine.names("bus/ap/drivers/vfio_ap").find("0a.0047") != std::string::npos);
  REQUIRE(machine.store(unit + "live", "0") == 0);
  CHECK_FALSE(machine.exists("bus/ap"));
  REQUIRE(machine.store(unit + "live", "1") == 0);
  CHECK(machine.show("bus/ap/bindings") == "2/2 (complete)\n");
}
