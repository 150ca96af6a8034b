// SPDX-License-Identifier: Apache-2.0
//
// nvidia, NVIDIA's vGPU manager, in its three shapes:
//
//   without SR-IOV        (Pascal, Turing) the GPU is the parent
//   with SR-IOV           (Ampere and later) its virtual functions are the parents, one device each
//   with framework=vendor (newer kernels) there are no mdevs: a virtual function has files in which a vGPU
//   type is chosen
//
// The driver's source is not public. What is known is from captures of machines and from what users report;
// doc/conformance.md says what of it nobody has verified.
#include "nvidia.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "../bus_parents.h"
#include "../pci/loaded_functions.h"
#include "../types.h"
#include "../values.h"
#include "gpu.h"
#include "model/number.h"
#include "model/text.h"

namespace mdevfs::backends {
namespace {

using model::fail;
using model::Result;
using vgpu::Gpu;

constexpr std::array<std::string_view, 2> kFrameworks = {"mdev", "vendor"};

constexpr Key kParentOwnKeys[] = {
    {kCard, "T4", "the card file that says the rest", check_text},
    {"framebuffer", "0", "memory of the whole GPU, in MB; 0: the types' counts say enough",
     check_number<0, 16777216>},
    {"framework", "mdev", "mdev, or vendor: virtual functions with files of the vendor's own",
     check_word<kFrameworks>},
    {"full_errno", "22", "the errno of what does not fit any more", check_number<1, 4095>},
    {"homogeneous", "1", "all vGPUs of the GPU are of one type", check_flag},
    {"numvfs", "-1", "virtual functions at the start; -1: all it can have", check_number<-1, 65535>},
    {"types", "", "the types that it has, separated by blanks; empty: all", check_text},
};

constexpr Key kTypeKeys[] = {
    {"frl_config", "60", "the frame rate limiter's limit, frames a second", check_number<0, 1000>},
    {"framebuffer", "1024", "memory of a vGPU, in MB", check_number<1, 16777216>},
    {"max_instances", "1", "vGPUs of the type on a GPU", check_number<1, 65536>},
    {"max_resolution", "5120x2880", "of its displays", check_text},
    {"name", "", "what its name shows", check_text},
    {"num_heads", "4", "its displays", check_number<0, 64>},
    {"sysfs_name", kItemName, "its number: the directory is nvidia-NUMBER", check_name},
};

std::span<const Key> parent_keys() {
  static const std::vector<Key> keys = pci::with_function_keys(kParentOwnKeys);
  return keys;
}

std::span<const Group> groups() {
  static const Group all[] = {
      {kParents, "the GPUs, by their addresses; without any, 0000:65:00.0", parent_keys()},
      {"types", "the types", kTypeKeys},
  };
  return all;
}

// --- where a function's GPU is found

class GpuDriver;

// The GPU of a function, or of the one that a virtual function is of.
Gpu& gpu_of(const model::HostDevice& device);

// --- mdevs

// nvidia/vgpu_params. The driver drops the last character of what it is given, which is meant to be a
// newline.
Result<void> store_vgpu_params(model::Device& device, std::string_view text);
Result<std::string> show_vgpu_params(model::Device& device);

model::DriverInfo driver_info() {
  return {.name = "nvidia-vgpu-vfio",
          .device_api = "vfio-pci",
          .uses_vfio = true,
          .counts_itself = true,
          .waits = false,
          .groups = {
              {"nvidia",
               {{.name = "vgpu_params", .mode = 0644, .show = show_vgpu_params, .store = store_vgpu_params},
                {.name = "vm_name", .text = "\n"}}}}};
}

// Thread-safety: as Driver.
class VgpuVfio final : public model::Driver {
 public:
  VgpuVfio(model::Core& owner, std::shared_ptr<model::Module> owner_module)
      : Driver(owner, std::move(owner_module), driver_info()) {}

  Result<void> probe(model::Device& device) override {
    const model::HostDevice& host = *device.type->parent->device;
    Gpu& gpu = gpu_of(host);
    if (!gpu.take(device.type->info.tag, host.name())) return fail(gpu.description.full_errno);
    return {};
  }
  void remove(model::Device& device) noexcept override {
    const model::HostDevice& host = *device.type->parent->device;
    gpu_of(host).give_back(device.type->info.tag, host.name());
    const model::Lock lock(lock_);
    params_.erase(&device);
  }
  std::optional<unsigned> get_available(const model::Type& type) override {
    return gpu_of(*type.parent->device).available(type.info.tag, type.parent->device->name());
  }
  std::optional<std::string> show_description(const model::Type& type) override {
    return gpu_of(*type.parent->device).description.types[type.info.tag].description;
  }

  std::string params(const model::Device& device) {
    const model::Lock lock(lock_);
    const auto at = params_.find(&device);
    return at != params_.end() ? at->second : std::string();
  }
  void set_params(const model::Device& device, std::string text) {
    const model::Lock lock(lock_);
    params_[&device] = std::move(text);
  }

 private:
  model::Mutex lock_{model::Rank::backend};
  std::map<const model::Device*, std::string> params_ GUARDED_BY(lock_);
};

Result<void> store_vgpu_params(model::Device& device, std::string_view text) {
  if (!text.empty()) text.remove_suffix(1);
  static_cast<VgpuVfio&>(device.driver()).set_params(device, std::string(text));
  return {};
}
Result<std::string> show_vgpu_params(model::Device& device) {
  return static_cast<VgpuVfio&>(device.driver()).params(device) + "\n";
}

// --- the vendor's own files of a virtual function

Result<std::string> show_creatable(model::HostDevice& device);
Result<std::string> show_current(model::HostDevice& device);
Result<void> store_current(model::HostDevice& device, std::string_view text);

constexpr auto kWithDriver = model::HostDevice::kDriverGroups;

const model::HostAttribute kVendorFiles[] = {
    {.name = "creatable_vgpu_types", .show = show_creatable, .group = "nvidia", .part = kWithDriver},
    {.name = "current_vgpu_type",
     .mode = 0644,
     .show = show_current,
     .store = store_current,
     .group = "nvidia",
     .part = kWithDriver},
    {.name = "gpu_instance_id", .mode = 0644, .text = "0\n", .group = "nvidia", .part = kWithDriver},
    {.name = "placement_id", .mode = 0644, .text = "0\n", .group = "nvidia", .part = kWithDriver},
    {.name = "vgpu_params", .mode = 0644, .text = "\n", .group = "nvidia", .part = kWithDriver},
    {.name = "warm_update", .mode = 0644, .text = "0\n", .group = "nvidia", .part = kWithDriver},
};

// --- the PCI driver

// Thread-safety: as BusDriver.
class GpuDriver final : public pci::Driver {
 public:
  GpuDriver(model::Core& owner, std::shared_ptr<model::Module> its_module,
            const std::shared_ptr<model::Driver>& vgpu_vfio)
      : Driver(owner, std::move(its_module), "nvidia",
               {{.vendor = 0x10de, .class_code = 0x030000, .class_mask = 0xff0000}}),
        registrar_(vgpu_vfio) {}

  bool configures_sriov() const override { return true; }
  // What is described as a GPU is one, whatever its ids.
  bool takes(const pci::Function& function) const override { return find(function) != nullptr; }

  Result<void> probe_function(pci::Function& function) override {
    const auto gpu = find(function);
    if (!gpu) return fail(ENODEV);
    if (!function.is_virtual() && gpu->description.by_functions) return {};
    if (!gpu->description.has_mdevs) {
      if (function.iommu_group) core.appear_driver_vfio(function);
      return {};
    }
    return registrar_.register_device(function, types_of(*gpu));
  }

  // Called with the function's lock held, which is not seen from here.
  void remove_function(pci::Function& function) noexcept override NO_THREAD_SAFETY_ANALYSIS {
    const auto gpu = find(function);
    pci::remove_virtual_functions(function);
    registrar_.unregister_device(function);
    if (gpu && !gpu->description.has_mdevs && function.is_virtual()) {
      std::ignore = gpu->choose(function.name(), 0);
      if (function.iommu_group) core.vanish_driver_vfio(function);
    }
  }

  void describe(const std::string& device, std::shared_ptr<Gpu> gpu) {
    const model::Lock lock(lock_);
    gpus_[device] = std::move(gpu);
  }

  std::shared_ptr<Gpu> find(const model::HostDevice& device) const {
    const auto& function = static_cast<const pci::Function&>(device);
    const std::string name = function.is_virtual() ? function.place.physfn->name() : function.name();
    const model::Lock lock(lock_);
    const auto at = gpus_.find(name);
    return at != gpus_.end() ? at->second : nullptr;
  }

 private:
  static std::vector<model::TypeInfo> types_of(const Gpu& gpu) {
    std::vector<model::TypeInfo> infos;
    for (const auto& type : gpu.description.types)
      infos.push_back({type.id, type.name, static_cast<unsigned>(infos.size())});
    return infos;
  }

  Registrar registrar_;
  mutable model::Mutex lock_{model::Rank::backend};
  // They stay: a device that is on its way out still has one.
  std::map<std::string, std::shared_ptr<Gpu>, std::less<>> gpus_ GUARDED_BY(lock_);
};

GpuDriver& driver_of(const model::HostDevice& device) {
  return static_cast<GpuDriver&>(*device.driver());
}

// A parent is bound to the driver for as long as it has devices.
Gpu& gpu_of(const model::HostDevice& device) {
  return *driver_of(device).find(device);
}

// A header, and a line for each type that can be chosen now.
Result<std::string> show_creatable(model::HostDevice& device) {
  Gpu& gpu = gpu_of(device);
  std::string text = "ID    : vGPU Name\n";
  for (std::size_t place = 0; place < gpu.description.types.size(); ++place) {
    const auto& type = gpu.description.types[place];
    if (gpu.available(place, device.name()) != 0) text += fmt::format("{:<5} : {}\n", type.id, type.name);
  }
  return text;
}

Result<std::string> show_current(model::HostDevice& device) {
  return fmt::format("{}\n", gpu_of(device).chosen(device.name()));
}

Result<void> store_current(model::HostDevice& device, std::string_view text) {
  const auto number = model::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  return gpu_of(device).choose(device.name(), *number);
}

// --- the unit

using Types = KnownTypes<vgpu::VgpuType>;

Types::List types_of(const Settings& settings) {
  Types::List all;
  for (const auto& [item, values] : items_of(settings, "types")) {
    const Reader read(values, kTypeKeys, item);
    const auto number = [&](std::string_view key) { return static_cast<unsigned>(read.number(key)); };
    const std::string id = read.text("sysfs_name");
    all.names.push_back({item, id});
    all.types.push_back(
        {.id = id,
         .name = read.text("name"),
         .description =
             fmt::format("num_heads={}, frl_config={}, framebuffer={}M, max_resolution={}, max_instance={}",
                         number("num_heads"), number("frl_config"), number("framebuffer"),
                         read.text("max_resolution"), number("max_instances")),
         .framebuffer = number("framebuffer"),
         .max_instances = number("max_instances")});
  }
  return all;
}

// Thread-safety: as Loaded.
class LoadedNvidia final : public pci::LoadedFunctions {
 public:
  LoadedNvidia(model::Core& core, std::shared_ptr<model::Module> vgpu_vfio,
               std::shared_ptr<model::Module> nvidia_module, std::shared_ptr<GpuDriver> driver,
               const Settings& settings)
      : LoadedFunctions(core, std::move(vgpu_vfio), std::move(nvidia_module), driver),
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
    auto identity = pci::read_identity(values, name);
    if (!identity) return std::unexpected(identity.error());
    const auto chosen = find_types(known.names, read.text("types"));
    if (!chosen) return std::unexpected(chosen.error());
    vgpu::GpuDescription description{.types = {},
                                     .framebuffer = static_cast<unsigned>(read.number("framebuffer")),
                                     .homogeneous = read.flag("homogeneous"),
                                     .by_functions = identity->sriov.total != 0,
                                     .has_mdevs = read.text("framework") == "mdev",
                                     .full_errno = static_cast<int>(read.number("full_errno"))};
    for (const auto place : *chosen) description.types.push_back(known.types[place]);
    if (!description.has_mdevs)
      identity->sriov.attributes.assign(std::begin(kVendorFiles), std::end(kVendorFiles));
    const std::string device = to_string(identity->address);
    driver_->describe(device, std::make_shared<Gpu>(std::move(description)));
    return plug_function(*identity, values, name);
  }

  // What sriov-manage does after the start.
  Result<void> bound(model::HostDevice& device, const Values& values) override {
    auto& function = static_cast<pci::Function&>(device);
    const auto total = function.identity.sriov.total;
    const auto wanted = Reader(values, parent_keys(), device.name()).number("numvfs");
    const auto count = wanted < 0 ? total : std::min(total, static_cast<unsigned>(wanted));
    return count != 0 ? pci::set_virtual_functions(function, count) : Result<void>();
  }

 private:
  const std::shared_ptr<GpuDriver> driver_;
  Types types_;
};

Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  return pci::load_functions<VgpuVfio, GpuDriver, LoadedNvidia>(
      core, settings, {.name = "nvidia", .taint = "POE", .uses_mdev = false}, {.name = "nvidia_vgpu_vfio"});
}

void check_parent(const Types::List& types, const std::string& item, const Values& values,
                  std::vector<Complaint>& complaints) {
  const Reader read(values, parent_keys(), item);
  pci::check_function(values, item, complaints);
  check_has_types(types.names, item, read.text("types"), complaints);
  if (read.text("framework") == "vendor" && read.number("sriov_totalvfs") == 0) {
    complaints.push_back({std::string(kParents), item, "framework",
                          "the vendor's framework needs virtual functions: sriov_totalvfs is 0"});
  }
}

std::vector<Complaint> check(const Settings& settings) {
  std::vector<Complaint> complaints;
  const Types::List types = types_of(settings);
  const Items& parents = items_of(settings, kParents);
  for (const auto& [item, values] : parents) check_parent(types, item, values, complaints);
  check_unique(parents, parent_keys(), "address", complaints);
  return complaints;
}

}  // namespace

Backend nvidia() {
  return {.name = "nvidia",
          .summary = "NVIDIA vGPU: GPUs that are parents, or whose virtual functions are",
          .keys = {},
          .groups = groups(),
          .complete = true,
          .first_parent = "0000:65:00.0",
          .load = load,
          .check = check};
}

}  // namespace mdevfs::backends
