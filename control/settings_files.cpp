// SPDX-License-Identifier: Apache-2.0
#include "settings_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backends/values.h"
#include "model/show.h"
#include "unit.h"

namespace mdevfs::control {
namespace {

using model::fail;
using model::Object;
using model::Result;
using model::Slot;

// A key's file is the extra entry at the key's own place in the list, so that the slot says which key it is.
const backends::Key& key_at(std::span<const backends::Key> keys, Slot slot) {
  return keys[model::extra_place(slot)];
}

// One table of entries for each list of keys, made when it is first needed and there to the end.
template <typename Make>
const model::ExtraEntries& entries_for(std::span<const backends::Key> keys, Make make) {
  static std::mutex mutex;
  static std::map<const backends::Key*, model::ExtraEntries> tables;
  const std::lock_guard lock(mutex);
  const auto [at, fresh] = tables.try_emplace(keys.data());
  if (fresh) make(at->second);
  return at->second;
}

std::string show_value(const Object& object, const backends::Key& key, Slot slot, const std::string& name) {
  return model::kept_text(object, slot, backends::text_of({}, key, name) + "\n");
}

Result<void> store_value(Object& object, Unit& unit, const backends::Key& key, Slot slot,
                         std::string_view text) {
  const auto value = key.check(text);
  if (!value) {
    // As the kernel says it of a module's parameter.
    unit.core.log().print(model::Level::error, fmt::format("{}: `{}' invalid for parameter `{}'", unit.name(),
                                                           *backends::check_text(text), key.name));
    return std::unexpected(value.error());
  }
  model::keep_text(object, slot, *value + "\n");
  return {};
}

backends::Values values_of(const Object& object, std::span<const backends::Key> keys) {
  backends::Values values;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::string text = model::kept_text(object, model::kFirstExtra + static_cast<unsigned>(i), "");
    if (text.empty()) continue;
    text.pop_back();
    values.emplace(keys[i].name, std::move(text));
  }
  return values;
}

Result<void> store_values(Object& object, Unit& unit, std::span<const backends::Key> keys,
                          const backends::Values& values) {
  for (const auto& [name, value] : values) {
    const auto key = std::ranges::find(keys, name, &backends::Key::name);
    if (key == keys.end()) return fail(EINVAL);
    const Slot slot = model::kFirstExtra + static_cast<unsigned>(key - keys.begin());
    if (const auto stored = store_value(object, unit, *key, slot, value); !stored) return stored;
  }
  return {};
}

// --- the unit's own keys

KeyFiles& files_of(Object& object) {
  return static_cast<KeyFiles&>(object);
}

Result<std::string> show_key(Object& object, Slot slot) {
  const KeyFiles& files = files_of(object);
  return show_value(object, key_at(files.backend.keys, slot), slot, files.unit().name());
}

Result<void> refuse_while_live(const Unit& unit, std::string_view what) {
  if (unit.is_off()) return {};
  unit.explain(fmt::format("it is live or on its way: {} cannot be changed", what));
  return fail(EBUSY);
}

Result<void> store_key(Object& object, Slot slot, std::string_view text) {
  const KeyFiles& files = files_of(object);
  const backends::Key& key = key_at(files.backend.keys, slot);
  if (const auto may = refuse_while_live(files.unit(), key.name); !may) return may;
  return store_value(object, files.unit(), key, slot, text);
}

const model::ExtraEntries& key_entries(std::span<const backends::Key> keys) {
  static const model::ExtraEntries none;
  if (keys.empty()) return none;
  return entries_for(keys, [&](model::ExtraEntries& entries) {
    for (const auto& key : keys) {
      model::Entry entry =
          model::file(std::string(key.name), 0644, model::kSelf, Slot::none, show_key, store_key);
      entry.place = model::ConfigAttributes::place_in_item;
      add_extra(entries, std::move(entry));
    }
  });
}

// --- a group's item

GroupItem& item_of(Object& object) {
  return static_cast<GroupItem&>(object);
}

Result<std::string> show_item_key(Object& object, Slot slot) {
  const GroupItem& item = item_of(object);
  return show_value(object, key_at(item.directory().group.keys, slot), slot, item.name());
}

// A parent's keys can be changed as long as it is not registered, the other groups' while the unit is off.
Result<void> may_change(const GroupItem& item) {
  const GroupDirectory& directory = item.directory();
  if (!directory.is_parents()) return refuse_while_live(directory.unit(), directory.group.name);
  const auto loaded = directory.unit().loaded();
  if (!loaded || !loaded->is_registered(item.name())) return {};
  directory.unit().explain(fmt::format("{} is live", item.name()));
  return fail(EBUSY);
}

Result<void> store_item_key(Object& object, Slot slot, std::string_view text) {
  const GroupItem& item = item_of(object);
  if (const auto may = may_change(item); !may) return may;
  return store_value(object, item.directory().unit(), key_at(item.directory().group.keys, slot), slot, text);
}

template <auto kIs>
Result<std::string> show_parent(Object& object, Slot) {
  const GroupItem& item = item_of(object);
  const auto loaded = item.directory().unit().loaded();
  return loaded && (*loaded.*kIs)(item.name()) ? "1\n" : "0\n";
}

// 1 and 0, each with what it does.
template <auto kOn, auto kOff>
Result<void> store_parent(Object& object, Slot, std::string_view text) {
  const GroupItem& item = item_of(object);
  Unit& unit = item.directory().unit();
  const auto wanted = backends::check_flag(text);
  if (!wanted) {
    unit.explain("device and live are 1 or 0");
    return fail(EINVAL);
  }
  return *wanted == "1" ? (unit.*kOn)(item.name(), item.values()) : (unit.*kOff)(item.name());
}

const model::ExtraEntries& item_entries(const backends::Group& group) {
  return entries_for(group.keys, [&](model::ExtraEntries& entries) {
    constexpr Slot in = Slot::config_item;
    for (const auto& key : group.keys) {
      add_extra(entries,
                model::file(std::string(key.name), 0644, model::kSelf, in, show_item_key, store_item_key));
    }
    if (group.name != backends::kParents) return;
    using backends::Loaded;
    add_extra(entries, model::file("device", 0644, model::kSelf, in, show_parent<&Loaded::has_parent>,
                                   store_parent<&Unit::add_parent, &Unit::remove_parent>));
    model::Entry live = model::file("live", 0644, model::kSelf, in, show_parent<&Loaded::is_registered>,
                                    store_parent<&Unit::register_parent, &Unit::unregister_parent>);
    live.waits = [](Object&) { return true; };
    add_extra(entries, std::move(live));
  });
}

const model::ExtraEntries kNoAttributes;

}  // namespace

KeyFiles::KeyFiles(model::Core& owner, std::shared_ptr<Unit> unit, const backends::Backend& its_backend)
    : ConfigAttributes(owner, unit, key_entries(its_backend.keys)),
      backend(its_backend),
      unit_(std::move(unit)) {}

backends::Values KeyFiles::values() const {
  return values_of(*this, backend.keys);
}

Result<void> KeyFiles::set(const backends::Values& values) {
  return store_values(*this, *unit_, backend.keys, values);
}

GroupItem::GroupItem(model::Core& owner, std::shared_ptr<GroupDirectory> in, std::string name)
    : ConfigItem(owner, in, Slot::config_item, std::move(name), item_entries(in->group)),
      directory_(std::move(in)) {}

backends::Values GroupItem::values() const {
  return values_of(*this, directory_->group.keys);
}

Result<void> GroupItem::set(const backends::Values& values) {
  return store_values(*this, directory_->unit(), directory_->group.keys, values);
}

GroupDirectory::GroupDirectory(model::Core& owner, std::shared_ptr<Unit> unit,
                               const backends::Group& its_group)
    : ConfigItem(owner, unit, Slot::config_item, std::string(its_group.name), kNoAttributes),
      group(its_group),
      unit_(std::move(unit)) {}

Result<void> GroupDirectory::make_item(std::string_view name) {
  const auto made = make(name);
  return made ? Result<void>{} : std::unexpected(made.error());
}

Result<std::shared_ptr<GroupItem>> GroupDirectory::make(std::string_view name) {
  // A parent can be plugged in at any time; it is registered by its own `live`.
  if (!is_parents()) {
    if (const auto may = refuse_while_live(*unit_, group.name); !may) return std::unexpected(may.error());
  }
  const model::Lock lock(lock_);
  if (gone_) return fail(ENOENT);
  if (std::ranges::find(items_, name, [](const auto& item) { return item->name(); }) != items_.end())
    return fail(EEXIST);
  items_.push_back(
      core.make<GroupItem>(std::static_pointer_cast<GroupDirectory>(shared_from_this()), std::string(name)));
  core.tree().appear(*items_.back(), {model::kSelf});
  return items_.back();
}

Result<void> GroupDirectory::drop_item(std::string_view name) {
  if (!is_parents()) {
    if (const auto may = refuse_while_live(*unit_, group.name); !may) return may;
  } else if (const auto removed = unit_->remove_parent(std::string(name)); !removed) {
    unit_->explain(fmt::format("{} is live", name));
    return removed;
  }
  std::shared_ptr<GroupItem> gone;
  {
    const model::Lock lock(lock_);
    const auto at = std::ranges::find(items_, name, [](const auto& item) { return item->name(); });
    if (at == items_.end()) return fail(ENOENT);
    gone = std::move(*at);
    items_.erase(at);
  }
  core.tree().vanish(*gone, {model::kSelf});
  return {};
}

Result<void> GroupDirectory::add(const std::string& name, const backends::Values& values) {
  const auto made = make(name);
  return made ? (*made)->set(values) : std::unexpected(made.error());
}

std::vector<std::shared_ptr<GroupItem>> GroupDirectory::items() const {
  const model::Lock lock(lock_);
  return items_;
}

void GroupDirectory::take_away() {
  std::vector<std::shared_ptr<GroupItem>> gone;
  {
    const model::Lock lock(lock_);
    gone_ = true;
    gone = std::exchange(items_, {});
  }
  for (const auto& item : gone) core.tree().vanish(*item, {model::kSelf});
  core.tree().vanish(*this, {model::kSelf});
}

}  // namespace mdevfs::control
