// SPDX-License-Identifier: Apache-2.0
//
// A gate is kernfs's active reference: a show or store passes through it and is inside until it returns; the
// one who takes a node away closes the gate and waits until nobody is inside. What comes after finds it
// closed and answers ENODEV. A removed node never comes back; where another one takes its place (a module
// that is loaded again), the gate opens for those who know it by its new generation.
//
// UnregSem is the same thing seen as the kernel's unreg_sem: create and remove hold it shared, by try only;
// unregistration holds it exclusively and, from the moment it starts to wait, no try succeeds.
#pragma once

#include <atomic>
#include <cstdint>

#include "lock.h"

namespace mdevfs::model {

// All of it in one word, as a device has ten: from the top a bit that says closed, one that says that a file
// takes itself away, the generation, and how many are inside. A descriptor that was opened so many
// generations ago that they have gone round is one that has slept through 16,384 of them; inside are threads,
// of which a process cannot have 65,536.
//
// Thread-safety: all functions from any thread; open() by one at a time.
class Gate {
 public:
  // kernfs_get_active, kernfs_put_active.
  [[nodiscard]] bool try_enter() noexcept {
    return enter_if([](std::uint32_t) { return true; });
  }
  void leave() noexcept {
    if ((state_.fetch_sub(1, std::memory_order_acq_rel) & kClosed) != 0) state_.notify_all();
  }

  // Which node of its place it is the gate of.
  std::uint32_t generation() const noexcept { return generation_of(state_.load(std::memory_order_acquire)); }
  [[nodiscard]] bool try_enter(std::uint32_t generation) noexcept {
    return enter_if([=](std::uint32_t state) { return generation_of(state) == generation; });
  }
  // The place has another node now. Who waits for the old one to be empty is let go.
  void open() noexcept {
    std::uint32_t state = state_.load(std::memory_order_acquire);
    do {
      if ((state & kClosed) == 0) return;
    } while (
        !state_.compare_exchange_weak(state, next_generation(state) & ~kClosed, std::memory_order_acq_rel));
    state_.notify_all();
  }

  // kernfs_drain. Several may close; each returns when nobody is inside.
  void close() noexcept { state_.fetch_or(kClosed, std::memory_order_acq_rel); }
  void wait_until_empty() const noexcept { wait_for(kClosed); }

  // kernfs_unbreak_active_protection: back inside, closed or not.
  void reenter() noexcept { state_.fetch_add(1, std::memory_order_relaxed); }

  // For the one who takes its own file away (kernfs_remove_self): between begin and finish nobody finds the
  // gate empty, though nobody is inside, so that whoever lost the race waits until the winner has left for
  // good.
  void begin_taking() noexcept { state_.fetch_or(kClosed | kTaking, std::memory_order_acq_rel); }
  void finish_taking() noexcept {
    wait_for(kClosed | kTaking);
    state_.fetch_sub(kTaking - 1, std::memory_order_acq_rel);
  }

 private:
  static constexpr std::uint32_t kClosed = 1U << 31U;
  static constexpr std::uint32_t kTaking = 1U << 30U;
  static constexpr unsigned kGenerationShift = 16;
  static constexpr std::uint32_t kGenerations = kTaking - (1U << kGenerationShift);  // its bits

  static std::uint32_t generation_of(std::uint32_t state) noexcept {
    return (state & kGenerations) >> kGenerationShift;
  }
  static std::uint32_t next_generation(std::uint32_t state) noexcept {
    return (state & ~kGenerations) | ((state + (1U << kGenerationShift)) & kGenerations);
  }

  template <typename May>
  bool enter_if(May may) noexcept {
    std::uint32_t state = state_.load(std::memory_order_relaxed);
    do {
      if ((state & kClosed) != 0 || !may(state)) return false;
    } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire));
    return true;
  }

  void wait_for(std::uint32_t wanted) const noexcept {
    std::uint32_t state = state_.load(std::memory_order_acquire);
    const std::uint32_t mine = generation_of(state);
    while ((state & ~kGenerations) != wanted && generation_of(state) == mine) {
      announce_wait();
      state_.wait(state, std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
    }
  }

  std::atomic<std::uint32_t> state_{0};
};

// Thread-safety: all functions from any thread; down_write once in its life.
class CAPABILITY("unreg_sem") UnregSem {
 public:
  [[nodiscard]] bool try_down_read() noexcept TRY_ACQUIRE_SHARED(true) { return gate_.try_enter(); }
  void up_read() noexcept RELEASE_SHARED() { gate_.leave(); }
  void down_write() noexcept ACQUIRE() {
    gate_.close();
    gate_.wait_until_empty();
  }
  // The semaphore stays closed: its parent is gone for good.
  void up_write() noexcept RELEASE() {}

 private:
  Gate gate_;
};

}  // namespace mdevfs::model
