// SPDX-License-Identifier: Apache-2.0
//
// A model to measure on: one parent of a driver that lets any number of devices through, with so many live
// ones. Devices come and go through the stores of `create` and `remove`, as with write(2), but without FUSE.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/core.h"

namespace mdevfs::bench {

class BedDriver;

// A text for `create`, of a UUID that no other has. They are spread as random ones are, and the same in each
// run.
std::string unique_uuid_text();

// Thread-safety: none.
class Bed {
 public:
  Bed(bool vfio, std::size_t live);
  ~Bed();
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  std::shared_ptr<model::Device> create(const std::string& text);
  void remove(model::Device& device);
  // Removes one of the live devices and creates it again.
  void replace_any();
  // As if a client had looked at every name that the device has.
  static void mark_all_seen(model::Device& device);

  model::Tree& tree() { return core_.tree(); }
  const model::Device& any_device() { return *live_[any_(random_)]; }
  model::HeldNode parent_directory();

 private:
  // Hears of what is gone, as a mount would, and forgets it.
  class Listener final : public model::Watcher {
   public:
    void publish(model::Changes) noexcept override {}
    void wake(std::uint64_t) noexcept override {}
  };

  Listener listener_;
  model::Core core_;
  std::shared_ptr<BedDriver> driver_;
  std::shared_ptr<model::Parent> parent_;
  std::vector<std::shared_ptr<model::Device>> live_;
  std::mt19937_64 random_{1};
  std::uniform_int_distribution<std::size_t> any_;
};

}  // namespace mdevfs::bench
