// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include "core.h"

namespace mdevfs::model {

Object::Object(Core& owner) : core(owner), id(owner.tree().registry().next_id()) {}

Object::~Object() {
  core.tree().registry().strike(id);
}

const Entry& Object::extra_entry(Slot slot) const {
  const auto* const entries = slot < kFirstExtra ? nullptr : extra();
  const auto place = extra_place(slot);
  if (entries != nullptr && place < entries->size() && (*entries)[place].slot == slot)
    return (*entries)[place];
  return Schema::get().at(self(), slot);
}

bool Object::has(const Entry& entry) const {
  return core.age().*entry.in_age;
}

Extras& Object::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

std::string kept_text(const Object& object, Slot slot, const std::string& otherwise) {
  const SharedLock lock(kernfs_rwsem);
  const auto* const extras = object.extras_if_any();
  if (extras == nullptr) return otherwise;
  const auto kept = extras->kept.find(slot);
  return kept != extras->kept.end() ? kept->second : otherwise;
}

void keep_text(Object& object, Slot slot, std::string text) {
  const Lock lock(kernfs_rwsem);
  object.extras().kept[slot] = std::move(text);
}

}  // namespace mdevfs::model
