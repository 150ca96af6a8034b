// SPDX-License-Identifier: Apache-2.0
//
// Locks that clang's thread-safety analysis understands and whose order is checked while a debug build runs.
// Every lock has a rank; a thread takes them in rising order only (doc/locking.md has the list). Taking one
// out of order aborts in debug builds, whether or not it would have deadlocked this time.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "model/build.h"
#include "waiting.h"

#if defined(__clang__)
#define MDEVFS_TSA(x) __attribute__((x))
#else
#define MDEVFS_TSA(x)
#endif
#define CAPABILITY(x) MDEVFS_TSA(capability(x))
#define SCOPED_CAPABILITY MDEVFS_TSA(scoped_lockable)
#define GUARDED_BY(x) MDEVFS_TSA(guarded_by(x))
#define REQUIRES(...) MDEVFS_TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) MDEVFS_TSA(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) MDEVFS_TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) MDEVFS_TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) MDEVFS_TSA(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) MDEVFS_TSA(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) MDEVFS_TSA(release_generic_capability(__VA_ARGS__))
#define TRY_ACQUIRE_SHARED(...) MDEVFS_TSA(try_acquire_shared_capability(__VA_ARGS__))
#define EXCLUDES(...) MDEVFS_TSA(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS MDEVFS_TSA(no_thread_safety_analysis)

namespace mdevfs::model {

// The order in which one thread may take locks, outermost first.
enum class Rank : std::uint8_t {
  open_file = 1,     // one descriptor's reads and writes
  units,             // the items of kernel/config/mdevfs
  plug,              // a unit's parents, one by one, against the whole unit
  control,           // what a unit is, and whether it is live
  group,             // the items of one group of its settings
  host_device,       // a parent device's binding to a driver of its bus (the kernel's device_lock)
  virtual_function,  // the same of a device that comes and goes with another one, whose lock is held
                     // meanwhile
  module,            // loading and unloading backends
  turn,              // one parent's creates and removes against each other, on old ages
  unreg_sem,         // one parent's creates and removes against its unregistration
  device,            // a device's probe, remove, unbind (the kernel's device_lock)
  mdev_list,         // UUIDs and the core's counters
  backend,           // a backend's own resources
  vfio,              // open vfio descriptors
  kernfs,            // the tree: what is shown where, attributes
  registry,          // object ids
  notifier,          // the queue to the kernel
  log,               // the kernel log: a leaf
};

#if MDEVFS_CHECKED_LOCKS
void rank_taken(Rank rank);
void rank_released(Rank rank);
#else
inline void rank_taken(Rank) {}
inline void rank_released(Rank) {}
#endif

// One word to wait on and a rank: every device has one, of which a std::mutex would be a fifth.
class CAPABILITY("mutex") Mutex {
 public:
  explicit Mutex(Rank rank) : rank_(rank) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() ACQUIRE() {
    rank_taken(rank_);
    State free = State::free;
    if (state_.compare_exchange_strong(free, State::held, std::memory_order_acquire)) return;
    announce_wait();
    // Whoever has waited once cannot know whether others do, and so leaves the state as if they did.
    while (state_.exchange(State::waited_for, std::memory_order_acquire) != State::free) {
      state_.wait(State::waited_for, std::memory_order_relaxed);
    }
  }
  void unlock() RELEASE() {
    if (state_.exchange(State::free, std::memory_order_release) == State::waited_for) state_.notify_one();
    rank_released(rank_);
  }

 private:
  enum class State : int { free, held, waited_for };
  std::atomic<State> state_{State::free};
  const Rank rank_;
};

// std::shared_mutex lets readers starve a writer; a removal must not wait for a client that lists without
// pause.
class CAPABILITY("shared mutex") SharedMutex {
 public:
  explicit SharedMutex(Rank rank);
  ~SharedMutex() { pthread_rwlock_destroy(&lock_); }
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock() ACQUIRE() {
    rank_taken(rank_);
    pthread_rwlock_wrlock(&lock_);
  }
  void unlock() RELEASE() {
    pthread_rwlock_unlock(&lock_);
    rank_released(rank_);
  }
  void lock_shared() ACQUIRE_SHARED() {
    rank_taken(rank_);
    pthread_rwlock_rdlock(&lock_);
  }
  void unlock_shared() RELEASE_SHARED() {
    pthread_rwlock_unlock(&lock_);
    rank_released(rank_);
  }

 private:
  pthread_rwlock_t lock_;
  const Rank rank_;
};

template <typename Lockable>
class SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Lockable& lock) ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~Lock() RELEASE() { lock_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Lockable& lock_;
};

class SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& lock) ACQUIRE_SHARED(lock) : lock_(lock) { lock_.lock_shared(); }
  ~SharedLock() RELEASE_GENERIC() { lock_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& lock_;
};

// One lock for the whole tree, as the kernel's kernfs_rwsem. Held for moments, never over a backend's call.
extern SharedMutex kernfs_rwsem;
// The kernel's mdev_list_lock: UUID uniqueness over all parents, the core's instance counters, `active`.
extern Mutex mdev_list_lock;
// Open vfio descriptors, and devices and modules that may not be opened any more.
extern Mutex vfio_lock;

}  // namespace mdevfs::model
