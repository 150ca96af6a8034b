// SPDX-License-Identifier: Apache-2.0
//
// Parents that no backend knows: they are sim's, with their types, their files and a rule that has their
// counts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "counting.h"
#include "families.h"
#include "order.h"

namespace mdevfs::capture {
namespace {

const std::vector<std::string_view>& files_of_devices_on_a_bus() {
  static const std::vector<std::string_view> files = {
      "driver_override", "mdev_supported_types", "modalias", "power", "uevent", "vfio-dev"};
  return files;
}

// --- what drives them

struct Drivers {
  std::string parent_driver;  // empty: none
  std::string module;         // empty: unknown
  std::string mdev_driver;    // empty: unknown
  std::string guess;          // how the mdev driver was found
};

std::string first_live_driver(const Parents& parents) {
  for (const SeenParent* const parent : parents) {
    for (const SeenDevice& device : parent->devices) {
      if (!device.driver.empty()) return device.driver;
    }
  }
  return {};
}

// The mdev drivers that nobody else has, of the module or, where that is empty, of any.
std::vector<std::string> free_drivers(const Capture& capture, const std::string& module) {
  std::vector<std::string> found;
  for (const auto& [driver, its_module] : capture.machine.mdev_drivers) {
    if (!capture.taken_drivers.contains(driver) && (module.empty() || its_module == module))
      found.push_back(driver);
  }
  return found;
}

std::string module_of(const Capture& capture, const std::string& mdev_driver) {
  const auto found = capture.machine.mdev_drivers.find(mdev_driver);
  return found != capture.machine.mdev_drivers.end() ? found->second : std::string();
}

void find_mdev_driver(const Capture& capture, const Parents& parents, const std::string& likely,
                      Drivers& drivers) {
  drivers.mdev_driver = first_live_driver(parents);
  if (!drivers.mdev_driver.empty()) return;
  if (!drivers.module.empty()) {
    if (const auto own = free_drivers(capture, drivers.module); own.size() == 1) drivers.mdev_driver = own[0];
  }
  if (!drivers.mdev_driver.empty()) return;
  if (capture.machine.mdev_drivers.contains(likely) && !capture.taken_drivers.contains(likely)) {
    drivers.mdev_driver = likely;
    return;
  }
  const auto left = free_drivers(capture, "");
  if (left.size() != 1) return;
  drivers.mdev_driver = left[0];
  drivers.guess = "no device shows its driver, and this is the one that no other parent has";
}

Drivers drivers_of(const Capture& capture, const Parents& parents) {
  const SeenParent& first = *parents.front();
  Drivers drivers{.parent_driver = first.driver, .module = {}, .mdev_driver = {}, .guess = {}};
  if (first.bus != "virtual" && !first.driver.empty()) {
    drivers.module =
        capture.observer.sysfs.target_name(fmt::format("bus/{}/drivers/{}/module", first.bus, first.driver));
  }
  find_mdev_driver(capture, parents, first.bus == "virtual" ? first.device_class : first.driver, drivers);
  if (drivers.module.empty()) drivers.module = module_of(capture, drivers.mdev_driver);
  return drivers;
}

// --- types and counts

std::vector<ParentCounts> counts_of(const Parents& parents) {
  std::vector<ParentCounts> counts;
  for (const SeenParent* const parent : parents) {
    auto& types = counts.emplace_back();
    for (const SeenType& type : parent->types)
      types.push_back({type.sysfs_name, type.available, static_cast<unsigned>(type.devices.size())});
  }
  return counts;
}

bool has_devices(const Parents& parents) {
  return std::ranges::any_of(parents, [](const auto* parent) { return !parent->devices.empty(); });
}

void describe_counting(const Counting& counting, bool live, Table& table) {
  constexpr std::string_view kRules[] = {"parent", "type", "pool"};
  std::string why = counting.why;
  if (live) why += "; devices lived, and the counts without them are reconstructed";
  table.set("counting", std::string(kRules[static_cast<std::size_t>(counting.rule)]), why);
  if (counting.rule == Counting::Rule::parent) table.set("max_instances", counting.max_instances);
  if (counting.rule == Counting::Rule::pool) table.set("pool", counting.pool);
  if (counting.pool_of_all) table.set("pool_of", "all", "a device of one parent is missing to the others");
  if (counting.homogeneous) table.set("homogeneous", "1");
}

Table type_table(const UnitDraft& unit, const SeenType& type, const Counting& counting, std::size_t parent) {
  Table table("", unit.keys_of("types"));
  table.set("sysfs_name", type.sysfs_name);
  if (!type.name) table.set("has_name", "0");
  if (type.name && *type.name != type.sysfs_name) table.set("name", *type.name);
  if (type.description) table.set("description", *type.description);
  if (counting.rule == Counting::Rule::pool) table.set("weight", counting.weights.at(type.sysfs_name));
  if (counting.rule == Counting::Rule::type)
    table.set("max_instances", counting.capacities[parent].at(type.sysfs_name));
  return table;
}

// --- files

std::string mode_text(mode_t mode) {
  return fmt::format("{:#o}", mode);
}

void add_device_files(UnitDraft& unit, const Parents& parents) {
  for (const SeenParent* const parent : parents) {
    if (parent->devices.empty()) continue;
    const SeenDevice& device = parent->devices.front();
    for (const SeenFile& file : device.files) {
      if (file.group.empty()) {
        unit.table.say(fmt::format("left out, as only directories of devices have files: {}", file.name));
        continue;
      }
      Table& table = unit.add("attributes", file.name);
      table.set("group", file.group);
      table.set("mode", mode_text(file.mode));
      table.set("value", file.text);
    }
    return;
  }
}

bool same_file(const SeenFile& one, const SeenFile& other) {
  return one.group == other.group && one.name == other.name && one.mode == other.mode &&
         one.text == other.text;
}

void add_parent_file(UnitDraft& unit, const SeenFile& file, const std::string& parent, Names& names) {
  Table& table =
      unit.add("parent_attributes", names.give(parent.empty() ? file.name : file.name + "-" + parent));
  table.set("file", file.name);
  table.set("group", file.group);
  table.set("mode", mode_text(file.mode));
  if (!parent.empty()) table.set("parent", parent);
  table.set("value", file.text);
}

// What all parents have is one item; the rest is each parent's.
void add_parent_files(UnitDraft& unit, const std::vector<std::vector<SeenFile>>& files) {
  Names names;
  const auto all_have = [&](const SeenFile& file) {
    return std::ranges::all_of(files, [&](const auto& of_parent) {
      return std::ranges::any_of(of_parent, [&](const auto& other) { return same_file(file, other); });
    });
  };
  for (std::size_t parent = 0; parent < files.size(); ++parent) {
    for (const SeenFile& file : files[parent]) {
      const bool shared = files.size() > 1 && all_have(file);
      if (shared && parent != 0) continue;
      add_parent_file(unit, file, shared || files.size() == 1 ? "" : unit.parents[parent].name(), names);
    }
  }
}

void add_parameters(Observer& observer, const std::string& module, UnitDraft& unit) {
  const std::string directory = fmt::format("module/{}/parameters", module);
  if (module.empty() || !observer.sysfs.is_directory(directory)) return;
  for (const SeenFile& file : observer.files(directory, {})) {
    if (!file.group.empty()) continue;
    Table& table = unit.add("parameters", file.name);
    table.set("mode", mode_text(file.mode));
    table.set("value", file.text);
  }
}

// --- parents

// The directories that it is in.
std::string directories_above(const SeenParent& parent) {
  constexpr std::string_view kDevices = "devices/";
  std::string above = parent.path.substr(0, parent.path.rfind('/'));
  if (!(above + "/").starts_with(kDevices)) return {};
  return above.size() > kDevices.size() ? above.substr(kDevices.size()) : std::string();
}

std::vector<SeenFile> describe_place(Capture& capture, const SeenParent& parent, Table& table) {
  Observer& observer = capture.observer;
  if (parent.bus == "pci") {
    if (const auto physical = observer.sysfs.target_name(parent.path + "/physfn"); !physical.empty())
      table.say(
          fmt::format("it is a virtual function of {}; here it is a function like any other", physical));
    describe_function(observer, parent.path, capture.groups, table);
    return observer.files(parent.path, files_of_functions());
  }
  table.set("device_name", parent.name);
  if (parent.bus == "virtual") {
    const std::string usual = fmt::format("devices/virtual/{}/{}", parent.device_class, parent.name);
    if (parent.path != usual) table.say(fmt::format("here it is {}; it was {}", usual, parent.path));
    list_files(observer.files(parent.path, files_of_devices_on_a_bus()), table);
    return {};
  }
  table.set("above", directories_above(parent));
  if (const auto modalias = observer.line(parent.path + "/modalias")) table.set("modalias", *modalias);
  return observer.files(parent.path, files_of_devices_on_a_bus());
}

std::string device_api_of(const Parents& parents, UnitDraft& unit) {
  std::string api;
  for (const SeenParent* const parent : parents) {
    for (const SeenType& type : parent->types) {
      if (api.empty()) api = type.device_api;
      if (type.device_api == api) continue;
      unit.table.say(fmt::format("here all types have the device_api of the first; that of {} is {}",
                                 type.directory, type.device_api));
    }
  }
  return api;
}

void describe_unit(Capture& capture, const Parents& parents, const Drivers& drivers, UnitDraft& unit) {
  const SeenParent& first = *parents.front();
  Table& table = unit.table;
  table.set("bus", first.bus);
  if (first.bus == "virtual") table.set("class", first.device_class);
  if (!drivers.parent_driver.empty()) table.set("parent_driver", drivers.parent_driver);
  if (!drivers.module.empty()) table.set("module", drivers.module);
  if (drivers.mdev_driver.empty()) {
    table.guessed("the driver of the devices is called as the unit, as none was seen");
  } else {
    table.set("driver", drivers.mdev_driver, drivers.guess);
    capture.taken_drivers[drivers.mdev_driver] = table.name();
  }
  if (const auto api = device_api_of(parents, unit); !api.empty()) table.set("device_api", api);
  for (const SeenParent* const parent : parents) {
    if (parent->devices.empty()) continue;
    if (!parent->devices.front().has_iommu_group) table.set("vfio", "0");
    break;
  }
}

std::string likely_name(const Parents& parents, const Drivers& drivers) {
  if (!drivers.module.empty()) return drivers.module;
  const SeenParent& first = *parents.front();
  if (first.bus == "virtual") return first.device_class;
  return first.driver.empty() ? first.bus : first.driver;
}

}  // namespace

UnitDraft sim_unit(Capture& capture, const Parents& parents) {
  const Drivers drivers = drivers_of(capture, parents);
  UnitDraft unit(*backends::find("sim"), capture.units.give(likely_name(parents, drivers)));
  describe_unit(capture, parents, drivers, unit);
  const Counting counting = derive_counting(counts_of(parents));
  describe_counting(counting, has_devices(parents), unit.table);
  add_parameters(capture.observer, drivers.module, unit);
  add_device_files(unit, parents);
  Names names;
  std::vector<std::vector<std::string>> types;
  std::vector<std::vector<SeenFile>> files;
  for (std::size_t place = 0; place < parents.size(); ++place) {
    const SeenParent& parent = *parents[place];
    std::vector<Table> tables;
    for (const SeenType& type : parent.types) tables.push_back(type_table(unit, type, counting, place));
    types.push_back(add_types(unit, names, std::move(tables)));
    files.push_back(describe_place(capture, parent, unit.add_parent(capture.parents.give(parent.name))));
  }
  for (std::size_t place = 0; place < parents.size(); ++place)
    name_types(unit, unit.parents[place], types[place]);
  add_parent_files(unit, files);
  return unit;
}

std::vector<std::string> add_types(UnitDraft& unit, Names& names, std::vector<Table> types) {
  constexpr std::string_view kTypes = "types";
  std::vector<std::string> items;
  for (Table& type : types) {
    const auto alike = std::ranges::find_if(unit.items, [&](const auto& known) {
      return known.first == kTypes && known.second.same_values(type);
    });
    if (alike != unit.items.end()) {
      items.push_back(alike->second.name());
      continue;
    }
    const auto sysfs_name = type.values().find("sysfs_name");
    items.push_back(names.give(sysfs_name != type.values().end() ? sysfs_name->second : "type"));
    type.rename(items.back());
    unit.items.emplace_back(kTypes, std::move(type));
  }
  return items;
}

void name_types(const UnitDraft& unit, Table& parent, const std::vector<std::string>& types) {
  std::vector<std::string> all;
  for (const auto& [group, table] : unit.items) {
    if (group == "types") all.push_back(table.name());
  }
  if (types != all) parent.set("types", fmt::format("{}", fmt::join(types, " ")));
}

void list_files(const std::vector<SeenFile>& files, Table& table) {
  if (files.empty()) return;
  std::vector<std::string> names;
  for (const SeenFile& file : files)
    names.push_back(file.group.empty() ? file.name : file.group + "/" + file.name);
  table.say(
      fmt::format("left out, as its backend has no place for files of parents: {}", fmt::join(names, ", ")));
}

}  // namespace mdevfs::capture
