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

// Thread-safety: all functions from any thread.
class Gate {
 public:
  // kernfs_get_active, kernfs_put_active.
  [[nodiscard]] bool try_enter() noexcept {
    std::int32_t inside = state_.load(std::memory_order_relaxed);
    do {
      if (inside < 0) return false;
    } while (!state_.compare_exchange_weak(inside, inside + 1, std::memory_order_acquire));
    return true;
  }
  void leave() noexcept {
    if (state_.fetch_sub(1, std::memory_order_acq_rel) < 0) state_.notify_all();
  }

  // Which node of its place it is the gate of.
  std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }
  [[nodiscard]] bool try_enter(std::uint32_t generation) noexcept {
    if (!try_enter()) return false;
    if (generation == this->generation()) return true;
    leave();
    return false;
  }
  // The place has another node now. Who waits for the old one to be empty is let go.
  void open() noexcept {
    if (state_.load(std::memory_order_acquire) >= 0) return;
    generation_.fetch_add(1, std::memory_order_release);
    state_.fetch_and(~kClosed, std::memory_order_acq_rel);
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
  void wait_for(std::int32_t wanted) const noexcept {
    const std::uint32_t mine = generation();
    for (std::int32_t state = state_.load(std::memory_order_acquire); state != wanted && mine == generation();
         state = state_.load(std::memory_order_acquire)) {
      announce_wait();
      state_.wait(state, std::memory_order_acquire);
    }
  }

  // The sign bit says closed, the rest counts who is inside.
  static constexpr std::int32_t kClosed = INT32_MIN;
  static constexpr std::int32_t kTaking = 1 << 30;
  std::atomic<std::int32_t> state_{0};
  std::atomic<std::uint32_t> generation_{0};
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
