// SPDX-License-Identifier: Apache-2.0
//
// The decision, and the files under kernel/debug/mdevfs/PARENT.
#include "fault.h"

#include <fmt/format.h>

#include "core.h"
#include "number.h"
#include "parent.h"
#include "show.h"

namespace mdevfs::model {

// should_fail: each condition lets the call through before the next is looked at.
std::optional<Errno> FaultPoint::should_fail() {
  const Lock lock(lock_);
  if (knobs_.times == 0) return std::nullopt;
  if (knobs_.space > 1) {
    --knobs_.space;
    return std::nullopt;
  }
  if (knobs_.interval > 1 && ++calls_ % knobs_.interval != 0) return std::nullopt;
  if (knobs_.probability <= std::uniform_int_distribution<std::int64_t>(0, 99)(random_)) return std::nullopt;
  if (knobs_.times > 0) --knobs_.times;
  return Errno{static_cast<int>(knobs_.error)};
}

std::int64_t FaultPoint::knob(std::int64_t Knobs::* which) const {
  const Lock lock(lock_);
  return knobs_.*which;
}

void FaultPoint::set_knob(std::int64_t Knobs::* which, std::int64_t value) {
  const Lock lock(lock_);
  knobs_.*which = value;
}

namespace {

constexpr std::int64_t kLargestErrno = 4095;  // MAX_ERRNO

HostDevice& device_of(Object& object) {
  return static_cast<HostDevice&>(object);
}

// A number as parse_unsigned takes it, with a sign where there may be one. EINVAL: another text, or beyond
// the ends.
Result<std::int64_t> parse_between(std::string_view text, std::int64_t least, std::int64_t most) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto magnitude = parse_unsigned(text);
  if (!magnitude || *magnitude > INT64_MAX) return fail(EINVAL);
  const auto value = static_cast<std::int64_t>(*magnitude) * (negative ? -1 : 1);
  if (value < least || value > most) return fail(EINVAL);
  return value;
}

using Knobs = FaultPoint::Knobs;

template <FaultPoint Fault::* kPoint, std::int64_t Knobs::* kKnob>
Result<std::string> show_knob(Object& object, Slot) {
  return fmt::format("{}\n", (device_of(object).fault.*kPoint).knob(kKnob));
}

template <FaultPoint Fault::* kPoint, std::int64_t Knobs::* kKnob, std::int64_t kLeast, std::int64_t kMost>
Result<void> store_knob(Object& object, Slot, std::string_view text) {
  const auto value = parse_between(text, kLeast, kMost);
  if (!value) return std::unexpected(value.error());
  if (kKnob == &Knobs::error && *value == 0) return fail(EINVAL);
  (device_of(object).fault.*kPoint).set_knob(kKnob, *value);
  return {};
}

template <auto kDelay>
Result<std::string> show_delay(Object& object, Slot) {
  return fmt::format("{}\n", (device_of(object).fault.*kDelay).load());
}

template <auto kDelay>
Result<void> store_delay(Object& object, Slot, std::string_view text) {
  const auto value = parse_between(text, 0, UINT32_MAX);
  if (!value) return std::unexpected(value.error());
  device_of(object).fault.*kDelay = static_cast<std::uint32_t>(*value);
  object.core.create_files_changed(device_of(object));
  return {};
}

template <FaultPoint Fault::* kPoint, std::int64_t Knobs::* kKnob, std::int64_t kLeast, std::int64_t kMost>
Entry knob_file(const char* name, Slot in) {
  return file(name, 0600, HostDevice::kDebug, in, show_knob<kPoint, kKnob>,
              store_knob<kPoint, kKnob, kLeast, kMost>);
}

// A directory and its knobs, in slots that follow one another.
template <FaultPoint Fault::* kPoint>
void define_point(Schema& schema, Slot first, const char* name, bool KernelAge::* in_age) {
  Entry entries[] = {
      directory(name, HostDevice::kDebug, Slot::debug_parent),
      knob_file<kPoint, &Knobs::error, -kLargestErrno, kLargestErrno>("errno", first),
      knob_file<kPoint, &Knobs::interval, 0, INT64_MAX>("interval", first),
      knob_file<kPoint, &Knobs::probability, 0, INT64_MAX>("probability", first),
      knob_file<kPoint, &Knobs::space, 0, INT64_MAX>("space", first),
      knob_file<kPoint, &Knobs::times, -1, INT64_MAX>("times", first),
  };
  Slot slot = first;
  for (Entry& entry : entries) {
    entry.in_age = in_age;
    schema.add(slot, std::move(entry));
    slot = slot + 1;
  }
}

template <auto kDelay>
Entry delay_file(const char* name) {
  return file(name, 0600, HostDevice::kDebug, Slot::debug_parent, show_delay<kDelay>, store_delay<kDelay>);
}

}  // namespace

// Part of HostDevice's table.
void define_debug(Schema& schema) {
  schema.add(
      Slot::debug_parent,
      {.kind = Kind::directory, .mode = kDirectoryMode, .part = HostDevice::kDebug, .place = [](Object& o) {
         return Node{&o.core.root(), Slot::kernel_debug_mdevfs};
       }});
  define_point<&Fault::fail_probe>(schema, Slot::debug_fail_probe, "fail_probe", nullptr);
  define_point<&Fault::fail_remove>(schema, Slot::debug_fail_remove, "fail_remove",
                                    &KernelAge::driver_may_refuse_remove);
  schema.add(Slot::debug_probe_delay_ms, delay_file<&Fault::probe_delay_ms>("probe_delay_ms"));
  schema.add(Slot::debug_remove_delay_ms, delay_file<&Fault::remove_delay_ms>("remove_delay_ms"));
}

}  // namespace mdevfs::model
