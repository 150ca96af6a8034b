// SPDX-License-Identifier: Apache-2.0
//
// The kernel's samples: mtty, mdpy and mbochs are recognised by all that they show, and their parameter is
// found by what they would show with it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdint>
#include <functional>

#include "families.h"

namespace mdevfs::capture {
namespace {

struct SampleType {
  std::string_view sysfs_name;
  std::string_view name;
  std::optional<std::string_view> description;
  unsigned weight;
};

enum class Counts { ports, devices, megabytes };

struct Sample {
  std::string_view name;
  Counts counts;
  std::vector<SampleType> types;  // in natural order
};

const Sample kSamples[] = {
    {"mtty", Counts::ports, {{"1", "Single port serial", {}, 1}, {"2", "Dual port serial", {}, 2}}},
    {"mdpy",
     Counts::devices,
     {{"hd", "mdpy-hd", "virtual display, 1920x1080 framebuffer", 1},
      {"vga", "mdpy-vga", "virtual display, 640x480 framebuffer", 1},
      {"xga", "mdpy-xga", "virtual display, 1024x768 framebuffer", 1}}},
    {"mbochs",
     Counts::megabytes,
     {{"large", "mbochs-large", "virtual display, 64 MB video memory", 64},
      {"medium", "mbochs-medium", "virtual display, 16 MB video memory", 16},
      {"small", "mbochs-small", "virtual display, 4 MB video memory", 4}}},
};
constexpr std::int64_t kPorts = 24;  // of mtty, whatever is set

bool is_type(const SampleType& wanted, const SeenType& type) {
  return type.sysfs_name == wanted.sysfs_name && type.name == wanted.name &&
         type.description == wanted.description && type.device_api == "vfio-pci";
}

bool is_sample(const Sample& sample, const SeenParent& parent) {
  return parent.bus == "virtual" && parent.name == sample.name && parent.device_class == sample.name &&
         std::ranges::equal(sample.types, parent.types, is_type);
}

std::int64_t used_of(const Sample& sample, const SeenParent& parent) {
  std::int64_t used = 0;
  for (std::size_t i = 0; i < sample.types.size(); ++i)
    used += static_cast<std::int64_t>(parent.types[i].devices.size()) * sample.types[i].weight;
  return used;
}

// Whether so much in all shows these counts. Of mdpy a negative one is a very large one, as in the kernel.
bool shows(const Sample& sample, const SeenParent& parent, std::int64_t all) {
  if (sample.counts == Counts::devices) all = static_cast<std::uint32_t>(all);
  const std::int64_t left = all - used_of(sample, parent);
  for (std::size_t i = 0; i < sample.types.size(); ++i) {
    if (static_cast<unsigned>(left / sample.types[i].weight) != parent.types[i].available) return false;
  }
  return true;
}

// The least that shows as many of the smallest type.
std::int64_t count_of(const Sample& sample, const SeenParent& parent) {
  const auto smallest = std::ranges::min_element(sample.types, {}, &SampleType::weight);
  const auto place = static_cast<std::size_t>(smallest - sample.types.begin());
  return std::int64_t{parent.types[place].available} * smallest->weight + used_of(sample, parent);
}

std::optional<std::int64_t> parameter_of(Observer& observer, const Sample& sample) {
  const auto text = observer.line(fmt::format("module/{}/parameters/count", sample.name));
  std::int64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<UnitDraft> sample_unit(Capture& capture, const SeenParent& parent) {
  const auto* const sample =
      std::ranges::find_if(kSamples, [&](const Sample& each) { return is_sample(each, parent); });
  if (sample == std::end(kSamples)) return std::nullopt;
  const backends::Backend* const backend = backends::find(sample->name);
  if (backend == nullptr) return std::nullopt;
  const bool fixed = sample->counts == Counts::ports;
  const auto parameter = fixed ? std::nullopt : parameter_of(capture.observer, *sample);
  const bool by_parameter = parameter && shows(*sample, parent, *parameter);
  const std::int64_t count = by_parameter ? *parameter : fixed ? kPorts : count_of(*sample, parent);
  if (!shows(*sample, parent, count)) return std::nullopt;
  UnitDraft unit(*backend, capture.units.give(sample->name));
  capture.taken_drivers[std::string(sample->name)] = unit.table.name();
  Table& table = unit.add_parent(capture.parents.give(parent.name));
  if (!fixed) {
    table.set("count",
              sample->counts == Counts::devices && count > INT_MAX ? static_cast<std::int32_t>(count) : count,
              by_parameter ? "" : "the parameter of the module does not show it, the counts do");
  }
  return unit;
}

}  // namespace mdevfs::capture
