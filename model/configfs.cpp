// SPDX-License-Identifier: Apache-2.0
#include "configfs.h"

#include "core.h"
#include "show.h"

namespace mdevfs::model {
namespace {

ConfigItem& item_of(Object& object) {
  return static_cast<ConfigItem&>(object);
}

}  // namespace

ConfigItem::ConfigItem(Core& owner, std::shared_ptr<Object> in, Slot place, std::string name,
                       const ExtraEntries& attributes)
    : Object(owner), in_(std::move(in)), place_(place), name_(std::move(name)), attributes_(attributes) {}

ConfigAttributes::ConfigAttributes(Core& owner, std::shared_ptr<ConfigItem> item,
                                   const ExtraEntries& attributes)
    : Object(owner), item_(std::move(item)), attributes_(attributes) {}

Node ConfigAttributes::place_in_item(Object& object) {
  return {static_cast<ConfigAttributes&>(object).item_.get(), Slot::config_item};
}

void define_configfs(Schema& schema) {
  schema.begin(Slot::config_item);
  schema.add(
      Slot::config_item,
      {.kind = Kind::directory,
       .mode = kDirectoryMode,
       .place = [](Object& o) { return item_of(o).place(); },
       .make_directory = [](Object& o, std::string_view name) { return item_of(o).make_item(name); },
       .remove_directory = [](Object& o, std::string_view name) { return item_of(o).drop_item(name); }});
  schema.begin(Slot::config_attributes);
  schema.add(Slot::config_attributes, {});
}

}  // namespace mdevfs::model
