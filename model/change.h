// SPDX-License-Identifier: Apache-2.0
//
// What a change of the tree means to those who remember it: names that are gone and directories whose
// attributes are others now. The model publishes changes to one watcher, after it has released its locks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdevfs::model {

struct GoneName {
  std::uint64_t directory = 0;  // inode number
  std::string name;
};

struct Changes {
  std::vector<GoneName> gone;
  std::vector<std::uint64_t> attributes;  // inode numbers
  bool empty() const { return gone.empty() && attributes.empty(); }
};

// Thread-safety: publish is called from any thread, with no lock of the model held, and must not call back.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void publish(Changes changes) noexcept = 0;
  // What poll(2) says of this file has changed.
  virtual void wake(std::uint64_t inode) noexcept = 0;
};

}  // namespace mdevfs::model
