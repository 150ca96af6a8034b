// SPDX-License-Identifier: Apache-2.0
//
// slots, a backend of one's own: a card whose slots are in pairs. A device of the type `single` takes one
// slot, preferably beside another one; a `double` takes both of a pair. So what fits still is not a matter of
// how many slots are free: with one device in each pair there is room for singles, but for no double.
//
// Each device has a directory `slots` with the files
//
//   place    the slots that it has
//   reads    how often this file has been read
//   limit    a number from 1 to 100 that it keeps. ERANGE: another number. EINVAL: no number.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <map>
#include <vector>

#include "backends/plugin_api.h"

namespace {

using namespace mdevfs;
using backends::Key;

constexpr unsigned kBoth = 0b11;  // the slots of a pair, a bit each

unsigned wanted_by(const model::Type& type) {
  return type.info.tag;
}

// --- the files, each of which finds its driver by the device

class Slots;
Slots& driver_of(model::Device& device);

model::Result<std::string> show_place(model::Device& device);
model::Result<std::string> show_reads(model::Device& device);
model::Result<std::string> show_limit(model::Device& device);
model::Result<void> store_limit(model::Device& device, std::string_view text);

model::DriverInfo driver_info() {
  return {.name = "slots",
          .device_api = "vfio-pci",
          .counts_itself = true,
          .waits = false,
          .groups = {{"slots",
                      {{.name = "limit", .mode = 0644, .show = show_limit, .store = store_limit},
                       {.name = "place", .show = show_place},
                       {.name = "reads", .show = show_reads}}}}};
}

// --- the driver

struct Taken {
  std::size_t pair = 0;
  unsigned slots = 0;  // of the pair
  unsigned reads = 0;
  unsigned limit = 100;
};

// Thread-safety: as Driver.
class Slots final : public model::Driver {
 public:
  Slots(model::Core& owner, std::shared_ptr<model::Module> owner_module, std::size_t pairs)
      : Driver(owner, std::move(owner_module), driver_info()), pairs_(pairs) {}

  // ENOSPC: it does not fit.
  model::Result<void> probe(model::Device& device) override {
    const model::Lock lock(lock_);
    const auto pair = std::ranges::max_element(pairs_, {}, [&](unsigned used) {
      return fits(used, *device.type) ? static_cast<int>(used) : -1;  // a used one first
    });
    if (!fits(*pair, *device.type)) return model::fail(ENOSPC);
    const unsigned slots = wanted_by(*device.type) == 2 ? kBoth : ~*pair & (*pair + 1);
    *pair |= slots;
    taken_[&device] = {.pair = static_cast<std::size_t>(pair - pairs_.begin()), .slots = slots};
    return {};
  }

  void remove(model::Device& device) noexcept override {
    const model::Lock lock(lock_);
    const auto at = taken_.find(&device);
    pairs_[at->second.pair] &= ~at->second.slots;
    taken_.erase(at);
  }

  std::optional<unsigned> get_available(const model::Type& type) override {
    const model::Lock lock(lock_);
    unsigned devices = 0;
    for (const unsigned used : pairs_)
      devices += (2 - static_cast<unsigned>(std::popcount(used))) / wanted_by(type);
    return devices;
  }

  // Of a device whose files are shown: its probe has succeeded and its remove has not begun.
  template <typename Look>
  auto with(const model::Device& device, Look look) {
    const model::Lock lock(lock_);
    return look(taken_.at(&device));
  }

 private:
  static bool fits(unsigned used, const model::Type& type) {
    return wanted_by(type) == 2 ? used == 0 : used != kBoth;
  }

  model::Mutex lock_{model::Rank::backend};
  std::vector<unsigned> pairs_ GUARDED_BY(lock_);  // the slots of each that are used
  std::map<const model::Device*, Taken> taken_ GUARDED_BY(lock_);
};

Slots& driver_of(model::Device& device) {
  return static_cast<Slots&>(device.driver());
}

model::Result<std::string> show_place(model::Device& device) {
  return driver_of(device).with(device, [](const Taken& taken) {
    const std::size_t first = 2 * taken.pair;
    return taken.slots == kBoth ? fmt::format("{} {}\n", first, first + 1)
                                : fmt::format("{}\n", first + taken.slots - 1);
  });
}

model::Result<std::string> show_reads(model::Device& device) {
  return driver_of(device).with(device, [](Taken& taken) { return fmt::format("{}\n", ++taken.reads); });
}

model::Result<std::string> show_limit(model::Device& device) {
  return driver_of(device).with(device, [](const Taken& taken) { return fmt::format("{}\n", taken.limit); });
}

model::Result<void> store_limit(model::Device& device, std::string_view text) {
  const auto value = backends::parse_number(text, INT_MIN, INT_MAX);
  if (!value) return std::unexpected(value.error());
  if (*value < 1 || *value > 100) return model::fail(ERANGE);
  driver_of(device).with(device, [&](Taken& taken) { taken.limit = static_cast<unsigned>(*value); });
  return {};
}

// --- the backend

constexpr Key kKeys[] = {{"pairs", "2", "pairs of slots on the card", backends::check_number<1, 64>}};

model::Result<std::shared_ptr<backends::Loaded>> load(model::Core& core, const backends::Settings& settings) {
  const auto pairs = backends::Reader(settings.values, kKeys, settings.name).number("pairs");
  return backends::load_sample<Slots>(
      core, {.name = "slots", .parameters = {{"pairs", fmt::format("{}\n", pairs)}}},
      {"slots: a card with pairs of slots"}, {{"single", "One slot", 1}, {"double", "A pair of slots", 2}},
      static_cast<std::size_t>(pairs));
}

backends::Backend slots() {
  return {.name = "slots",
          .summary = "a card whose slots are in pairs: a device takes one, or a whole pair (an example)",
          .keys = kKeys,
          .groups = {},
          .complete = true,
          .by_default = true,
          .load = load};
}

}  // namespace

MDEVFS_PLUGIN(slots);
