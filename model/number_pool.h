// SPDX-License-Identifier: Apache-2.0
//
// Numbers given out lowest free first, as the kernel's IDA does for iommu groups and vfio devices.
#pragma once

#include <functional>
#include <queue>
#include <vector>

namespace mdevfs::model {

// Thread-safety: as a std container.
class NumberPool {
 public:
  unsigned take() {
    if (returned_.empty()) return next_++;
    const unsigned number = returned_.top();
    returned_.pop();
    return number;
  }
  void give_back(unsigned number) { returned_.push(number); }

 private:
  unsigned next_ = 0;
  std::priority_queue<unsigned, std::vector<unsigned>, std::greater<>> returned_;  // all below next_
};

}  // namespace mdevfs::model
