// SPDX-License-Identifier: Apache-2.0
//
// How long the leader of the workers looks before it sleeps, in made-up time.
#include "fs/patience.h"

#include "catch.h"

using namespace std::chrono_literals;
using mdevfs::fs::Patience;

namespace {

constexpr std::chrono::nanoseconds kStep = 1us;

// A leader and its clock.
struct Leader {
  Patience patience;
  Patience::Time now{1h};

  // Looks every microsecond until it sleeps, or for so long. How long it looked.
  std::chrono::nanoseconds look(std::chrono::nanoseconds at_most) {
    const auto begin = now;
    if (!patience.begin(now)) return {};
    do {
      now += kStep;
    } while (now - begin < at_most && patience.look_again(now));
    return now - begin;
  }
  void sleep(std::chrono::nanoseconds time) {
    now += time;
    patience.slept(now);
  }
  // Requests have been coming closely.
  void get_busy() {
    look(1s);
    sleep(5us);
  }
};

}  // namespace

TEST_CASE("who has just begun sleeps at once") {
  Leader leader{Patience(50us)};
  CHECK(leader.look(1s) == 0us);
}

TEST_CASE("after a request that came soon, it looks for the next, for a bounded time") {
  Leader leader{Patience(50us)};
  leader.get_busy();
  CHECK(leader.look(1s) == 50us);
}

TEST_CASE("the bound is of each wait anew") {
  Leader leader{Patience(50us)};
  leader.get_busy();
  for (int request = 0; request < 10; ++request) {
    CHECK(leader.look(30us) == 30us);
  }
  CHECK(leader.look(1s) == 50us);
}

TEST_CASE("0 is never") {
  Leader leader{Patience(0us)};
  for (int request = 0; request < 10; ++request) {
    leader.get_busy();
    CHECK(leader.look(1s) == 0us);
  }
}

TEST_CASE("of requests that come rarely it looks ever less, and not at all in the end") {
  Leader leader{Patience(64us)};
  leader.get_busy();
  auto looked = leader.look(1s);
  CHECK(looked == 64us);
  for (int request = 0; request < 10; ++request) {
    leader.sleep(10ms);
    const auto before = std::exchange(looked, leader.look(1s));
    CHECK(looked <= before / 2);
  }
  CHECK(looked == 0us);
  leader.sleep(10us);  // they come closely again
  CHECK(leader.look(1s) == 64us);
}

TEST_CASE("who was kept from the processor leaves it to the others for a while") {
  Leader leader{Patience(50us)};
  leader.get_busy();
  leader.look(10us);
  leader.now += 3ms;
  CHECK_FALSE(leader.patience.look_again(leader.now));
  leader.sleep(5us);
  CHECK(leader.look(1s) == 0us);
  leader.sleep(150ms);
  leader.get_busy();
  CHECK(leader.look(1s) == 0us);
  leader.sleep(60ms);
  leader.get_busy();
  CHECK(leader.look(1s) == 50us);
}
