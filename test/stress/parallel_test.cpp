// SPDX-License-Identifier: Apache-2.0
//
// Races whose outcome is certain though their course is not: one winner of many, places counted right,
// registrations that come and go under their users.
#include <fcntl.h>

#include <barrier>
#include <set>
#include <thread>
#include <vector>

#include "catch.h"
#include "churn.h"
#include "test/wire/slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

struct Slow {
  model::Core core;
  SlowParent parent;
  SlowDriver& driver;
  explicit Slow(unsigned places = 1000) : parent(load_slow(core, places)), driver(*parent.driver) {}
};

}  // namespace

TEST_CASE("of many creates of one UUID one wins, and the others do not wait for it") {
  constexpr unsigned kThreads = 8;
  constexpr unsigned kRounds = 200;
  Slow slow;
  ModelDoor door(slow.core);
  Account account;
  std::barrier start(kThreads);
  std::vector<std::jthread> threads;
  for (unsigned n = 0; n < kThreads; ++n) {
    threads.emplace_back([&] {
      for (unsigned round = 0; round < kRounds; ++round) {
        start.arrive_and_wait();
        account.note(door.write(kSlowCreate, uuid_of(round)));
      }
    });
  }
  threads.clear();
  CHECK(account.seen() == std::map<int, unsigned>{{0, kRounds}, {EEXIST, (kThreads - 1) * kRounds}});
  CHECK(slow.core.device_count() == kRounds);
}

TEST_CASE("losers over the wire are answered while the winner is in probe") {
  constexpr unsigned kCreates = 32;
  Slow slow;
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  std::vector<std::uint64_t> creates;
  const auto inode = kernel.walk(kSlowCreate);
  for (unsigned n = 0; n < kCreates; ++n) {
    creates.push_back(kernel.start_write(*kernel.open(inode, O_WRONLY), uuid_of(1)));
  }
  REQUIRE(slow.driver.probes.wait_for(1));
  const auto answered = [&] {
    return std::ranges::count_if(creates, [&](auto unique) { return kernel.answered(unique); });
  };
  while (answered() < kCreates - 1) std::this_thread::yield();
  slow.driver.probes.open();
  unsigned won = 0;
  for (const auto unique : creates) {
    const int error = kernel.wait(unique).error;
    won += error == 0 ? 1 : 0;
    CHECK((error == 0 || error == EEXIST));
  }
  CHECK(won == 1);
}

TEST_CASE("as many devices as there are places, all probed at once") {
  constexpr unsigned kPlaces = 40;
  constexpr unsigned kCreates = 100;
  Slow slow(kPlaces);
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  std::vector<std::uint64_t> creates;
  const auto inode = kernel.walk(kSlowCreate);
  for (unsigned n = 0; n < kCreates; ++n) {
    creates.push_back(kernel.start_write(*kernel.open(inode, O_WRONLY), uuid_of(n)));
  }
  REQUIRE(slow.driver.probes.wait_for(kPlaces));  // side by side, through as many descriptors of one file
  CHECK(kernel.cat(kSlowType + "/available_instances") == "0\n");
  slow.driver.probes.open();
  Account account;
  for (const auto unique : creates) account.note(kernel.wait(unique).error);
  CHECK(account.seen() == std::map<int, unsigned>{{0, kPlaces}, {EUSERS, kCreates - kPlaces}});
}

namespace {

// Registers and unregisters without pause while others create, remove and list; then all is as it was.
void unregister_under_users(Slow& slow, Door& door) {
  const auto end = std::chrono::steady_clock::now() + stress_time();
  std::atomic<bool> ending = false;
  Account creates;
  Account removes;
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 2; ++thread) {
      threads.emplace_back([&, thread] {
        for (unsigned n = thread; !ending; n += 2) creates.note(door.write(kSlowCreate, uuid_of(n % 50)));
      });
      threads.emplace_back([&] {
        while (!ending) {
          for (const auto& uuid : door.list("bus/mdev/devices")) {
            removes.note(door.write(kSlow + "/" + uuid + "/remove", "1"));
          }
        }
      });
    }
    threads.emplace_back([&] {
      while (!ending) {
        door.read(kSlowType + "/available_instances");
        for (const auto& name : door.list(kSlow)) door.list(kSlow + "/" + name);
      }
    });
    while (std::chrono::steady_clock::now() < end) {
      slow.core.unregister_parent(*slow.parent.parent);
      slow.parent.parent =
          slow.core.register_parent(slow.parent.device, slow.parent.driver, {{"a", ""}}).value();
      std::this_thread::yield();
    }
    ending = true;
  }
  for (const auto& [error, times] : creates.seen()) {
    INFO("create: errno " << error << ", " << times << " times");
    CHECK((error == 0 || error == EEXIST || error == ENOENT || error == ENODEV));
  }
  for (const auto& [error, times] : removes.seen()) {
    INFO("remove: errno " << error << ", " << times << " times");
    CHECK((error == 0 || error == ENOENT || error == ENODEV || error == EAGAIN));
  }
  CHECK(creates.of(0) > 0);
  slow.core.unregister_parent(*slow.parent.parent);
  CHECK(slow.core.device_count() == 0);
  CHECK(door.list("bus/mdev/devices").empty());
  CHECK(door.list(kSlow) == std::vector<std::string>{"uevent", "power", "subsystem"});
}

}  // namespace

TEST_CASE("registrations come and go under their users: the model") {
  Slow slow;
  ModelDoor door(slow.core);
  unregister_under_users(slow, door);
}

TEST_CASE("registrations come and go under their users: the wire") {
  Slow slow;
  KernelSide kernel(slow.core);
  WireDoor door(kernel);
  unregister_under_users(slow, door);
}
