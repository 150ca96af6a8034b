// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/values.h"
#include "model/show.h"
#include "model/text.h"
#include "settings_files.h"

namespace mdevfs::control {
namespace {

using model::fail;
using model::Object;
using model::Result;
using model::Slot;

Unit& unit_of(Object& object) {
  return static_cast<Unit&>(object);
}

Result<std::string> show_backend(Object& object, Slot) {
  return unit_of(object).backend_name() + "\n";
}

Result<void> store_backend(Object& object, Slot, std::string_view text) {
  return unit_of(object).set_backend(model::without_newline(text));
}

Result<std::string> show_live(Object& object, Slot) {
  return unit_of(object).is_live() ? "1\n" : "0\n";
}

Result<void> store_live(Object& object, Slot, std::string_view text) {
  Unit& unit = unit_of(object);
  if (model::equals_line(text, "unload")) return unit.unload();
  const auto wanted = backends::check_flag(text);
  if (!wanted) {
    unit.explain("live is 1, 0 or unload");
    return fail(EINVAL);
  }
  return *wanted == "1" ? unit.go_live() : unit.go_off();
}

Result<std::string> show_parent_names(Object& object, Slot) {
  std::string text;
  if (const auto loaded = unit_of(object).loaded()) {
    for (const auto& name : object.core.registered_parents(*loaded->module)) text += name + "\n";
  }
  return text;
}

const model::ExtraEntries& unit_entries() {
  static const model::ExtraEntries entries = [] {
    model::ExtraEntries made;
    constexpr Slot in = Slot::config_item;
    add_extra(made, model::file("backend", 0644, model::kSelf, in, show_backend, store_backend));
    model::Entry live = model::file("live", 0644, model::kSelf, in, show_live, store_live);
    live.waits = [](Object&) { return true; };
    add_extra(made, std::move(live));
    add_extra(made, model::file("parent_names", 0444, model::kSelf, in, show_parent_names));
    return made;
  }();
  return entries;
}

std::set<std::string> items_of(const backends::Settings& settings) {
  std::set<std::string> names;
  for (const auto& [group, items] : settings.items) {
    for (const auto& [item, values] : items) {
      if (group != backends::kParents) names.insert(fmt::format("{}/{}", group, item));
    }
  }
  return names;
}

}  // namespace

Unit::Unit(model::Core& owner, std::shared_ptr<model::ConfigItem> in, std::string name, Complete complete)
    : ConfigItem(owner, std::move(in), Slot::config_item, std::move(name), unit_entries()),
      complete_(std::move(complete)) {}

void Unit::explain(std::string_view why) const {
  core.log().print(model::Level::error, fmt::format("mdevfs: {}: {}", name(), why));
}

// --- what it is to be

Result<Unit::SettingsFiles> Unit::begin_change(State next, std::string_view what) {
  const model::Lock lock(lock_);
  if (state_ != State::off) {
    explain(fmt::format("it is live or on its way: {}", what));
    return fail(EBUSY);
  }
  state_ = next;
  return std::exchange(files_, {});
}

Result<void> Unit::set_backend(std::string_view name) {
  const auto* const backend = backends::find(name);
  if (backend == nullptr) {
    explain(fmt::format("there is no backend `{}'", name));
    return fail(ENOENT);
  }
  auto old = begin_change(State::changing, "its backend cannot be changed");
  if (!old) return std::unexpected(old.error());
  take_away(*old);
  const auto self = std::static_pointer_cast<Unit>(shared_from_this());
  SettingsFiles files{.backend = backend, .keys = core.make<KeyFiles>(self, *backend)};
  core.tree().appear(*files.keys, {model::kSelf});
  for (const backends::Group& group : backend->groups) {
    files.groups.push_back(core.make<GroupDirectory>(self, group));
    core.tree().appear(*files.groups.back(), {model::kSelf});
  }
  const model::Lock lock(lock_);
  files_ = std::move(files);
  state_ = State::off;
  return {};
}

Result<void> Unit::describe(const backends::Settings& settings) {
  SettingsFiles files;
  {
    const model::Lock lock(lock_);
    if (state_ != State::off) return fail(EBUSY);
    if (files_.backend == nullptr) return fail(EINVAL);
    files = files_;
  }
  if (const auto done = files.keys->set(settings.values); !done) return done;
  for (const auto& [name, items] : settings.items) {
    const auto group = std::ranges::find(files.groups, name, [](const auto& at) { return at->group.name; });
    if (group == files.groups.end()) return fail(EINVAL);
    for (const auto& [item, values] : items) {
      if (const auto done = (*group)->add(item, values); !done) return done;
    }
  }
  return {};
}

void Unit::take_away(SettingsFiles& files) {
  for (const auto& group : files.groups) group->take_away();
  if (files.keys) core.tree().vanish(*files.keys, {model::kSelf});
}

Result<void> Unit::take_away() {
  auto files = begin_change(State::gone, "it cannot be removed");
  if (!files) return std::unexpected(files.error());
  take_away(*files);
  core.tree().vanish(*this, {model::kSelf});
  return {};
}

void Unit::end() {
  SettingsFiles files;
  {
    const model::Lock lock(lock_);
    state_ = State::gone;
    files = std::exchange(files_, {});
    loaded_.reset();
  }
  take_away(files);
  core.tree().vanish(*this, {model::kSelf});
}

std::string Unit::backend_name() const {
  const model::Lock lock(lock_);
  return files_.backend != nullptr ? std::string(files_.backend->name) : std::string();
}

backends::Settings Unit::settings() const {
  backends::Settings settings{.name = name(), .values = files_.keys->values()};
  for (const auto& group : files_.groups) {
    auto& items = settings.items[std::string(group->group.name)];
    for (const auto& item : group->items()) items.emplace_back(item->name(), item->values());
  }
  return settings;
}

// --- live and off

bool Unit::is_live() const {
  const model::Lock lock(lock_);
  return state_ == State::live;
}

bool Unit::is_off() const {
  const model::Lock lock(lock_);
  return state_ == State::off;
}

std::shared_ptr<backends::Loaded> Unit::loaded() const {
  const model::Lock lock(lock_);
  return loaded_;
}

bool Unit::starts_empty() const {
  const auto values = files_.keys->values();
  const auto at = values.find(backends::kStartEmpty);
  return at != values.end() && at->second == "1";
}

Result<backends::Settings> Unit::begin_coming() {
  const model::Lock lock(lock_);
  if (state_ == State::live) return fail(EEXIST);
  if (state_ != State::off) return fail(EBUSY);
  if (files_.backend == nullptr) {
    explain("it has no backend");
    return fail(EINVAL);
  }
  // A unit with parents of its choice has one where none was chosen.
  const std::string_view first = files_.backend->first_parent;
  const std::string parent = first == backends::kItemName ? name() : std::string(first);
  for (const auto& group : files_.groups) {
    if (group->is_parents() && group->items().empty() && !starts_empty())
      std::ignore = group->make_item(parent);
  }
  state_ = State::coming;
  return settings();
}

Result<backends::Settings> Unit::completed(const backends::Backend& backend,
                                           backends::Settings settings) const {
  if (!complete_) return settings;
  auto done = complete_(backend, std::move(settings));
  if (done) return std::move(*done);
  for (std::string_view why = done.error(); !why.empty();) {
    const std::string_view line = why.substr(0, why.find('\n'));
    explain(line);
    why.remove_prefix(std::min(why.size(), line.size() + 1));
  }
  return fail(EINVAL);
}

Result<void> Unit::go_live() {
  auto written = begin_coming();
  if (!written) return std::unexpected(written.error());
  const backends::Backend& backend = *backends::find(backend_name());
  const auto settings = completed(backend, std::move(*written));
  const model::Lock plug(plug_);
  const auto loaded = settings ? backend.load(core, *settings) : std::unexpected(settings.error());
  const model::Lock lock(lock_);
  if (!loaded) {
    const int error = loaded.error().value;
    if (error == EEXIST || error == EBUSY)
      explain("there is a module, a driver, a class, a parent device or a type of its name already");
    state_ = State::off;
    return std::unexpected(loaded.error());
  }
  loaded_ = *loaded;
  loaded_items_ = items_of(*settings);
  state_ = State::live;
  return {};
}

Result<void> Unit::leave(Leave how) {
  std::shared_ptr<backends::Loaded> loaded;
  {
    const model::Lock lock(lock_);
    if (state_ == State::off) return {};
    if (state_ != State::live) return fail(EBUSY);
    if (how == Leave::try_only && !core.try_stop_module(*loaded_->module)) {
      explain("a vfio descriptor of one of its devices is open");
      return fail(EAGAIN);
    }
    state_ = State::going;
    loaded = loaded_;
  }
  const model::Lock plug(plug_);
  loaded->unload(core);
  const model::Lock lock(lock_);
  loaded_.reset();
  state_ = State::off;
  return {};
}

// --- its parents, one by one

Result<void> Unit::add_parent(const std::string& parent, const backends::Values& values) {
  return plug_in(&backends::Loaded::add_parent, parent, values);
}

Result<void> Unit::register_parent(const std::string& parent, const backends::Values& values) {
  return plug_in(&backends::Loaded::register_parent, parent, values);
}

// What the backend has is what the unit went live with: another card's types are not among it.
Result<backends::Values> Unit::completed_parent(const std::string& parent, const backends::Values& values) {
  const backends::Backend* backend = nullptr;
  backends::Settings settings;
  std::set<std::string> known;
  {
    const model::Lock lock(lock_);
    backend = files_.backend;
    if (!complete_ || backend == nullptr) return values;
    settings = this->settings();
    known = loaded_items_;
  }
  settings.items[std::string(backends::kParents)] = {{parent, values}};
  auto done = completed(*backend, std::move(settings));
  if (!done) return std::unexpected(done.error());
  const auto unit = loaded();
  for (const std::string& item : items_of(*done)) {
    if (known.contains(item) || (unit && unit->learn(*done))) continue;
    explain(fmt::format("there is no {} in it, as no parent had that when it went live", item));
    return fail(EINVAL);
  }
  return done->items[std::string(backends::kParents)].front().second;
}

Result<void> Unit::plug_in(Plug step, const std::string& parent, const backends::Values& values) {
  const model::SharedLock plug(plug_);
  const auto unit = loaded();
  if (!unit) {
    explain("it is not live, and so its parents are not");
    return fail(ENODEV);
  }
  const auto complete = completed_parent(parent, values);
  return complete ? (*unit.*step)(parent, *complete) : std::unexpected(complete.error());
}

Result<void> Unit::unregister_parent(const std::string& parent) {
  const model::SharedLock plug(plug_);
  const auto unit = loaded();
  return unit ? unit->unregister_parent(parent) : fail(ENODEV);
}

Result<void> Unit::remove_parent(const std::string& parent) {
  {
    // rmdir: the kernel holds the directory's lock meanwhile, which must not be for long.
    const model::Lock lock(lock_);
    if (state_ != State::live) return state_ == State::off ? Result<void>{} : fail(EBUSY);
  }
  const model::SharedLock plug(plug_);
  const auto unit = loaded();
  return unit ? unit->remove_parent(parent) : Result<void>{};
}

}  // namespace mdevfs::control
