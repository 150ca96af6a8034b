// SPDX-License-Identifier: Apache-2.0
//
// Who carries out requests one after another (fs/workers.h) must know when one is going to wait, to let
// somebody else take the next. Every wait of the model is announced before it begins: for a contended lock, a
// gate, a delay, a user of a device; and so is every call of a driver that may take long.
#pragma once

namespace mdevfs::model {

class WaitListener {
 public:
  virtual ~WaitListener() = default;
  virtual void before_wait() noexcept = 0;
};

// Of this thread's waits, until the next call. Null: nobody. The one before.
WaitListener* listen_to_waits(WaitListener* listener) noexcept;

// This thread may wait now.
void announce_wait() noexcept;

}  // namespace mdevfs::model
