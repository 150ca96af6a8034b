// SPDX-License-Identifier: Apache-2.0
//
// A device class (/sys/class/C) and its glue directory (/sys/devices/virtual/C), which is there as long as a
// device of the class is in it.
#pragma once

#include <memory>
#include <string>

#include "object.h"

namespace mdevfs::model {

class Schema;
struct Changes;
void define_device_class(Schema& schema);

class DeviceClass;

// Thread-safety: as Object.
class GlueDirectory final : public Object {
 public:
  GlueDirectory(Core& owner, std::string name) : Object(owner), name_(std::move(name)) {}
  Slot self() const override { return Slot::glue_directory; }
  std::string name() const override { return name_; }
  Members* members(Slot) override { return &members_; }

 private:
  const std::string name_;
  Members members_;
};

// Thread-safety: as Object.
class DeviceClass final : public Object {
 public:
  DeviceClass(Core& owner, std::string name) : Object(owner), name_(std::move(name)) {}
  Slot self() const override { return Slot::class_directory; }
  std::string name() const override { return name_; }
  Members* members(Slot) override { return &members_; }

  // get_device_parent and cleanup_glue_dir: made for the first device, gone with the last. A new one is
  // another directory: descriptors on the old one stay dead.
  std::shared_ptr<GlueDirectory> take_glue(Changes& changes) REQUIRES(kernfs_rwsem);
  void release_glue(Changes& changes) REQUIRES(kernfs_rwsem);
  // For who has something in it, which keeps it as it is: no lock.
  GlueDirectory* glue() const NO_THREAD_SAFETY_ANALYSIS { return glue_.get(); }

 private:
  const std::string name_;
  Members members_;
  std::shared_ptr<GlueDirectory> glue_ GUARDED_BY(kernfs_rwsem);
};

// What vfio numbers on a device that is given to it (vfio_device.h).
struct VfioDevice {
  unsigned number = 0;       // of the vfio device, and the minor of its group's character device
  unsigned iommu_group = 0;  // the vfio group is called the same
};

// The parts of the owner that it is shown by.
struct VfioParts {
  Part group;
  Part device;
};

}  // namespace mdevfs::model
