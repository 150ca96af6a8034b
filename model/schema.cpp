// SPDX-License-Identifier: Apache-2.0
//
// The table is put together from the kinds' own tables, which stand beside the code of their objects.
#include "binding_files.h"
#include "bus.h"
#include "configfs.h"
#include "core.h"
#include "device.h"
#include "device_class.h"
#include "driver.h"
#include "entry.h"
#include "host_device.h"
#include "module.h"
#include "parent.h"
#include "root.h"

namespace mdevfs::model {

Schema::Schema()
    : entries_(index(Slot::end)),
      children_(index(Slot::end)),
      parts_(index(Slot::end)),
      elsewhere_(index(Slot::end)) {
  define_root(*this);
  define_configfs(*this);
  define_module(*this);
  define_device_class(*this);
  define_driver(*this);
  define_bus(*this);
  define_host_device(*this);
  define_binding_files(*this);
  define_parent(*this);
  define_device(*this);
}

namespace {
const Entry nothing;
}

const Entry& Schema::at(Slot self, Slot slot) const {
  return slot < Slot::end && at(slot).owner == self ? at(slot) : nothing;
}

const Entry& Schema::of_the_gone(Slot slot) {
  // Their modes went with them; these are the usual ones.
  static const Entry extra_file{.kind = Kind::file, .mode = 0444};
  static const Entry extra_directory{.kind = Kind::directory, .mode = 0755};
  if (slot < Slot::end) return get().at(slot);
  if (slot < kFirstExtra) return nothing;
  return slot < kFirstExtraDirectory ? extra_file : extra_directory;
}

Slot add_extra(ExtraEntries& entries, Entry entry) {
  const Slot first = entry.kind == Kind::directory ? kFirstExtraDirectory : kFirstExtra;
  entry.slot = first + static_cast<unsigned>(entries.size());
  entries.push_back(std::move(entry));
  return entries.back().slot;
}

void Schema::add(Slot slot, Entry entry) {
  entry.slot = slot;
  entry.owner = self_;
  if (entry.directory != Slot::none) children_[index(entry.directory)].push_back(slot);
  parts_[index(self_)][entry.part].push_back(slot);
  if (entry.place != nullptr && entry.name_of == nullptr) elsewhere_[index(self_)].push_back(slot);
  entries_[index(slot)] = std::move(entry);
}

}  // namespace mdevfs::model
