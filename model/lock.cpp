// SPDX-License-Identifier: Apache-2.0
#include "lock.h"

#include <cstdio>
#include <cstdlib>

namespace mdevfs::model {

SharedMutex kernfs_rwsem{Rank::kernfs};
Mutex vfio_lock{Rank::vfio};
Mutex mdev_list_lock{Rank::mdev_list};

SharedMutex::SharedMutex(Rank rank) : rank_(rank) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&lock_, &attributes);
  pthread_rwlockattr_destroy(&attributes);
}

#if MDEVFS_CHECKED_LOCKS
namespace {
thread_local std::uint32_t held = 0;  // one bit a rank
}

void rank_taken(Rank rank) {
  const auto bit = std::uint32_t{1} << static_cast<unsigned>(rank);
  if (held >= bit) {
    std::fprintf(stderr, "lock of rank %u taken while holding ranks 0x%x\n", static_cast<unsigned>(rank),
                 held);
    std::abort();
  }
  held |= bit;
}

void rank_released(Rank rank) {
  held &= ~(std::uint32_t{1} << static_cast<unsigned>(rank));
}
#endif

}  // namespace mdevfs::model
