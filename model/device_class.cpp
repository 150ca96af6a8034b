// SPDX-License-Identifier: Apache-2.0
#include "device_class.h"

#include "core.h"
#include "show.h"

namespace mdevfs::model {

std::shared_ptr<GlueDirectory> DeviceClass::take_glue(Changes& changes) {
  if (!glue_) {
    glue_ = core.make<GlueDirectory>(name_);
    core.tree().appear_locked(*glue_, kSelf, changes);
  }
  return glue_;
}

void DeviceClass::release_glue(Changes& changes) {
  if (!glue_ || glue_->members(Slot::glue_directory)->size() != 0) return;
  core.tree().vanish_locked(*glue_, kSelf, changes);
  glue_.reset();
}

void define_device_class(Schema& schema) {
  schema.begin(Slot::class_directory);
  schema.add(Slot::class_directory, {.kind = Kind::directory,
                                     .mode = kDirectoryMode,
                                     .place = [](Object& o) { return Node{&o.core.root(), Slot::class_}; },
                                     .subsystem = always<"class">});
  schema.begin(Slot::glue_directory);
  schema.add(Slot::glue_directory, {.kind = Kind::directory, .mode = kDirectoryMode, .place = [](Object& o) {
                                      return Node{&o.core.root(), Slot::devices_virtual};
                                    }});
}

}  // namespace mdevfs::model
