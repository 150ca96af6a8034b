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
#include <sstream>

#include "../values.h"
#include "model/core.h"

namespace mdevfs::backends {
namespace {

constexpr std::array<std::string_view, 3> kRules = {"parent", "type", "pool"};
constexpr std::array<std::string_view, 2> kScopes = {"parent", "all"};

template <const auto& kWords>
model::Result<std::string> check_word(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (std::ranges::find(kWords, text) == kWords.end()) return model::fail(EINVAL);
  return std::string(text);
}

constexpr auto check_count = check_number<0, UINT_MAX>;

constexpr Key kKeys[] = {
    {"class", kItemName, "the parents' class: they are in devices/virtual/CLASS", check_name},
    {"counting", "parent", "what is counted: parent, type or pool", check_word<kRules>},
    {"device_api", "vfio-pci", "what the types' device_api shows", check_text},
    {"driver", kItemName, "the mdev driver's name on the bus", check_name},
    {"full_errno", "28", "the errno of a create beyond the count of a type or a pool", check_number<1, 4095>},
    {"max_instances", "4", "counting parent: devices on each parent", check_count},
    {"module", kItemName, "the module's name", check_name},
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

constexpr Key kParentKeys[] = {
    {"device_name", kItemName, "the parent device's name", check_name},
    {"types", "", "the types that it has, separated by blanks; empty: all", check_text},
};

constexpr Key kTypeKeys[] = {
    {"description", "", "what its description shows; empty: there is no such file", check_text},
    {"max_instances", "4", "counting type: devices of the type on each parent", check_count},
    {"name", "", "what its name shows; empty: its bare name", check_text},
    {"sysfs_name", kItemName, "its bare name: the directory is CLASS-NAME", check_name},
    {"weight", "1", "counting pool: how much a device takes", check_number<1, UINT_MAX>},
};

constexpr Group kGroups[] = {
    {"attributes", "files of the devices", kAttributeKeys},
    {"parameters", "the module's parameters", kParameterKeys},
    {kParents, "the parents; without any, one by the item's name", kParentKeys},
    {"types", "the types", kTypeKeys},
};

using Items = std::vector<std::pair<std::string, Values>>;

const Items& items_of(const Settings& settings, std::string_view group) {
  static const Items none;
  const auto found = settings.items.find(group);
  return found != settings.items.end() ? found->second : none;
}

struct SimType {
  std::string item;
  std::string sysfs_name;
  std::string name;
  std::string description;
  unsigned max_instances = 0;
  unsigned weight = 0;
};

std::vector<SimType> types_of(const Settings& settings) {
  std::vector<SimType> types;
  for (const auto& [item, values] : items_of(settings, "types")) {
    const Reader read(values, kTypeKeys, item);
    types.push_back({.item = item,
                     .sysfs_name = read.text("sysfs_name"),
                     .name = read.text("name"),
                     .description = read.text("description"),
                     .max_instances = static_cast<unsigned>(read.number("max_instances")),
                     .weight = static_cast<unsigned>(read.number("weight"))});
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
          .waits = false,
          .traces = read.flag("trace"),
          .groups = groups_of(settings)};
}

// Thread-safety: as Driver.
class Sim final : public model::Driver {
 public:
  Sim(model::Core& owner, std::shared_ptr<model::Module> owner_module, const Settings& settings)
      : Driver(owner, std::move(owner_module), driver_info(settings)), types_(types_of(settings)) {
    const Reader read(settings.values, kKeys, settings.name);
    rule_ = rule_of(read);
    pool_ = static_cast<unsigned>(read.number("pool"));
    pool_of_all_ = read.text("pool_of") == "all";
    full_errno_ = static_cast<int>(read.number("full_errno"));
  }

  model::Result<void> probe(model::Device& device) override {
    if (rule_ == Rule::parent) return {};
    const model::Lock lock(lock_);
    unsigned& used = used_[counter_of(*device.type)];
    const unsigned taken = taken_by(*device.type);
    if (room_of(*device.type) - used < taken) return model::fail(full_errno_);
    used += taken;
    return {};
  }

  void remove(model::Device& device) noexcept override {
    if (rule_ == Rule::parent) return;
    const model::Lock lock(lock_);
    const auto at = used_.find(counter_of(*device.type));
    at->second -= taken_by(*device.type);
    if (at->second == 0) used_.erase(at);
  }

  std::optional<unsigned> get_available(const model::Type& type) override {
    if (rule_ == Rule::parent) return std::nullopt;
    const model::Lock lock(lock_);
    const auto at = used_.find(counter_of(type));
    return (room_of(type) - (at == used_.end() ? 0 : at->second)) / taken_by(type);
  }

  std::optional<std::string> show_description(const model::Type& type) override {
    const std::string& description = types_[type.info.tag].description;
    return description.empty() ? std::nullopt : std::optional(description);
  }

  // EINVAL: none, or one that is not there.
  model::Result<std::vector<model::TypeInfo>> types_named(const std::string& names) const {
    std::vector<model::TypeInfo> infos;
    const auto add = [&](const SimType& type) {
      infos.push_back({type.sysfs_name, type.name, static_cast<unsigned>(&type - types_.data())});
    };
    std::istringstream words(names);
    for (std::string word; words >> word;) {
      const auto type = std::ranges::find(types_, word, &SimType::item);
      if (type == types_.end()) return model::fail(EINVAL);
      add(*type);
    }
    if (infos.empty()) std::ranges::for_each(types_, add);
    if (infos.empty()) return model::fail(EINVAL);
    return infos;
  }

 private:
  // What is counted together: of one parent or of all (null), of one type or of all (null).
  using Counter = std::pair<const model::Parent*, const SimType*>;
  Counter counter_of(const model::Type& type) const {
    if (rule_ == Rule::type) return {type.parent.get(), &types_[type.info.tag]};
    return {pool_of_all_ ? nullptr : type.parent.get(), nullptr};
  }
  unsigned room_of(const model::Type& type) const {
    return rule_ == Rule::type ? types_[type.info.tag].max_instances : pool_;
  }
  unsigned taken_by(const model::Type& type) const {
    return rule_ == Rule::type ? 1 : types_[type.info.tag].weight;
  }

  const std::vector<SimType> types_;
  Rule rule_ = Rule::parent;
  unsigned pool_ = 0;
  bool pool_of_all_ = false;
  int full_errno_ = ENOSPC;
  model::Mutex lock_{model::Rank::backend};
  std::map<Counter, unsigned> used_ GUARDED_BY(lock_);  // no counter is 0
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
    const auto device = device_of(name, Reader(values, kParentKeys, name).text("device_name"));
    return device ? model::Result<void>{} : std::unexpected(device.error());
  }

  model::Result<void> register_parent(const std::string& name, const Values& values) override {
    const Reader read(values, kParentKeys, name);
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
    std::shared_ptr<model::ParentDevice> device;
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
    std::shared_ptr<model::ParentDevice> device;
    std::shared_ptr<model::Parent> parent;  // null: not registered
  };

  model::Result<std::shared_ptr<model::ParentDevice>> device_of(const std::string& name,
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

model::Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const Reader read(settings.values, kKeys, settings.name);
  const auto module = core.load_module({.name = read.text("module"), .parameters = parameters_of(settings)});
  if (!module) return std::unexpected(module.error());
  auto loaded = std::make_shared<LoadedSim>(core, *module, settings);
  const Items one = read.flag(kStartEmpty) ? Items{} : Items{{settings.name, {}}};
  const Items& parents = items_of(settings, kParents);
  auto done = loaded->add_driver_and_class(settings);
  for (const auto& [name, values] : parents.empty() ? one : parents) {
    if (done) done = loaded->register_parent(name, values);
  }
  if (!done) {
    core.unload_module(**module);
    return std::unexpected(done.error());
  }
  core.module_loaded(**module);
  return loaded;
}

}  // namespace

Backend sim() {
  return {.name = "sim",
          .summary = "anything: parents, types, attributes and counting as described (kernel/config/mdevfs)",
          .keys = kKeys,
          .groups = kGroups,
          .complete = false,
          .load = load};
}

}  // namespace mdevfs::backends
