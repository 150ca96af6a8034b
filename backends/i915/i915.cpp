// SPDX-License-Identifier: Apache-2.0
//
// i915, Intel's GVT-g (drivers/gpu/drm/i915/gvt): all devices share the GPU's graphics memory, low (the
// aperture) and high, and its fences; what one type takes is missing to the others. The driver of the PCI
// function is i915's; the mdev driver is kvmgt's.
#include "i915.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "../bus_parents.h"
#include "../pci/loaded_functions.h"
#include "../types.h"
#include "../values.h"

namespace mdevfs::backends {
namespace {

using model::fail;
using model::Result;

// What the host keeps of each for itself: HOST_LOW_GM_SIZE, HOST_HIGH_GM_SIZE (MB), HOST_FENCE.
constexpr unsigned kHostLow = 128, kHostHigh = 384, kHostFences = 4;
constexpr unsigned kMostDevices = 7;  // GVT_MAX_VGPU, without the one that is the host's

constexpr Key kParentOwnKeys[] = {
    {"aperture_size", "256", "its low graphics memory, in MB", check_number<128, 1048576>},
    {kCard, "GVTg_V5", "the card file that says the rest", check_text},
    {"fences", "32", "its fence registers", check_number<4, 1024>},
    {"hidden_size", "3840", "its high graphics memory, in MB", check_number<384, 1048576>},
    {"type_names", "1", "types have a file name, as from 6.1 on", check_flag},
    {"types", "", "the types that it has, separated by blanks; empty: all", check_text},
};

constexpr Key kTypeKeys[] = {
    {"fence", "4", "fence registers that a device takes", check_number<0, 1024>},
    {"high_gm_size", "512", "high graphics memory that a device takes, in MB", check_number<1, 1048576>},
    {"low_gm_size", "128", "low graphics memory that a device takes, in MB", check_number<1, 1048576>},
    {"resolution", "1920x1200", "the largest that its display can have", check_text},
    {"sysfs_name", kItemName, "its name: the directory is i915-NAME", check_name},
    {"weight", "4", "its share of the GPU's time", check_number<1, 16>},
};

std::span<const Key> parent_keys() {
  static const std::vector<Key> keys = pci::with_function_keys(kParentOwnKeys);
  return keys;
}

std::span<const Group> groups() {
  static const Group all[] = {
      {kParents, "the GPUs, by their addresses; without any, 0000:00:02.0", parent_keys()},
      {"types", "the types", kTypeKeys},
  };
  return all;
}

struct Memory {
  unsigned low = 0;
  unsigned high = 0;
  unsigned fences = 0;
};

struct GvtType {
  Memory need;
  std::string description;
};

// How many times what is needed fits into what is left.
unsigned times(const Memory& left, const Memory& need) {
  const unsigned by_fences = need.fences == 0 ? kMostDevices : left.fences / need.fences;
  return std::min({left.low / need.low, left.high / need.high, by_fences});
}

// A GPU with its devices. Thread-safety: all functions from any thread.
class Gvt {
 public:
  Gvt(Memory memory, std::vector<GvtType> its_types) : types(std::move(its_types)), left_(memory) {
    for (unsigned number = 1; number <= kMostDevices; ++number) free_ids_.insert(number);
  }

  // intel_gvt_create_vgpu. ENOSPC: there is not enough of something left.
  Result<void> take(const model::Device& device) {
    const Memory& need = types[device.type->info.tag].need;
    const model::Lock lock(lock_);
    if (free_ids_.empty() || times(left_, need) == 0) return fail(ENOSPC);
    left_ = {left_.low - need.low, left_.high - need.high, left_.fences - need.fences};
    ids_[&device] = *free_ids_.begin();
    free_ids_.erase(free_ids_.begin());
    return {};
  }
  void give_back(const model::Device& device) {
    const Memory& need = types[device.type->info.tag].need;
    const model::Lock lock(lock_);
    left_ = {left_.low + need.low, left_.high + need.high, left_.fences + need.fences};
    const auto at = ids_.find(&device);
    free_ids_.insert(at->second);
    ids_.erase(at);
  }
  // intel_vgpu_get_available.
  unsigned available(unsigned tag) {
    const model::Lock lock(lock_);
    return times(left_, types[tag].need);
  }
  unsigned id_of(const model::Device& device) {
    const model::Lock lock(lock_);
    const auto at = ids_.find(&device);
    return at != ids_.end() ? at->second : 0;
  }

  const std::vector<GvtType> types;

 private:
  model::Mutex lock_{model::Rank::backend};
  Memory left_ GUARDED_BY(lock_);
  std::set<unsigned> free_ids_ GUARDED_BY(lock_);
  std::map<const model::Device*, unsigned> ids_ GUARDED_BY(lock_);
};

Gvt& gvt_of(const model::HostDevice& device);

Result<std::string> show_vgpu_id(model::Device& device) {
  return fmt::format("{}\n", gvt_of(*device.type->parent->device).id_of(device));
}

model::DriverInfo driver_info() {
  return {.name = "intel_vgpu_mdev",
          .device_api = "vfio-pci",
          .uses_vfio = true,
          .counts_itself = true,
          .waits = false,
          .groups = {{"intel_vgpu", {{.name = "vgpu_id", .show = show_vgpu_id}}}}};
}

// Thread-safety: as Driver.
class Kvmgt final : public model::Driver {
 public:
  Kvmgt(model::Core& owner, std::shared_ptr<model::Module> owner_module)
      : Driver(owner, std::move(owner_module), driver_info()) {}

  Result<void> probe(model::Device& device) override {
    return gvt_of(*device.type->parent->device).take(device);
  }
  void remove(model::Device& device) noexcept override {
    gvt_of(*device.type->parent->device).give_back(device);
  }
  std::optional<unsigned> get_available(const model::Type& type) override {
    return gvt_of(*type.parent->device).available(type.info.tag);
  }
  std::optional<std::string> show_description(const model::Type& type) override {
    return gvt_of(*type.parent->device).types[type.info.tag].description;
  }
};

// The PCI driver. Thread-safety: as BusDriver.
class I915 final : public pci::Driver {
 public:
  I915(model::Core& owner, std::shared_ptr<model::Module> its_module,
       const std::shared_ptr<model::Driver>& kvmgt)
      : Driver(owner, std::move(its_module), "i915",
               {{.vendor = 0x8086, .class_code = 0x030000, .class_mask = 0xff0000}}),
        registrar_(kvmgt) {}

  // What is described as such a GPU is one, whatever its ids.
  bool takes(const pci::Function& function) const override {
    const model::Lock lock(lock_);
    return gvts_.contains(function.name());
  }
  Result<void> probe_function(pci::Function& function) override {
    return registrar_.register_device(function);
  }
  void remove_function(pci::Function& function) noexcept override { registrar_.unregister_device(function); }

  void describe(const std::string& device, std::shared_ptr<Gvt> gvt, std::vector<model::TypeInfo> types) {
    {
      const model::Lock lock(lock_);
      gvts_[device] = std::move(gvt);
    }
    registrar_.describe(device, std::move(types));
  }
  Gvt& gvt(const std::string& device) {
    const model::Lock lock(lock_);
    return *gvts_.at(device);
  }

 private:
  Registrar registrar_;
  mutable model::Mutex lock_{model::Rank::backend};
  // They stay: a device that is on its way out still has one.
  std::map<std::string, std::shared_ptr<Gvt>> gvts_ GUARDED_BY(lock_);
};

// A parent is bound to i915 for as long as it has devices.
Gvt& gvt_of(const model::HostDevice& device) {
  return static_cast<I915&>(*device.driver()).gvt(device.name());
}

using Types = KnownTypes<GvtType>;

Types::List types_of(const Settings& settings) {
  Types::List all;
  for (const auto& [item, values] : items_of(settings, "types")) {
    const Reader read(values, kTypeKeys, item);
    const auto number = [&](std::string_view key) { return static_cast<unsigned>(read.number(key)); };
    const Memory need{number("low_gm_size"), number("high_gm_size"), number("fence")};
    all.names.push_back({item, read.text("sysfs_name")});
    all.types.push_back(
        {need, fmt::format("low_gm_size: {}MB\nhigh_gm_size: {}MB\nfence: {}\nresolution: {}\nweight: {}",
                           need.low, need.high, need.fences, read.text("resolution"), number("weight"))});
  }
  return all;
}

// Thread-safety: as Loaded.
class LoadedI915 final : public pci::LoadedFunctions {
 public:
  LoadedI915(model::Core& core, std::shared_ptr<model::Module> kvmgt,
             std::shared_ptr<model::Module> i915_module, std::shared_ptr<I915> driver,
             const Settings& settings)
      : LoadedFunctions(core, std::move(kvmgt), std::move(i915_module), driver),
        driver_(std::move(driver)),
        types_(types_of(settings)) {}

  bool learn(const Settings& settings) override {
    types_.add(types_of(settings));
    return true;
  }

 protected:
  Result<std::string> plug(const std::string& name, const Values& values) override {
    const Types::List known = types_.list();
    const Reader read(values, parent_keys(), name);
    const auto identity = pci::read_identity(values, name);
    if (!identity) return std::unexpected(identity.error());
    const auto chosen = find_types(known.names, read.text("types"));
    if (!chosen) return std::unexpected(chosen.error());
    const auto number = [&](std::string_view key) { return static_cast<unsigned>(read.number(key)); };
    const Memory memory{number("aperture_size") - kHostLow, number("hidden_size") - kHostHigh,
                        number("fences") - kHostFences};
    std::vector<model::TypeInfo> infos;
    for (const auto place : *chosen) {
      // intel_gvt_init_vgpu_types: what the GPU is too small for is no type of its.
      if (memory.low < known.types[place].need.low) continue;
      infos.push_back({.sysfs_name = known.names[place].sysfs_name,
                       .pretty_name = {},
                       .tag = static_cast<unsigned>(place),
                       .has_name = read.flag("type_names")});
    }
    const std::string device = to_string(identity->address);
    driver_->describe(device, std::make_shared<Gvt>(memory, known.types), std::move(infos));
    return plug_function(*identity, values, name);
  }

 private:
  const std::shared_ptr<I915> driver_;
  Types types_;
};

Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  return pci::load_functions<Kvmgt, I915, LoadedI915>(
      core, settings, {.name = "i915", .taint = "", .uses_mdev = false}, {.name = "kvmgt", .taint = ""});
}

std::vector<Complaint> check(const Settings& settings) {
  std::vector<Complaint> complaints;
  const Types::List types = types_of(settings);
  const Items& parents = items_of(settings, kParents);
  for (const auto& [item, values] : parents) {
    pci::check_function(values, item, complaints);
    check_has_types(types.names, item, Reader(values, parent_keys(), item).text("types"), complaints);
  }
  check_unique(parents, parent_keys(), "address", complaints);
  return complaints;
}

}  // namespace

Backend i915() {
  return {.name = "i915",
          .summary = "Intel GVT-g: GPUs whose graphics memory the devices share",
          .keys = {},
          .groups = groups(),
          .complete = true,
          .first_parent = "0000:00:02.0",
          .load = load,
          .check = check};
}

}  // namespace mdevfs::backends
