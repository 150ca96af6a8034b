// SPDX-License-Identifier: Apache-2.0
//
// NVIDIA's GPUs: parents themselves, or the functions that parents or the vendor's own virtual functions are
// of.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <map>

#include "families.h"
#include "order.h"

namespace mdevfs::capture {
namespace {

struct VgpuType {
  std::string id;
  std::string name;
  std::uint64_t framebuffer = 0;
  std::uint64_t max_instances = 0;
  std::string num_heads = {};
  std::string frl_config = {};
  std::string max_resolution = {};
  std::string description = {};  // as it was
};

// A GPU, with everything of it that shows types.
struct SeenGpu {
  std::string path;
  Parents parents = {};  // itself or its virtual functions
  std::vector<const SeenVendorFunction*> functions = {};
};
using Gpus = std::map<std::string, SeenGpu, decltype([](const std::string& one, const std::string& other) {
                        return naturally_before(one, other);
                      })>;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && value <= INT32_MAX ? std::optional(value) : std::nullopt;
}

// --- mdev's types

// num_heads=4, frl_config=45, framebuffer=1024M, max_resolution=5120x2880, max_instance=16
std::map<std::string, std::string> fields_of(std::string_view text) {
  std::map<std::string, std::string> fields;
  while (!text.empty()) {
    std::string_view field = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
    const auto equals = field.find('=');
    if (equals != std::string_view::npos) fields.emplace(field.substr(0, equals), field.substr(equals + 1));
  }
  return fields;
}

std::optional<VgpuType> parse_type(const SeenType& seen) {
  auto fields = fields_of(seen.description.value_or(""));
  std::string& framebuffer = fields["framebuffer"];
  if (!framebuffer.ends_with('M')) return std::nullopt;
  framebuffer.pop_back();
  const auto megabytes = number(framebuffer), most = number(fields["max_instance"]);
  if (!megabytes || !most || !number(fields["num_heads"]) || !number(fields["frl_config"]))
    return std::nullopt;
  if (!number(seen.sysfs_name) || seen.device_api != "vfio-pci") return std::nullopt;
  return VgpuType{.id = seen.sysfs_name,
                  .name = seen.name.value_or(""),
                  .framebuffer = *megabytes,
                  .max_instances = *most,
                  .num_heads = fields["num_heads"],
                  .frl_config = fields["frl_config"],
                  .max_resolution = fields["max_resolution"],
                  .description = *seen.description};
}

using Types = std::vector<VgpuType>;

bool has_id(const Types& types, const std::string& id) {
  return std::ranges::find(types, id, &VgpuType::id) != types.end();
}

// Of all parents of the GPU: its virtual functions have the same.
std::optional<Types> mdev_types(const SeenGpu& gpu) {
  Types types;
  for (const SeenParent* const parent : gpu.parents) {
    for (const SeenType& seen : parent->types) {
      const auto type = parse_type(seen);
      if (!type) return std::nullopt;
      if (!has_id(types, type->id)) types.push_back(*type);
    }
  }
  std::ranges::sort(types, naturally_before, &VgpuType::id);
  return types;
}

// --- the vendor's framework

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string_view::npos ? std::string_view() : text.substr(first, last - first + 1);
}

// GB in a name as NVIDIA L40S-12Q; 0: there is none.
std::uint64_t gigabytes_in(std::string_view name) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos) return 0;
  name.remove_prefix(dash + 1);
  const auto end = std::min(name.find_first_not_of("0123456789"), name.size());
  return number(name.substr(0, end)).value_or(0);
}

// A header, and a line as "1145  : NVIDIA L40S-1B" for each type that can be chosen now. The order of the
// lines is kept: it shows.
void add_creatable(std::string_view text, Types& types) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string id(trimmed(line.substr(0, colon)));
    if (!number(id) || has_id(types, id)) continue;
    types.push_back({.id = id, .name = std::string(trimmed(line.substr(colon + 1)))});
  }
}

Types vendor_types(const SeenGpu& gpu) {
  Types types;
  // The longest list is the one of a function from which nothing has been taken yet.
  std::vector<const SeenVendorFunction*> functions = gpu.functions;
  std::ranges::sort(functions, [](const auto* one, const auto* other) {
    if (one->creatable.size() != other->creatable.size())
      return one->creatable.size() > other->creatable.size();
    return naturally_before(one->path, other->path);
  });
  for (const auto* const function : functions) add_creatable(function->creatable, types);
  std::uint64_t largest = 0;
  for (const VgpuType& type : types) largest = std::max(largest, gigabytes_in(type.name));
  for (VgpuType& type : types) {
    const std::uint64_t size = std::max<std::uint64_t>(gigabytes_in(type.name), 1);
    type.framebuffer = size * 1024;
    type.max_instances = std::max<std::uint64_t>(largest / size, 1);
  }
  return types;
}

// --- GPUs

bool has_vendor_framework(const SeenGpu& gpu) {
  return gpu.parents.empty();
}

Table type_table(const UnitDraft& unit, const VgpuType& type, bool vendor) {
  Table table("", unit.keys_of("types"));
  table.set("sysfs_name", type.id);
  table.set("name", type.name);
  table.set("framebuffer", static_cast<std::int64_t>(type.framebuffer), vendor ? "from its name" : "");
  table.set("max_instances", static_cast<std::int64_t>(type.max_instances),
            vendor ? "as often as its size goes into the largest" : "");
  if (vendor) return table;
  table.set("num_heads", type.num_heads);
  table.set("frl_config", type.frl_config);
  table.set("max_resolution", type.max_resolution);
  const std::string description =
      fmt::format("num_heads={}, frl_config={}, framebuffer={}M, max_resolution={}, max_instance={}",
                  type.num_heads, type.frl_config, type.framebuffer, type.max_resolution, type.max_instances);
  if (description != type.description)
    table.say(fmt::format("its description is made of these values; it was: {}", type.description));
  return table;
}

bool has_devices_of_two_types(const SeenGpu& gpu) {
  std::string first;
  for (const SeenParent* const parent : gpu.parents) {
    for (const SeenDevice& device : parent->devices) {
      if (first.empty()) first = device.type;
      if (device.type != first) return true;
    }
  }
  return false;
}

// A GPU that is too small for as many of a type as there may be shows fewer of it. Nothing: none does.
std::uint64_t seen_framebuffer(const SeenGpu& gpu, const Types& types) {
  std::uint64_t least = 0;
  bool limited = false;
  for (const SeenParent* const parent : gpu.parents) {
    if (parent->path != gpu.path || !parent->devices.empty()) return 0;
    for (const SeenType& seen : parent->types) {
      const auto type = std::ranges::find(types, seen.sysfs_name, &VgpuType::id);
      limited = limited || seen.available < type->max_instances;
      least = std::max(least, seen.available * type->framebuffer);
    }
  }
  return limited ? least : 0;
}

void describe_sharing(const SeenGpu& gpu, const Types& types, Table& table) {
  if (has_devices_of_two_types(gpu)) {
    table.set("homogeneous", "0");
    std::uint64_t most = 0;
    for (const VgpuType& type : types) most = std::max(most, type.framebuffer * type.max_instances);
    table.set("framebuffer", static_cast<std::int64_t>(most), "so much do the most devices of one type take");
    return;
  }
  table.guessed("devices of one type at a time, as nothing shows that it mixes them");
  if (const auto framebuffer = seen_framebuffer(gpu, types); framebuffer != 0)
    table.set("framebuffer", static_cast<std::int64_t>(framebuffer),
              "what shows as available fits into that");
}

void describe_functions(Observer& observer, const SeenGpu& gpu, Table& table) {
  const auto total = observer.line(gpu.path + "/sriov_totalvfs").and_then(number);
  const auto present = observer.line(gpu.path + "/sriov_numvfs").and_then(number);
  if (total && present && *present != *total) table.set("numvfs", static_cast<std::int64_t>(*present));
}

void describe_gpu(Capture& capture, const SeenGpu& gpu, const Types& types, Table& table) {
  describe_function(capture.observer, gpu.path, capture.groups, table);
  describe_functions(capture.observer, gpu, table);
  if (has_vendor_framework(gpu)) {
    table.set("framework", "vendor");
    for (const auto* const function : gpu.functions) {
      if (function->current == "0") continue;
      table.say(fmt::format(
          "left out: {} had a device of the type {}; types may be missing that did not fit beside it",
          last_part(function->path), function->current));
    }
  } else {
    describe_sharing(gpu, types, table);
  }
  list_files(capture.observer.files(gpu.path, files_of_functions()), table);
}

Gpus gpus_of(Capture& capture, const Parents& parents) {
  Gpus gpus;
  for (const SeenParent* const parent : parents) {
    const auto physical = capture.observer.sysfs.target(parent->path + "/physfn");
    const std::string path = physical ? *physical : parent->path;
    SeenGpu& gpu = gpus[last_part(path)];
    gpu.path = path;
    gpu.parents.push_back(parent);
  }
  for (const SeenVendorFunction& function : capture.machine.vendor_functions) {
    const std::string name = last_part(function.physical);
    if (!is_pci_address(name) || !capture.observer.sysfs.is_directory(function.physical)) {
      capture.observer.could_not_read(
          function.path, "it is no virtual function, and the vendor's framework has no others here");
      continue;
    }
    SeenGpu& gpu = gpus[name];
    gpu.path = function.physical;
    gpu.functions.push_back(&function);
  }
  return gpus;
}

}  // namespace

std::optional<UnitDraft> nvidia_unit(Capture& capture, const Parents& parents) {
  const backends::Backend* const backend = backends::find("nvidia");
  const Gpus gpus = gpus_of(capture, parents);
  if (backend == nullptr || gpus.empty()) return std::nullopt;
  std::vector<Types> types;
  for (const auto& [name, gpu] : gpus) {
    auto found = has_vendor_framework(gpu) ? std::optional(vendor_types(gpu)) : mdev_types(gpu);
    if (!found) return std::nullopt;
    types.push_back(std::move(*found));
  }
  UnitDraft unit(*backend, capture.units.give("nvidia"));
  capture.taken_drivers["nvidia-vgpu-vfio"] = unit.table.name();
  Names names;
  std::vector<std::vector<std::string>> items;
  for (auto of_gpu = types.begin(); const auto& [name, gpu] : gpus) {
    const Types& its_types = *of_gpu++;
    if (its_types.empty()) {
      capture.observer.could_not_read(gpu.path, "none of its types can be seen");
      continue;
    }
    describe_gpu(capture, gpu, its_types, unit.add_parent(capture.parents.give(name)));
    std::vector<Table> tables;
    for (const VgpuType& type : its_types)
      tables.push_back(type_table(unit, type, has_vendor_framework(gpu)));
    items.push_back(add_types(unit, names, std::move(tables)));
  }
  if (items.empty()) return std::nullopt;
  for (std::size_t place = 0; place < items.size(); ++place)
    name_types(unit, unit.parents[place], items[place]);
  return unit;
}

}  // namespace mdevfs::capture
