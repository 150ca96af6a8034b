// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include "core.h"

namespace mdevfs::model {

Object::Object(Core& owner) : core(owner), id(owner.tree().registry().next_id()) {}

Object::~Object() {
  core.tree().registry().strike(id);
}

const Entry& Object::extra_entry(Slot slot) const {
  static const Entry nothing;
  const auto* const entries = extra();
  const auto i = index(slot) - index(kFirstExtra);
  return entries != nullptr && i < entries->size() ? (*entries)[i] : nothing;
}

Extras& Object::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

}  // namespace mdevfs::model
