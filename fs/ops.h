// SPDX-License-Identifier: Apache-2.0
//
// The FUSE operations: from a request to the model and back in three hops. Every function here answers its
// request exactly once (reply.h) and throws nothing into libfuse.
#pragma once

#include <functional>

#include "channel.h"
#include "fuse.h"
#include "model/core.h"
#include "notifier.h"
#include "split_writes.h"

namespace mdevfs::fs {

// What the operations work on; libfuse carries a pointer to it as the session's userdata.
struct Context {
  model::Core& core;
  Channel& channel;
  Notifier& notifier;
  OpenFiles& open_files;
  Kept* kept;  // null: the kernel keeps nothing of what is read, and there are opens
  SplitWrites& split_writes;
  const std::function<void()>& on_ready;
  const std::function<void(std::uint32_t opcode)>& on_request;
};

const fuse_lowlevel_ops& operations();

}  // namespace mdevfs::fs
