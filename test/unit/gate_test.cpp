// SPDX-License-Identifier: Apache-2.0
#include "model/gate.h"

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

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

TEST_CASE("a gate that opens again lets in who knows its new generation, however often it has opened") {
  Gate gate;
  for (int i = 0; i < 40'000; ++i) {  // they go round after 2^14
    const auto old = gate.generation();
    REQUIRE(gate.try_enter(old));
    gate.close();
    REQUIRE_FALSE(gate.try_enter(old));
    gate.leave();
    gate.wait_until_empty();
    gate.open();
    REQUIRE(gate.generation() != old);
    REQUIRE_FALSE(gate.try_enter(old));
    REQUIRE(gate.try_enter(gate.generation()));
    gate.leave();
  }
}

TEST_CASE("who is inside an old generation is counted as of the new one until he leaves") {
  Gate gate;
  REQUIRE(gate.try_enter());
  gate.close();
  gate.open();
  REQUIRE(gate.try_enter());
  gate.close();
  std::atomic<bool> empty{false};
  std::thread closer([&] {
    gate.wait_until_empty();
    empty = true;
  });
  gate.leave();
  CHECK_FALSE(empty.load());
  gate.leave();
  closer.join();
  CHECK(empty.load());
}

TEST_CASE("a mutex keeps out everybody but one") {
  Mutex mutex(Rank::backend);
  constexpr int kThreads = 4;
  constexpr int kTimes = 200'000;
  std::latch together(kThreads);
  long counted = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        together.arrive_and_wait();
        for (int i = 0; i < kTimes; ++i) {
          const Lock lock(mutex);
          ++counted;
        }
      });
    }
  }
  CHECK(counted == long{kThreads} * kTimes);
}

TEST_CASE("who waits for a mutex says so first, and is woken when it is free") {
  class Waits final : public WaitListener {
   public:
    explicit Waits(std::latch& waits) : waits_(waits) {}
    void before_wait() noexcept override { waits_.count_down(); }

   private:
    std::latch& waits_;
  };
  Mutex mutex(Rank::backend);
  std::latch waits(1);
  mutex.lock();
  std::jthread other([&] {
    Waits listener(waits);
    listen_to_waits(&listener);
    const Lock lock(mutex);
    listen_to_waits(nullptr);
  });
  waits.wait();
  mutex.unlock();
}
