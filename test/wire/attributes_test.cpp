// SPDX-License-Identifier: Apache-2.0
//
// The protocol's small print: the handshake, what OPEN answers and refuses, attributes and xattrs.
#include <fcntl.h>

#include <atomic>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

TEST_CASE("the handshake asks for parallel lookups and for symlinks to be cached") {
  model::Core core;
  std::atomic<bool> ready = false;
  KernelSide kernel(core, {.on_ready = [&] { ready = true; }});
  CHECK((kernel.init_answer().flags & FUSE_PARALLEL_DIROPS) != 0);
  CHECK((kernel.init_answer().flags & FUSE_CACHE_SYMLINKS) != 0);
  CHECK((kernel.init_answer().flags & FUSE_ATOMIC_O_TRUNC) == 0);
  CHECK(kernel.getattr(kRoot));
  CHECK(ready);
}
