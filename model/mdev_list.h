// SPDX-License-Identifier: Apache-2.0
//
// The kernel's mdev_list: devices from the reservation of their UUID to their release, which keep them alive.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>

#include "device.h"
#include "hash_buckets.h"

namespace mdevfs::model {

// Thread-safety: as a std container.
class MdevList {
 public:
  // Null: the UUID is free.
  Device* find(const Device& like) const {
    Device* found = nullptr;
    devices_.find(like.name_hash(), [&](const Listed& listed) {
      if (listed.device->uuid == like.uuid) found = listed.device.get();
      return found == nullptr;
    });
    return found;
  }
  void insert(std::shared_ptr<Device> device) { devices_.insert({device->name_hash(), std::move(device)}); }
  // The caller holds the device, or it ends in here.
  void erase(Device& device) {
    devices_.erase({device.name_hash(), std::static_pointer_cast<Device>(device.shared_from_this())});
  }
  void prefetch(std::uint32_t name_hash) const { devices_.prefetch(name_hash); }
  std::size_t size() const { return devices_.size(); }

 private:
  struct Listed {
    std::uint32_t hash;
    std::shared_ptr<Device> device;
    auto operator<=>(const Listed&) const = default;
  };
  HashBuckets<Listed> devices_;
};

}  // namespace mdevfs::model
