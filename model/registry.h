// SPDX-License-Identifier: Apache-2.0
//
// From an id to the object that has it. Ids are given out once and for ever, so a number that a client still
// holds can only ever mean the same object or nothing. Pages of pointers, a page being freed with the last
// object in it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "lock.h"

namespace mdevfs::model {

class Object;
using Id = std::uint64_t;

// Thread-safety: all functions from any thread.
class Registry {
 public:
  Id next_id() noexcept { return next_.fetch_add(1, std::memory_order_relaxed); }
  void enroll(Object& object) EXCLUDES(lock_);
  void strike(Id id) EXCLUDES(lock_);
  // Null when the object is gone and nobody holds it.
  std::shared_ptr<Object> find(Id id) const EXCLUDES(lock_);
  // Of one that is held, as whatever is shown is.
  Object& held(Id id) const EXCLUDES(lock_);

 private:
  static constexpr std::size_t kPage = 512;
  struct Page {
    std::array<Object*, kPage> objects{};
    std::size_t used = 0;
  };

  std::atomic<Id> next_{0};
  mutable SharedMutex lock_{Rank::registry};
  std::vector<std::unique_ptr<Page>> pages_ GUARDED_BY(lock_);
};

}  // namespace mdevfs::model
