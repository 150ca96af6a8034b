// SPDX-License-Identifier: Apache-2.0
//
// The `power` directory that every device has: what drivers/base/power/sysfs.c shows of a device without
// runtime power management.
#include "device.h"
#include "object.h"
#include "show.h"
#include "text.h"

namespace mdevfs::model {
namespace {

// Keeps one of two words, with or without a newline; EINVAL for any other text.
Result<void> keep_word(Object& object, Slot slot, std::string_view text, std::string_view one,
                       std::string_view other) {
  for (const std::string_view word : {one, other}) {
    if (!equals_line(text, word)) continue;
    keep_text(object, slot, std::string(word) + "\n");
    return {};
  }
  return fail(EINVAL);
}

// Where these files' slots are, from the directory's on.
constexpr unsigned kControl = 3;
constexpr unsigned kEnabled = 6;
constexpr unsigned kUsage = 9;

// `on` in control forbids to suspend the device. The slot is that of the file at `place`, of the same
// directory.
bool is_forbidden(const Object& object, Slot slot, unsigned place) {
  const auto directory = static_cast<unsigned>(slot) - place;
  return kept_text(object, static_cast<Slot>(directory + kControl), "auto\n") == "on\n";
}

// It is never enabled.
Result<std::string> show_enabled(Object& object, Slot slot) {
  return is_forbidden(object, slot, kEnabled) ? "disabled & forbidden\n" : "disabled\n";
}
// Who forbids it counts as a user.
Result<std::string> show_usage(Object& object, Slot slot) {
  return is_forbidden(object, slot, kUsage) ? "1\n" : "0\n";
}

Result<std::string> show_control(Object& object, Slot slot) {
  return kept_text(object, slot, "auto\n");
}
Result<std::string> show_async(Object& object, Slot slot) {
  return kept_text(object, slot, "disabled\n");
}
Result<std::string> show_autosuspend_delay(Object&, Slot) {
  return fail(EIO);
}

// control_store takes the device's lock, and so waits for a probe or an unbind in progress. Of an mdev only:
// other devices' locks are never held for long, and a vfio device's files are drained under the lock of its
// mdev.
Result<void> store_control(Object& object, Slot slot, std::string_view text) {
  if (slot < Slot::device_power || slot >= Slot::device_power_end)
    return keep_word(object, slot, text, "on", "auto");
  const Lock lock(static_cast<Device&>(object).device_lock);
  return keep_word(object, slot, text, "on", "auto");
}

Result<void> store_async(Object& object, Slot slot, std::string_view text) {
  return keep_word(object, slot, text, "enabled", "disabled");
}

Result<void> store_autosuspend_delay(Object&, Slot, std::string_view) {
  return fail(EIO);
}

struct PowerFile {
  const char* name;
  mode_t mode;
  decltype(Entry::show) show;
  decltype(Entry::store) store;
};

constexpr PowerFile kPowerFiles[] = {
    {"async", 0644, show_async, store_async},
    {"autosuspend_delay_ms", 0644, show_autosuspend_delay, store_autosuspend_delay},
    {"control", 0644, show_control, store_control},
    {"runtime_active_kids", 0444, show_text<"0\n">, nullptr},
    {"runtime_active_time", 0444, show_text<"0\n">, nullptr},
    {"runtime_enabled", 0444, show_enabled, nullptr},
    {"runtime_status", 0444, show_text<"unsupported\n">, nullptr},
    {"runtime_suspended_time", 0444, show_text<"0\n">, nullptr},
    {"runtime_usage", 0444, show_usage, nullptr},
};
static_assert(kPowerFiles[kControl - 1].store == store_control);
static_assert(kPowerFiles[kEnabled - 1].show == show_enabled);
static_assert(kPowerFiles[kUsage - 1].show == show_usage);

}  // namespace

void Schema::add_power(Slot in, Slot first, Part part) {
  add(first, directory("power", part, in));
  Slot slot = first;
  for (const PowerFile& f : kPowerFiles) {
    slot = slot + 1;
    add(slot, file(f.name, f.mode, part, first, f.show, f.store));
  }
}

}  // namespace mdevfs::model
