// SPDX-License-Identifier: Apache-2.0
//
// sim, hardware as it is described: any parents and types, attributes on the devices, parameters of the
// module, and one of three rules by which devices use up what there is:
//
//   parent   so many devices a parent, whatever their type; the core counts, and answers EUSERS when full
//   type     so many devices of each type on a parent
//   pool     a resource, of a parent or of all, of which a device takes the weight of its type
//
// The last two are the driver's own: a full one answers in probe, with the errno that it is given.
#include "sim.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <iterator>
#include <ranges>
#include <sstream>

#include "../pci/bus.h"
#include "../plain_bus.h"
#include "../types.h"
#include "../values.h"
#include "model/core.h"

namespace mdevfs::backends {
namespace {

constexpr std::array<std::string_view, 3> kRules = {"parent", "type", "pool"};
constexpr std::array<std::string_view, 2> kScopes = {"parent", "all"};

constexpr auto check_count = check_number<0, UINT_MAX>;

constexpr Key kKeys[] = {
    {"bus", "virtual", "where the parents are: virtual (in a class), pci, or another bus", check_name},
    {"class", kItemName, "the parents' class: they are in devices/virtual/CLASS", check_name},
    {"counting", "parent", "what is counted: parent, type or pool", check_word<kRules>},
    {"device_api", "vfio-pci", "what the types' device_api shows", check_text},
    {"driver", kItemName, "the mdev driver's name on the bus", check_name},
    {"full_errno", "28",
     "the errno of a create beyond the count of a type or a pool, and of a parent where the core does not "
     "count",
     check_number<1, 4095>},
    {"homogeneous", "0",
     "counting type or pool: while a parent has devices of one type, the others have none", check_flag},
    {"max_instances", "4", "counting parent: devices on each parent", check_count},
    {"module", kItemName, "the module's name", check_name},
    {"parent_driver", kItemName, "the parents' driver, on a bus other than virtual", check_name},
    {"pool", "0", "counting pool: how much there is", check_count},
    {"pool_of", "parent", "counting pool: of each parent, or of all together", check_word<kScopes>},
    {kStartEmpty, "0", "there is no parent where none is described", check_flag},
    {"trace", "0", "each probe and remove has its lines in the log", check_flag},
    {"vfio", "1", "devices have an iommu group and a vfio device", check_flag},
};

constexpr Key kAttributeKeys[] = {
    {"group", "vendor", "the directory of the device that it is in", check_name},
    {"mode", "0444", "its mode", check_mode},
    {"value", "", "its text, until somebody writes another", check_text},
};

constexpr Key kParameterKeys[] = {
    {"mode", "0444", "its mode", check_mode},
    {"value", "", "its text", check_text},
};

// Those of a PCI function are beside these.
constexpr Key kParentOwnKeys[] = {
    {"above", "", "on a bus other than virtual and pci: the directories in devices that it is in, as css0",
     check_text},
    {kCard, "", "a card file that says the rest", check_text},
    {"device_name", kItemName, "the parent device's name", check_name},
    {"modalias", "", "on such a bus: its modalias; empty: it has none", check_text},
    {"types", "", "the types that it has, separated by blanks; empty: all", check_text},
};

std::span<const Key> parent_keys() {
  static const std::vector<Key> keys = pci::with_function_keys(kParentOwnKeys);
  return keys;
}

constexpr Key kParentAttributeKeys[] = {
    {"file", kItemName, "its name", check_name},
    {"group", "", "the directory of the parent that it is in; empty: the parent's own", check_text},
    {"mode", "0444", "its mode", check_mode},
    {"parent", "", "the parent that has it; empty: all", check_text},
    {"value", "", "its text, until somebody writes another", check_text},
};

constexpr Key kTypeKeys[] = {
    {"description", "", "what its description shows; empty: there is no such file", check_text},
    {"has_name", "1", "there is a file name", check_flag},
    {"max_instances", "4", "counting type: devices of the type on each parent", check_count},
    {"name", "", "what its name shows; empty: its bare name", check_text},
    {"sysfs_name", kItemName, "its bare name: the directory is CLASS-NAME, or DRIVER-NAME on a bus",
     check_name},
    {"weight", "1", "counting pool: how much a device takes", check_number<1, UINT_MAX>},
};

std::span<const Group> groups() {
  static const Group all[] = {
      {"attributes", "files of the devices", kAttributeKeys},
      {"parameters", "the module's parameters", kParameterKeys},
      {"parent_attributes", "files of the parents on a bus", kParentAttributeKeys},
      {kParents, "the parents; without any, one by the item's name", parent_keys()},
      {"types", "the types", kTypeKeys},
  };
  return all;
}

struct SimType {
  std::string name;
  std::string description;
  unsigned max_instances = 0;
  unsigned weight = 0;
  bool has_name = true;
};

std::vector<NamedType> names_of(const Settings& settings) {
  std::vector<NamedType> names;
  for (const auto& [item, values] : items_of(settings, "types"))
    names.push_back({item, Reader(values, kTypeKeys, item).text("sysfs_name")});
  return names;
}

std::vector<SimType> types_of(const Settings& settings) {
  std::vector<SimType> types;
  for (const auto& [item, values] : items_of(settings, "types")) {
    const Reader read(values, kTypeKeys, item);
    types.push_back({.name = read.text("name"),
                     .description = read.text("description"),
                     .max_instances = static_cast<unsigned>(read.number("max_instances")),
                     .weight = static_cast<unsigned>(read.number("weight")),
                     .has_name = read.flag("has_name")});
  }
  return types;
}

std::vector<model::AttributeGroup> groups_of(const Settings& settings) {
  std::vector<model::AttributeGroup> groups;
  for (const auto& [item, values] : items_of(settings, "attributes")) {
    const Reader read(values, kAttributeKeys, item);
    const std::string name = read.text("group");
    auto group = std::ranges::find(groups, name, &model::AttributeGroup::name);
    if (group == groups.end()) group = groups.insert(groups.end(), {name, {}});
    group->attributes.push_back({.name = item, .mode = read.mode("mode"), .text = read.text("value") + "\n"});
  }
  return groups;
}

std::vector<model::ModuleParameter> parameters_of(const Settings& settings) {
  std::vector<model::ModuleParameter> parameters;
  for (const auto& [item, values] : items_of(settings, "parameters")) {
    const Reader read(values, kParameterKeys, item);
    parameters.push_back({.name = item, .text = read.text("value") + "\n", .mode = read.mode("mode")});
  }
  return parameters;
}

// The parents that load() registers: those that are described, or one by the unit's name.
Items parents_of(const Settings& settings) {
  const Items& described = items_of(settings, kParents);
  const bool starts_empty = Reader(settings.values, kKeys, settings.name).flag(kStartEmpty);
  return described.empty() && !starts_empty ? Items{{settings.name, {}}} : described;
}

enum class Rule { parent, type, pool };

Rule rule_of(const Reader& read) {
  return static_cast<Rule>(std::ranges::find(kRules, read.text("counting")) - kRules.begin());
}

model::DriverInfo driver_info(const Settings& settings) {
  const Reader read(settings.values, kKeys, settings.name);
  return {.name = read.text("driver"),
          .device_api = read.text("device_api"),
          .uses_vfio = read.flag("vfio"),
          .counts_itself = rule_of(read) != Rule::parent,
          .max_instances = static_cast<unsigned>(read.number("max_instances")),
          .full_errno = static_cast<int>(read.number("full_errno")),
          .waits = false,
          .traces = read.flag("trace"),
          .groups = groups_of(settings)};
}

// Thread-safety: as Driver.
class Sim final : public model::Driver {
 public:
  Sim(model::Core& owner, std::shared_ptr<model::Module> owner_module, const Settings& settings)
      : Driver(owner, std::move(owner_module), driver_info(settings)),
        names_(names_of(settings)),
        types_(types_of(settings)) {
    const Reader read(settings.values, kKeys, settings.name);
    rule_ = rule_of(read);
    pool_ = static_cast<unsigned>(read.number("pool"));
    pool_of_all_ = read.text("pool_of") == "all";
    full_errno_ = static_cast<int>(read.number("full_errno"));
    homogeneous_ = read.flag("homogeneous");
  }

  model::Result<void> probe(model::Device& device) override {
    if (rule_ == Rule::parent) return {};
    const model::Lock lock(lock_);
    if (available_locked(*device.type) == 0) return model::fail(full_errno_);
    used_[counter_of(*device.type)] += taken_by(*device.type);
    Live& live = live_[device.type->parent.get()];
    live = {&types_[device.type->info.tag], live.devices + 1};
    return {};
  }

  void remove(model::Device& device) noexcept override {
    if (rule_ == Rule::parent) return;
    const model::Lock lock(lock_);
    const auto at = used_.find(counter_of(*device.type));
    at->second -= taken_by(*device.type);
    if (at->second == 0) used_.erase(at);
    const auto live = live_.find(device.type->parent.get());
    if (--live->second.devices == 0) live_.erase(live);
  }

  std::optional<unsigned> get_available(const model::Type& type) override {
    if (rule_ == Rule::parent) return std::nullopt;
    const model::Lock lock(lock_);
    return available_locked(type);
  }

  std::optional<std::string> show_description(const model::Type& type) override {
    const std::string& description = types_[type.info.tag].description;
    return description.empty() ? std::nullopt : std::optional(description);
  }

  // EINVAL: none, or one that is not there.
  model::Result<std::vector<model::TypeInfo>> types_named(const std::string& names) const {
    const auto places = find_types(names_, names);
    if (!places) return std::unexpected(places.error());
    std::vector<model::TypeInfo> infos;
    for (const auto place : *places)
      infos.push_back({names_[place].sysfs_name, types_[place].name, static_cast<unsigned>(place),
                       types_[place].has_name});
    return infos;
  }

 private:
  // What is counted together: of one parent or of all (null), of one type or of all (null).
  using Counter = std::pair<const model::Parent*, const SimType*>;
  Counter counter_of(const model::Type& type) const {
    if (rule_ == Rule::type) return {type.parent.get(), &types_[type.info.tag]};
    return {pool_of_all_ ? nullptr : type.parent.get(), nullptr};
  }
  unsigned available_locked(const model::Type& type) const REQUIRES(lock_) {
    const auto live = live_.find(type.parent.get());
    if (homogeneous_ && live != live_.end() && live->second.type != &types_[type.info.tag]) return 0;
    const auto at = used_.find(counter_of(type));
    return (room_of(type) - (at == used_.end() ? 0 : at->second)) / taken_by(type);
  }
  unsigned room_of(const model::Type& type) const {
    return rule_ == Rule::type ? types_[type.info.tag].max_instances : pool_;
  }
  unsigned taken_by(const model::Type& type) const {
    return rule_ == Rule::type ? 1 : types_[type.info.tag].weight;
  }

  const std::vector<NamedType> names_;
  const std::vector<SimType> types_;
  Rule rule_ = Rule::parent;
  unsigned pool_ = 0;
  bool pool_of_all_ = false;
  bool homogeneous_ = false;
  int full_errno_ = ENOSPC;
  model::Mutex lock_{model::Rank::backend};
  std::map<Counter, unsigned> used_ GUARDED_BY(lock_);  // no counter is 0
  // Of each parent that has devices: the type of the last one, and how many.
  struct Live {
    const SimType* type = nullptr;
    unsigned devices = 0;
  };
  std::map<const model::Parent*, Live> live_ GUARDED_BY(lock_);
};

// Thread-safety: as Loaded.
class LoadedSim final : public Loaded {
 public:
  LoadedSim(model::Core& core, std::shared_ptr<model::Module> its_module, const Settings& settings)
      : Loaded(std::move(its_module)), core_(core), driver_(core.make<Sim>(module, settings)) {}

  // EBUSY: there is a driver of that name. EEXIST: a class.
  model::Result<void> add_driver_and_class(const Settings& settings) {
    if (const auto added = core_.add_driver(driver_); !added) return added;
    const Reader read(settings.values, kKeys, settings.name);
    const auto added = core_.add_class(*module, read.text("class"));
    if (!added) return std::unexpected(added.error());
    class_ = *added;
    return {};
  }

  model::Result<void> add_parent(const std::string& name, const Values& values) override {
    if (has_parent(name)) return model::fail(EEXIST);
    const auto device = device_of(name, Reader(values, parent_keys(), name).text("device_name"));
    return device ? model::Result<void>{} : std::unexpected(device.error());
  }

  model::Result<void> register_parent(const std::string& name, const Values& values) override {
    const Reader read(values, parent_keys(), name);
    auto types = driver_->types_named(read.text("types"));
    if (!types) {
      core_.log().print(
          model::Level::error,
          fmt::format("mdevfs: {}: {} has no types, or names one that is not there", module->name(), name));
      return std::unexpected(types.error());
    }
    const auto device = device_of(name, read.text("device_name"));
    if (!device) return std::unexpected(device.error());
    const auto parent = core_.register_parent(*device, driver_, std::move(*types));
    if (!parent) return std::unexpected(parent.error());
    const model::Lock lock(lock_);
    places_[name].parent = *parent;
    return {};
  }

  model::Result<void> unregister_parent(const std::string& name) override {
    std::shared_ptr<model::Parent> parent;
    {
      const model::Lock lock(lock_);
      const auto at = places_.find(name);
      if (at == places_.end() || !at->second.parent) return model::fail(ENODEV);
      parent = std::exchange(at->second.parent, nullptr);
    }
    core_.unregister_parent(*parent);
    return {};
  }

  model::Result<void> remove_parent(const std::string& name) override {
    std::shared_ptr<model::HostDevice> device;
    {
      const model::Lock lock(lock_);
      const auto at = places_.find(name);
      if (at == places_.end()) return {};
      if (at->second.parent || core_.is_registered(*at->second.device)) return model::fail(EBUSY);
      device = at->second.device;
      places_.erase(at);
    }
    core_.remove_parent_device(*device);
    return {};
  }

  bool has_parent(const std::string& name) override {
    const model::Lock lock(lock_);
    return places_.contains(name);
  }

  bool is_registered(const std::string& name) override {
    const model::Lock lock(lock_);
    const auto at = places_.find(name);
    return at != places_.end() && at->second.parent;
  }

 private:
  struct Place {
    std::shared_ptr<model::HostDevice> device;
    std::shared_ptr<model::Parent> parent;  // null: not registered
  };

  model::Result<std::shared_ptr<model::HostDevice>> device_of(const std::string& name,
                                                              const std::string& device_name) {
    {
      const model::Lock lock(lock_);
      const auto at = places_.find(name);
      if (at != places_.end()) return at->second.device;
    }
    const auto device = core_.add_parent_device(*module, class_, device_name);
    if (!device) return device;
    const model::Lock lock(lock_);
    places_[name] = {*device, nullptr};
    return device;
  }

  model::Core& core_;
  const std::shared_ptr<Sim> driver_;
  std::shared_ptr<model::DeviceClass> class_;  // set once, before anybody else has this object
  model::Mutex lock_{model::Rank::group};
  std::map<std::string, Place> places_ GUARDED_BY(lock_);
};

// --- parents on a bus

std::vector<model::HostAttribute> attributes_of(const Settings& settings, const std::string& parent) {
  std::vector<model::HostAttribute> attributes;
  for (const auto& [item, values] : items_of(settings, "parent_attributes")) {
    const Reader read(values, kParentAttributeKeys, item);
    if (const auto whose = read.text("parent"); !whose.empty() && whose != parent) continue;
    attributes.push_back({.name = read.text("file"),
                          .mode = read.mode("mode"),
                          .text = read.text("value") + "\n",
                          .group = read.text("group")});
  }
  return attributes;
}

// Takes the PCI functions that it is told of. Thread-safety: as BusDriver.
class SimPciDriver final : public pci::Driver {
 public:
  SimPciDriver(model::Core& owner, std::shared_ptr<model::Module> its_module, std::string name,
               std::shared_ptr<Registrar> registrar)
      : Driver(owner, std::move(its_module), std::move(name), {}), registrar_(std::move(registrar)) {}
  bool takes(const pci::Function& function) const override { return registrar_->knows(function.name()); }
  model::Result<void> probe_function(pci::Function& function) override {
    return registrar_->register_device(function);
  }
  void remove_function(pci::Function& function) noexcept override { registrar_->unregister_device(function); }

 private:
  const std::shared_ptr<Registrar> registrar_;
};

// Thread-safety: as Loaded.
class LoadedSimOnBus final : public LoadedOnBus {
 public:
  LoadedSimOnBus(model::Core& core, std::shared_ptr<model::Module> its_module, Settings settings)
      : LoadedOnBus(core, std::move(its_module)),
        settings_(std::move(settings)),
        driver_(core.make<Sim>(module, settings_)),
        registrar_(std::make_shared<Registrar>(driver_)) {}

  // EBUSY: there is a driver of such a name, or no such bus can be.
  model::Result<void> add_drivers() {
    if (const auto added = core_.add_driver(driver_); !added) return added;
    const Reader read(settings_.values, kKeys, settings_.name);
    const std::string name = read.text("parent_driver");
    if (read.text("bus") == "pci") {
      pci_bus_ = pci::Bus::of(core_);
      bus_driver_ = core_.make<SimPciDriver>(module, name, registrar_);
    } else {
      const auto bus = PlainBus::of(core_, read.text("bus"));
      if (!bus) return std::unexpected(bus.error());
      plain_bus_ = *bus;
      bus_driver_ = core_.make<PlainDriver>(plain_bus_, module, name, registrar_);
    }
    return core_.add_bus_driver(bus_driver_);
  }

 protected:
  model::Result<std::string> plug(const std::string& name, const Values& values) override {
    const Reader read(values, parent_keys(), name);
    auto types = driver_->types_named(read.text("types"));
    if (!types) return std::unexpected(types.error());
    const auto device = pci_bus_ ? plug_function(name, values) : plug_plain(name, values);
    if (device) registrar_->describe(*device, std::move(*types));
    return device;
  }

  void unplug(const std::string& device) override {
    registrar_->forget(device);
    if (!pci_bus_) {
      if (const auto plain = core_.find_host_device(*plain_bus_, device)) core_.remove_host_device(*plain);
    } else if (const auto address = pci::parse_address(device)) {
      pci_bus_->unplug(*address);
    }
  }

 private:
  model::Result<std::string> plug_function(const std::string& name, const Values& values) {
    auto identity = pci::read_identity(values, name);
    if (!identity) return std::unexpected(identity.error());
    identity->attributes = attributes_of(settings_, name);
    const Reader read(values, parent_keys(), name);
    const auto function = pci_bus_->plug(*identity, read.text("path"), read.text("iommu_group"));
    return function ? model::Result<std::string>((*function)->name()) : std::unexpected(function.error());
  }

  model::Result<std::string> plug_plain(const std::string& name, const Values& values) {
    const Reader read(values, parent_keys(), name);
    const auto device = plain_bus_->plug({.name = read.text("device_name"),
                                          .above = read.text("above"),
                                          .modalias = read.text("modalias"),
                                          .attributes = attributes_of(settings_, name)});
    return device ? model::Result<std::string>((*device)->name()) : std::unexpected(device.error());
  }

  const Settings settings_;
  const std::shared_ptr<Sim> driver_;
  const std::shared_ptr<Registrar> registrar_;
  std::shared_ptr<pci::Bus> pci_bus_;  // one of these two
  std::shared_ptr<PlainBus> plain_bus_;
};

template <typename Loading>
model::Result<void> load_parents(Loading& loaded, const Settings& settings, model::Result<void> done) {
  for (const auto& [name, values] : parents_of(settings)) {
    if (done) done = loaded.register_parent(name, values);
  }
  return done;
}

model::Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const Reader read(settings.values, kKeys, settings.name);
  const auto module = core.load_module({.name = read.text("module"), .parameters = parameters_of(settings)});
  if (!module) return std::unexpected(module.error());
  std::shared_ptr<Loaded> loaded;
  model::Result<void> done;
  if (read.text("bus") == "virtual") {
    const auto in_class = std::make_shared<LoadedSim>(core, *module, settings);
    done = load_parents(*in_class, settings, in_class->add_driver_and_class(settings));
    loaded = in_class;
  } else {
    const auto on_bus = std::make_shared<LoadedSimOnBus>(core, *module, settings);
    done = load_parents(*on_bus, settings, on_bus->add_drivers());
    loaded = on_bus;
  }
  if (!done) {
    loaded->unload(core);
    return std::unexpected(done.error());
  }
  core.module_loaded(**module);
  return loaded;
}

// --- what cannot be loaded

std::vector<Complaint> check(const Settings& settings) {
  const Items parents = parents_of(settings);
  const std::vector<NamedType> types = names_of(settings);
  if (types.empty() && !parents.empty()) return {{"types", "", "", "a sim needs at least one type"}};
  std::vector<Complaint> complaints;
  for (const auto& [item, values] : parents)
    check_types(types, item, Reader(values, parent_keys(), item).text("types"), complaints);
  const bool on_pci = Reader(settings.values, kKeys, settings.name).text("bus") == "pci";
  check_unique(parents, parent_keys(), on_pci ? "address" : "device_name", complaints);
  for (const auto& [item, values] : parents) {
    if (on_pci) pci::check_function(values, item, complaints);
  }
  return complaints;
}

}  // namespace

Backend sim() {
  return {.name = "sim",
          .summary = "anything: parents, types, attributes and counting as described (kernel/config/mdevfs)",
          .keys = kKeys,
          .groups = groups(),
          .complete = false,
          .load = load,
          .check = check};
}

}  // namespace mdevfs::backends
