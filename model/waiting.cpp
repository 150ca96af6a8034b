// SPDX-License-Identifier: Apache-2.0
#include "waiting.h"

#include <utility>

namespace mdevfs::model {
namespace {

constinit thread_local WaitListener* listener_of_this_thread = nullptr;

}  // namespace

WaitListener* listen_to_waits(WaitListener* listener) noexcept {
  return std::exchange(listener_of_this_thread, listener);
}

void announce_wait() noexcept {
  if (listener_of_this_thread != nullptr) listener_of_this_thread->before_wait();
}

}  // namespace mdevfs::model
