// SPDX-License-Identifier: Apache-2.0
#include "patience.h"

namespace mdevfs::fs {

bool Patience::begin(Time now) {
  began_ = looked_ = now;
  return bound_ >= kLeast && now >= rests_until_;
}

bool Patience::look_again(Time now) {
  if (now - looked_ > kDisturbed) {
    rests_until_ = now + kRest;
    return false;
  }
  looked_ = now;
  return now - began_ < bound_;
}

void Patience::slept(Time now) {
  bound_ = now - began_ < most_ ? most_ : bound_ / 2;
}

}  // namespace mdevfs::fs
