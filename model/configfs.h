// SPDX-License-Identifier: Apache-2.0
//
// Directories under kernel/config as the kernel's configfs has them: a client makes an item by mkdir, sets
// its attributes by writing to files, and removes it by rmdir. What items there are and what they do is not
// the model's business: folder `control` derives them from this.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "object.h"

namespace mdevfs::model {

class Schema;
void define_configfs(Schema& schema);

// A directory: struct config_item. Thread-safety: as Object; what is derived says its own.
class ConfigItem : public Object {
 public:
  // `attributes` outlives the item; their directory is Slot::config_item.
  ConfigItem(Core& owner, std::shared_ptr<Object> in, Slot place, std::string name,
             const ExtraEntries& attributes);
  Slot self() const final { return Slot::config_item; }
  std::string name() const final { return name_; }
  Members* members(Slot slot) final { return slot == self() ? &members_ : nullptr; }
  const ExtraEntries* extra() const final { return &attributes_; }
  Node place() const { return {in_.get(), place_}; }

  // mkdir and rmdir in it. EPERM: not here. The kernel sees to it that the name is free, or there.
  virtual Result<void> make_item(std::string_view) { return fail(EPERM); }
  virtual Result<void> drop_item(std::string_view) { return fail(EPERM); }

 private:
  const std::shared_ptr<Object> in_;
  const Slot place_;
  const std::string name_;
  const ExtraEntries& attributes_;
  Members members_;
};

// More files in an item's directory, that come and go while it stays. Thread-safety: as Object.
class ConfigAttributes : public Object {
 public:
  // The entries' place is place_in_item.
  ConfigAttributes(Core& owner, std::shared_ptr<ConfigItem> item, const ExtraEntries& attributes);
  Slot self() const final { return Slot::config_attributes; }
  std::string name() const final { return {}; }
  const ExtraEntries* extra() const final { return &attributes_; }
  static Node place_in_item(Object& object);

 private:
  const std::shared_ptr<ConfigItem> item_;
  const ExtraEntries& attributes_;
};

}  // namespace mdevfs::model
