// SPDX-License-Identifier: Apache-2.0
//
// Whoever waits holds up nobody, whatever it waits for: the one who reads requests has let another take over.
#include <fcntl.h>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"
#include "test/slow_bus_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

Descriptor open_or_fail(KernelSide& kernel, std::string_view path, std::uint32_t flags) {
  const auto file = kernel.open(kernel.walk(path), flags);
  REQUIRE(file);
  return *file;
}

std::uint64_t start_echo(KernelSide& kernel, std::string_view text, std::string_view path) {
  return kernel.start_write(open_or_fail(kernel, path, O_WRONLY), text);
}

// Requests are read in order: what came before this one is being carried out when it is answered.
bool others_go_on(KernelSide& kernel) {
  return kernel.cat("bus/mdev/drivers_autoprobe").has_value();
}

const std::string kDevice = kSlow + "/" + uuid_of(1);

// A parent of a driver that can be held, with one device.
struct Slow {
  explicit Slow(model::KernelVersion version = model::kDefaultKernel)
      : core({}, model::Core::Boot::all, version) {
    REQUIRE(kernel.echo(uuid_of(1), kSlowCreate));
  }
  // Starts what stops at the turnstile, or behind it, and lets it through when others have gone by.
  void hold(Turnstile& turnstile, const std::function<std::vector<std::uint64_t>()>& start) {
    turnstile.close();
    const auto started = start();
    REQUIRE(turnstile.wait_for(1));
    CHECK(others_go_on(kernel));
    for (const auto unique : started) CHECK_FALSE(kernel.answered(unique));
    turnstile.open();
    for (const auto unique : started) CHECK(kernel.wait(unique).error == 0);
  }

  model::Core core;
  SlowParent parent = load_slow(core);
  SlowDriver& driver = *parent.driver;
  KernelSide kernel{core};
};

}  // namespace

TEST_CASE("a driver that takes its time holds up nobody") {
  Slow slow(GENERATE(model::KernelVersion{5, 10}, model::kDefaultKernel));
  KernelSide& kernel = slow.kernel;
  const auto remove = [&] { return std::vector{start_echo(kernel, "1", kDevice + "/remove")}; };
  SECTION("probe") {
    slow.hold(slow.driver.probes, [&] { return std::vector{start_echo(kernel, uuid_of(2), kSlowCreate)}; });
  }
  SECTION("the beginning of remove") {
    slow.hold(slow.driver.begins, remove);
  }
  SECTION("remove") {
    slow.hold(slow.driver.removes, remove);
  }
  SECTION("available_instances") {
    const auto file = open_or_fail(kernel, kSlowType + "/available_instances", O_RDONLY);
    slow.hold(slow.driver.counts, [&] { return std::vector{kernel.start_read(file)}; });
  }
  SECTION("a show of its own") {
    const auto file = open_or_fail(kernel, kDevice + "/vendor/number", O_RDONLY);
    slow.hold(slow.driver.shows, [&] { return std::vector{kernel.start_read(file)}; });
  }
  SECTION("a store of its own") {
    slow.hold(slow.driver.shows,
              [&] { return std::vector{start_echo(kernel, "1", kDevice + "/vendor/number")}; });
  }
}

TEST_CASE("a read behind another one of its descriptor holds up nobody") {
  Slow slow;
  const auto file = open_or_fail(slow.kernel, kDevice + "/vendor/number", O_RDONLY);
  slow.hold(slow.driver.shows, [&] {
    const auto first = slow.kernel.start_read(file);
    return std::vector{first, slow.kernel.start_read(file)};
  });
}

TEST_CASE("a remove that waits for who is inside a file holds up nobody") {
  Slow slow;
  const auto file = open_or_fail(slow.kernel, kDevice + "/vendor/number", O_RDONLY);
  slow.hold(slow.driver.shows, [&] {
    const auto reading = slow.kernel.start_read(file);
    REQUIRE(slow.driver.shows.wait_for(1));
    return std::vector{reading, start_echo(slow.kernel, "1", kDevice + "/remove")};
  });
}

TEST_CASE("a delay that somebody has asked for holds up nobody") {
  model::Core core;
  REQUIRE(backends::find("mtty")->load(core, {}));
  KernelSide kernel(core);
  REQUIRE(kernel.echo("3600000", "kernel/debug/mdevfs/mtty/probe_delay_ms"));
  const auto create =
      start_echo(kernel, uuid_of(1), "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create");
  CHECK(others_go_on(kernel));
  CHECK_FALSE(kernel.answered(create));
  kernel.stop();  // ends the delay
  CHECK(kernel.wait(create).error == 0);
}

TEST_CASE("a remove that waits for a user of the device holds up nobody") {
  model::Core core;
  REQUIRE(backends::find("mtty")->load(core, {}));
  KernelSide kernel(core);
  REQUIRE(kernel.echo(uuid_of(1), "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create"));
  const auto user = open_or_fail(kernel, "kernel/debug/mdevfs/vfio/0", O_RDWR);
  const auto remove = start_echo(kernel, "1", "devices/virtual/mtty/mtty/" + uuid_of(1) + "/remove");
  CHECK(others_go_on(kernel));
  CHECK_FALSE(kernel.answered(remove));
  kernel.close(user);
  CHECK(kernel.wait(remove).error == 0);
}

TEST_CASE("a bus's driver that takes its time holds up nobody") {
  model::Core core;
  const auto bus = core.add_bus(core.make<model::Bus>("toy"));
  const auto driver = core.make<SlowBusDriver>(bus);
  REQUIRE(core.add_bus_driver(driver));
  const auto device = core.make<model::HostDevice>(model::HostDeviceInfo{.name = "thing", .bus = bus});
  REQUIRE(core.add_host_device(device, false));
  {
    KernelSide kernel(core);
    for (const auto& [file, turnstile] : {std::pair{"bind", &driver->probes}, {"unbind", &driver->removes}}) {
      turnstile->close();
      const auto unique = start_echo(kernel, "thing", std::string("bus/toy/drivers/slow/") + file);
      REQUIRE(turnstile->wait_for(1));
      CHECK(others_go_on(kernel));
      turnstile->open();
      CHECK(kernel.wait(unique).error == 0);
    }
  }
  core.remove_host_device(*device);
  core.remove_bus_driver(*driver);
}

TEST_CASE("the lead of one who waits goes to whoever is free first") {
  model::Core core;
  const SlowParent parent = load_slow(core);
  SlowDriver& driver = *parent.driver;
  KernelSide kernel{core, {.most_workers = 2}};
  REQUIRE(kernel.echo(uuid_of(1), kSlowCreate));
  const auto create_file = open_or_fail(kernel, kSlowCreate, O_WRONLY);
  const auto remove_file = open_or_fail(kernel, kDevice + "/remove", O_WRONLY);
  driver.probes.close();
  driver.removes.close();
  const auto create = kernel.start_write(create_file, uuid_of(2));
  REQUIRE(driver.probes.wait_for(1));
  const auto remove = kernel.start_write(remove_file, "1");
  REQUIRE(driver.removes.wait_for(1));
  driver.probes.open();
  CHECK(kernel.wait(create).error == 0);
  CHECK(others_go_on(kernel));
  driver.removes.open();
  CHECK(kernel.wait(remove).error == 0);
}
