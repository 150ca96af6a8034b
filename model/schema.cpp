// SPDX-License-Identifier: Apache-2.0
//
// The table is put together from the kinds' own tables, which stand beside the code of their objects.
#include "core.h"
#include "device.h"
#include "device_class.h"
#include "driver.h"
#include "entry.h"
#include "module.h"
#include "parent.h"
#include "root.h"

namespace mdevfs::model {

Schema::Schema() : entries_(index(Slot::end)), children_(index(Slot::end)), parts_(index(Slot::end)) {
  define_root(*this);
  define_module(*this);
  define_device_class(*this);
  define_driver(*this);
  define_parent(*this);
  define_device(*this);
}

void Schema::add(Slot slot, Entry entry) {
  entry.slot = slot;
  if (entry.directory != Slot::none) children_[index(entry.directory)].push_back(slot);
  parts_[index(self_)][entry.part].push_back(slot);
  entries_[index(slot)] = std::move(entry);
}

}  // namespace mdevfs::model
