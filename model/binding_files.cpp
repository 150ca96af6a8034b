// SPDX-License-Identifier: Apache-2.0
#include "binding_files.h"

#include "core.h"
#include "show.h"

namespace mdevfs::model {
namespace {

BindingFiles& files_of(Object& object) {
  return static_cast<BindingFiles&>(object);
}

Result<std::string> show_attribute(Object& object, Slot slot) {
  BindingFiles& files = files_of(object);
  const auto show = files.attribute(slot).show;
  return show != nullptr ? show(*files.device) : fail(EIO);
}

Result<void> store_attribute(Object& object, Slot slot, std::string_view text) {
  BindingFiles& files = files_of(object);
  const auto store = files.attribute(slot).store;
  return store != nullptr ? store(*files.device, text) : fail(EIO);
}

}  // namespace

BindingFiles::BindingFiles(Core& owner, std::shared_ptr<HostDevice> its_device,
                           std::span<const HostAttribute> attributes)
    : Object(owner), device(std::move(its_device)), attributes_(attributes) {
  for (const HostAttribute& attribute : attributes_) {
    Entry entry = file(attribute.name, attribute.mode, kSelf, Slot::none, show_attribute,
                       attribute.store != nullptr ? store_attribute : nullptr);
    entry.size = attribute.size;
    entry.changes_alone = true;
    entry.place = [](Object& o) { return Node{files_of(o).device.get(), Slot::host_device_directory}; };
    add_extra(extra_, std::move(entry));
  }
}

void define_binding_files(Schema& schema) {
  schema.begin(Slot::binding_files);
  schema.add(Slot::binding_files, {});
}

}  // namespace mdevfs::model
