// SPDX-License-Identifier: Apache-2.0
//
// Which uevents are sent, in which order and with which keys, and what the kernel log says meanwhile.
#include <thread>

#include "catch.h"
#include "probe_driver.h"
#include "uevent_lines.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

using Lines = std::vector<std::string>;

const std::string kV = "/" + Bench::kParent;

// The log's lines from now on.
class LogLines {
 public:
  explicit LogLines(model::Core& core) : core_(core), known_(core.log().lines().size()) {}
  Lines take() {
    const auto all = core_.log().lines();
    const auto from = std::exchange(known_, all.size());
    return {all.begin() + static_cast<std::ptrdiff_t>(from), all.end()};
  }

 private:
  model::Core& core_;
  std::size_t known_;
};

}  // namespace

TEST_CASE("a device with vfio is announced, its group, its vfio device, and last that it is bound") {
  Bench bench(3, true);
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  const auto device = kV + "/" + uuid(1);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(hearer.take() ==
        Lines{"add@" + device + " mdev", "add@/devices/virtual/vfio/0 vfio MAJOR=246 MINOR=0 DEVNAME=vfio/0",
              "add@" + device + "/vfio-dev/vfio0 vfio-dev", "bind@" + device + " mdev DRIVER=slow"});
  CHECK(log.take() == Lines{"<6> slow " + uuid(1) + ": Adding to iommu group 0"});
  REQUIRE(bench.remove(uuid(1)) == 0);
  CHECK(hearer.take() == Lines{"remove@" + device + "/vfio-dev/vfio0 vfio-dev",
                               "remove@/devices/virtual/vfio/0 vfio MAJOR=246 MINOR=0 DEVNAME=vfio/0",
                               "unbind@" + device + " mdev", "remove@" + device + " mdev"});
  CHECK(log.take() == Lines{"<6> slow " + uuid(1) + ": Removing from iommu group 0"});
}

TEST_CASE("a failing probe is an add and a remove, a refused create is nothing") {
  Bench bench(1);
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  const auto device = kV + "/" + uuid(1);
  bench.driver->probe_errno = ENOSPC;
  CHECK(bench.create(uuid(1)) == ENOSPC);
  CHECK(hearer.take() == Lines{"add@" + device + " mdev", "remove@" + device + " mdev"});
  CHECK(log.take() == Lines{"<3> slow " + uuid(1) + ": probe with driver slow failed with error -28"});
  for (const int quiet : {ENODEV, ENXIO, model::kProbeDeferred}) {
    bench.driver->probe_errno = quiet;
    CHECK(bench.create(uuid(1)) != 0);
    CHECK(hearer.take().size() == 2);
    CHECK(log.take().empty());
  }
  bench.driver->probe_errno = -EIO;  // the driver's own mistake
  CHECK(bench.create(uuid(1)) == EIO);
  CHECK(log.take() == Lines{"<3> slow " + uuid(1) + ": probe with driver slow failed with error 5"});
  bench.driver->probe_errno = 0;
  REQUIRE(bench.create(uuid(1)) == 0);
  hearer.take();
  CHECK(bench.create(uuid(1)) == EEXIST);
  CHECK(bench.create(uuid(2)) == EUSERS);
  CHECK(hearer.take().empty());
  CHECK(log.take().empty());
}

TEST_CASE("the add is sent before the driver's probe, the remove after its remove") {
  Bench bench;
  UeventLines hearer(bench.core);
  bench.driver->at_probe.close();
  std::thread creator([&] { CHECK(bench.create(uuid(1)) == 0); });
  REQUIRE(bench.driver->at_probe.wait_for(1));
  CHECK(hearer.take() == Lines{"add@" + kV + "/" + uuid(1) + " mdev"});
  bench.driver->at_probe.open();
  creator.join();
  hearer.take();
  bench.driver->at_remove.close();
  std::thread remover([&] { CHECK(bench.remove(uuid(1)) == 0); });
  REQUIRE(bench.driver->at_remove.wait_for(1));
  CHECK(hearer.take().empty());
  bench.driver->at_remove.open();
  remover.join();
  CHECK(hearer.take().size() == 2);
}

TEST_CASE("an unbound device has nothing more to unbind") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  UeventLines hearer(bench.core);
  REQUIRE(bench.store("bus/mdev/drivers/slow/unbind", uuid(1)) == 0);
  CHECK(hearer.take() == Lines{"unbind@" + kV + "/" + uuid(1) + " mdev"});
  REQUIRE(bench.store(kV.substr(1) + "/" + uuid(1) + "/uevent", "add") == 0);
  CHECK(hearer.take() == Lines{"add@" + kV + "/" + uuid(1) + " mdev SYNTH_UUID=0"});
  REQUIRE(bench.remove(uuid(1)) == 0);
  CHECK(hearer.take() == Lines{"remove@" + kV + "/" + uuid(1) + " mdev"});
}

TEST_CASE("unregistering announces the devices in the order of their creation, and itself last") {
  Bench bench;
  for (const unsigned n : {3U, 1U, 2U}) REQUIRE(bench.create(uuid(n)) == 0);
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  bench.core.unregister_parent(*bench.parent);
  Lines expected;
  for (const unsigned n : {3U, 1U, 2U}) {
    expected.push_back("unbind@" + kV + "/" + uuid(n) + " mdev");
    expected.push_back("remove@" + kV + "/" + uuid(n) + " mdev");
  }
  expected.push_back("change@" + kV + " slow MDEV_STATE=unregistered");
  CHECK(hearer.take() == expected);
  CHECK(log.take() == Lines{"<6> slow slow: MDEV: Unregistering"});
  bench.register_parent();
  CHECK(hearer.take() == Lines{"change@" + kV + " slow MDEV_STATE=registered"});
  CHECK(log.take() == Lines{"<6> slow slow: MDEV: Registered"});
}

TEST_CASE("a module is announced when all that it brings is, and gone when all that is") {
  Bench bench;
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  REQUIRE(backends::find("mtty")->load(bench.core, {}));
  CHECK(hearer.take() == Lines{"add@/bus/mdev/drivers/mtty drivers", "add@/class/mtty class",
                               "add@/devices/virtual/mtty/mtty mtty",
                               "change@/devices/virtual/mtty/mtty mtty MDEV_STATE=registered",
                               "add@/module/mtty module"});
  CHECK(log.take() ==
        Lines{"<6> mtty_dev: mtty_dev_init", "<6> major_number:245", "<6> mtty mtty: MDEV: Registered"});
  bench.core.unload_module(*bench.core.find_module("mtty"));
  CHECK(hearer.take() == Lines{"change@/devices/virtual/mtty/mtty mtty MDEV_STATE=unregistered",
                               "remove@/devices/virtual/mtty/mtty mtty",
                               "remove@/bus/mdev/drivers/mtty drivers", "remove@/class/mtty class",
                               "remove@/module/mtty module"});
  CHECK(log.take() == Lines{"<6> mtty mtty: MDEV: Unregistering", "<6> mtty_dev: Unloaded!"});
  bench.core.unload_module(*bench.module);  // which has not come to the end of its loading
  CHECK(hearer.take().back() == "remove@/class/slow class");
}

TEST_CASE("the first module from outside the kernel's tree taints it") {
  model::Core core;
  LogLines log(core);
  CHECK(backends::find("mdpy")->load(core, {"mdpy", {{"count", "x"}}}).error() == model::Errno{EINVAL});
  CHECK(log.take() == Lines{"<4> mdpy: loading out-of-tree module taints kernel.",
                            "<5> mdpy: module verification failed: signature and/or required key missing - "
                            "tainting kernel",
                            "<3> mdpy: `x' invalid for parameter `count'"});
  REQUIRE(backends::find("mbochs")->load(core, {}));
  CHECK(log.take() == Lines{"<6> mbochs_dev_init: major 245", "<6> mbochs mbochs: MDEV: Registered"});
}

TEST_CASE("what is written to a uevent file is announced of its node") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  UeventLines hearer(bench.core);
  const auto device = Bench::kParent + "/" + uuid(1);
  struct Written {
    std::string path;
    std::string text;
    std::string heard;
  };
  const Written all[] = {
      {device, "change", " mdev SYNTH_UUID=0 DRIVER=slow"},
      {device, "change " + uuid(7) + " A=1 B=abc\n",
       " mdev SYNTH_UUID=" + uuid(7) + " SYNTH_ARG_A=1 SYNTH_ARG_B=abc DRIVER=slow"},
      {device + "/vfio-dev/vfio0", "change", " vfio-dev SYNTH_UUID=0"},
      {"devices/virtual/vfio/0", "change", " vfio SYNTH_UUID=0 MAJOR=246 MINOR=0 DEVNAME=vfio/0"},
      {Bench::kParent, "change", " slow SYNTH_UUID=0"},
      {"bus/mdev", "change", " bus SYNTH_UUID=0"},
      {"bus/mdev/drivers/slow", "change", " drivers SYNTH_UUID=0"},
      {"module/slowmdev", "change", " module SYNTH_UUID=0"},
  };
  for (const auto& [path, text, heard] : all) {
    CHECK(bench.store(path + "/uevent", text) == 0);
    CHECK(hearer.take() == Lines{"change@/" + path + heard});
  }
}

TEST_CASE("of a bad text for a uevent file the log says what is wrong, of a device's twice") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  const auto bad = [&](const std::string& path, const std::string& text) {
    CHECK(bench.store(path + "/uevent", text) == EINVAL);
    CHECK(hearer.take().empty());
    return log.take();
  };
  const auto device = Bench::kParent + "/" + uuid(1);
  const std::string failed = "uevent: failed to send synthetic uevent: -22";
  CHECK(bad(device, "ADD") == Lines{"<4> synth uevent: /" + device + ": unknown uevent action string",
                                    "<3> slow " + uuid(1) + ": " + failed});
  CHECK(bad(device, "add x") == Lines{"<4> synth uevent: /" + device + ": incorrect uevent action arguments",
                                      "<3> slow " + uuid(1) + ": " + failed});
  CHECK(bad(Bench::kParent, "x").back() == "<3> slow slow: " + failed);
  CHECK(bad("devices/virtual/vfio/0", "x").back() == "<3> vfio 0: " + failed);
  CHECK(bad("bus/mdev", "x") == Lines{"<4> synth uevent: /bus/mdev: unknown uevent action string"});
  REQUIRE(bench.store("bus/mdev/drivers/slow/unbind", uuid(1)) == 0);
  log.take();
  hearer.take();
  CHECK(bad(device, "x").back() == "<3> mdev " + uuid(1) + ": " + failed);
}

TEST_CASE("a name that is taken is told in the log, with nothing announced") {
  Bench bench;
  UeventLines hearer(bench.core);
  LogLines log(bench.core);
  const auto expected = [](const std::string& path, const std::string& name) {
    return Lines{"<4> sysfs: cannot create duplicate filename '" + path + "'", "<4> (stack trace)",
                 "<3> kobject: kobject_add_internal failed for " + name +
                     " with -EEXIST, don't try to register things with the same name in the same directory."};
  };
  CHECK_FALSE(bench.core.add_parent_device(*bench.module, bench.device_class, "slow"));
  CHECK(log.take() == expected(kV, "slow"));
  CHECK_FALSE(bench.core.register_parent(bench.device, bench.driver, {{"c", ""}}));
  CHECK(log.take() == expected(kV + "/mdev_supported_types", "mdev_supported_types"));
  CHECK(hearer.take().empty());
  const auto other = *bench.core.add_parent_device(*bench.module, bench.device_class, "other");
  CHECK_FALSE(bench.core.register_parent(other, bench.driver, {{"c", ""}, {"c", ""}}));
  CHECK(log.take() == expected("/devices/virtual/slow/other/mdev_supported_types/slow-c", "slow-c"));
  hearer.take();
  const auto twin = *bench.core.add_parent_device(
      *bench.module, bench.core.add_class(*bench.module, "twin").value(), "slow");
  REQUIRE(bench.core.register_parent(twin, bench.driver, {{"c", ""}}));
  CHECK(log.take() == Lines{"<4> sysfs: cannot create duplicate filename '/class/mdev_bus/slow'",
                            "<4> (stack trace)", "<4> twin slow: Failed to create compatibility class link",
                            "<6> twin slow: MDEV: Registered"});
}

TEST_CASE("a kernel without mdev and vfio loads no driver; both can go when nobody uses them") {
  model::Core core({}, model::Core::Boot::bare);
  CHECK(backends::find("mtty")->load(core, {}).error() == model::Errno{ENOENT});
  CHECK(core.unload_mdev().error() == model::Errno{ENOENT});
  REQUIRE(core.load_mdev());
  CHECK(core.load_mdev().error() == model::Errno{EEXIST});
  CHECK(backends::find("mtty")->load(core, {}).error() == model::Errno{ENOENT});
  REQUIRE(core.load_vfio());
  REQUIRE(backends::find("mtty")->load(core, {}));
  CHECK(core.unload_mdev().error() == model::Errno{EAGAIN});
  CHECK(core.unload_vfio().error() == model::Errno{EAGAIN});
  core.unload_module(*core.find_module("mtty"));
  CHECK(core.unload_vfio());
  CHECK(core.unload_mdev());
}

TEST_CASE("for a watcher that does not hear uevents none is made") {
  struct Deaf final : model::Watcher {
    void publish(model::Changes) noexcept override {}
    void wake(std::uint64_t) noexcept override {}
    void announce(model::Uevent) noexcept override { ++heard; }
    int heard = 0;
  } deaf;
  Bench bench(3, true);
  bench.core.tree().set_watcher(&deaf);
  CHECK(bench.create(uuid(1)) == 0);
  CHECK(bench.remove(uuid(1)) == 0);
  bench.core.tree().set_watcher(nullptr);
  CHECK(deaf.heard == 0);
}
