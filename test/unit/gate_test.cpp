// SPDX-License-Identifier: Apache-2.0
#include "model/gate.h"

#include <atomic>
#include <latch>
#include <thread>

#include "catch.h"

using namespace mdevfs::model;

TEST_CASE("a closed gate lets nobody in and is empty when the last has left") {
  Gate gate;
  REQUIRE(gate.try_enter());
  REQUIRE(gate.try_enter());
  std::atomic<bool> empty{false};
  std::latch closed(1);
  std::thread closer([&] {
    gate.close();
    closed.count_down();
    gate.wait_until_empty();
    empty = true;
  });
  closed.wait();
  CHECK_FALSE(gate.try_enter());
  gate.leave();
  CHECK_FALSE(empty.load());
  gate.leave();
  closer.join();
  CHECK(empty.load());
  CHECK_FALSE(gate.try_enter());
}

TEST_CASE("who lost the race to take a file away waits for the winner to leave") {
  Gate gate;
  REQUIRE(gate.try_enter());  // the winner
  REQUIRE(gate.try_enter());  // the loser
  gate.leave();               // each lets go of its own reference first
  gate.begin_taking();
  std::atomic<bool> lost{false};
  std::thread loser([&] {
    gate.leave();
    gate.wait_until_empty();
    lost = true;
    gate.reenter();
    gate.leave();
  });
  gate.finish_taking();
  CHECK_FALSE(lost.load());  // whatever the threads' timing: the winner is inside
  gate.leave();
  loser.join();
  CHECK(lost.load());
}

TEST_CASE("from its first moment the exclusive side of unreg_sem makes every try fail") {
  UnregSem sem;
  REQUIRE(sem.try_down_read());
  std::latch started(1);
  std::atomic<bool> exclusive{false};
  std::thread unregister([&] {
    started.count_down();
    sem.down_write();
    exclusive = true;
    sem.up_write();
  });
  started.wait();
  while (sem.try_down_read()) sem.up_read();  // ends when the writer has begun to wait
  CHECK_FALSE(exclusive.load());
  sem.up_read();
  unregister.join();
  CHECK(exclusive.load());
}
