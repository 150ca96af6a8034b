// SPDX-License-Identifier: Apache-2.0
#include "registry.h"

#include "object.h"

namespace mdevfs::model {

void Registry::enroll(Object& object) {
  const Lock lock(lock_);
  const auto page = object.id / kPage;
  if (pages_.size() <= page) pages_.resize(page + 1);
  if (!pages_[page]) pages_[page] = std::make_unique<Page>();
  pages_[page]->objects[object.id % kPage] = &object;
  ++pages_[page]->used;
}

void Registry::strike(Id id) {
  const Lock lock(lock_);
  const auto page = id / kPage;
  if (pages_.size() <= page || !pages_[page] || pages_[page]->objects[id % kPage] == nullptr) return;
  pages_[page]->objects[id % kPage] = nullptr;
  if (--pages_[page]->used == 0) pages_[page].reset();
}

std::shared_ptr<Object> Registry::find(Id id) const {
  const SharedLock lock(lock_);
  const auto page = id / kPage;
  if (pages_.size() <= page || !pages_[page]) return nullptr;
  Object* const object = pages_[page]->objects[id % kPage];
  // An object whose last holder has just let go waits for our lock in strike(): it is gone already.
  return object == nullptr ? nullptr : object->weak_from_this().lock();
}

Object& Registry::held(Id id) const {
  const SharedLock lock(lock_);
  return *pages_[id / kPage]->objects[id % kPage];
}

}  // namespace mdevfs::model
