// SPDX-License-Identifier: Apache-2.0
//
// Files in a parent device's own directory that one driver of several adds while the device is bound to it
// (sysfs_create_group in a probe, sysfs_remove_group in a remove). What every driver of the device shows
// alike is HostDevice::kDriverGroups.
#pragma once

#include <memory>
#include <span>

#include "host_device.h"
#include "object.h"

namespace mdevfs::model {

class Schema;
void define_binding_files(Schema& schema);

// Made anew at each binding, so that who has one of its files open finds it dead after the next.
// Thread-safety: as Object.
class BindingFiles final : public Object {
 public:
  // `attributes` outlive it; their `group`, `part` and `text` mean nothing here.
  BindingFiles(Core& owner, std::shared_ptr<HostDevice> its_device,
               std::span<const HostAttribute> attributes);
  Slot self() const override { return Slot::binding_files; }
  std::string name() const override { return {}; }
  const ExtraEntries* extra() const override { return &extra_; }

  const HostAttribute& attribute(Slot slot) const { return attributes_[extra_place(slot)]; }

  const std::shared_ptr<HostDevice> device;

 private:
  const std::span<const HostAttribute> attributes_;
  ExtraEntries extra_;
};

}  // namespace mdevfs::model
