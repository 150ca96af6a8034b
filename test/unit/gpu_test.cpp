// SPDX-License-Identifier: Apache-2.0
//
// i915 and nvidia: how devices share a GPU, and what is shown of it.
#include <random>

#include "loaded_machine.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kIntel = "0000:00:02.0";
const std::string kGpu = "0000:65:00.0";
const std::string kSriov = "0000:e2:00.0";
const std::string kSriovPath = "devices/pci0000:e2/" + kSriov;

struct Gvt : LoadedMachine {
  explicit Gvt(backends::Values more = {})
      : LoadedMachine(
            "i915", {}, {{kIntel, with_ids(std::move(more))}},
            {{"GVTg_V5_4", {}},
             {"GVTg_V5_8",
              {{"low_gm_size", "64"}, {"high_gm_size", "384"}, {"resolution", "1024x768"}, {"weight", "2"}}},
             {"GVTg_V5_1", {{"low_gm_size", "512"}, {"high_gm_size", "2048"}}}}) {}
  static backends::Values with_ids(backends::Values values) {
    values.insert({{"vendor", "0x8086"}, {"device", "0x5916"}, {"class", "0x030000"}});
    return values;
  }
  std::string counts() { return available(kIntel, "i915-GVTg_V5_4") + available(kIntel, "i915-GVTg_V5_8"); }
};

LoadedMachine::Items t4_types() {
  return {{"222",
           {{"name", "GRID T4-1B"}, {"max_instances", "16"}, {"framebuffer", "1024"}, {"frl_config", "45"}}},
          {"223", {{"name", "GRID T4-2B"}, {"max_instances", "8"}, {"framebuffer", "2048"}}},
          {"229", {{"name", "GRID T4-16A"}, {"max_instances", "1"}, {"framebuffer", "16384"}}}};
}

backends::Values gpu_values(backends::Values more = {}) {
  more.insert({{"vendor", "0x10de"}, {"device", "0x1eb8"}, {"class", "0x030200"}, {"framebuffer", "16384"}});
  return more;
}

struct Turing : LoadedMachine {
  explicit Turing(backends::Values more = {})
      : LoadedMachine("nvidia", {}, {{kGpu, gpu_values(std::move(more))}}, t4_types()) {}
  std::string counts() {
    return available(kGpu, "nvidia-222") + available(kGpu, "nvidia-223") + available(kGpu, "nvidia-229");
  }
};

struct Ampere : LoadedMachine {
  explicit Ampere(backends::Values more = {})
      : LoadedMachine("nvidia", {}, {{kSriov, with_functions(std::move(more))}}, t4_types()) {}
  static backends::Values with_functions(backends::Values more) {
    more.insert({{"sriov_totalvfs", "16"},
                 {"sriov_offset", "4"},
                 {"sriov_vf_device", "0x1eb9"},
                 {"framebuffer", "4096"}});
    return gpu_values(std::move(more));
  }
  static std::string function(unsigned number) {
    char name[32];
    std::snprintf(name, sizeof name, "0000:e2:%02x.%x", (number + 4) / 8, (number + 4) % 8);
    return name;
  }
  int set_functions(const std::string& count) { return store(kSriovPath + "/sriov_numvfs", count); }
  std::string vendor(unsigned number, const std::string& file) {
    return "devices/pci0000:e2/" + function(number) + "/nvidia/" + file;
  }
};

}  // namespace

TEST_CASE("GVT-g: what one type takes the others lack") {
  Gvt machine;
  CHECK(machine.names(machine.parent_file(kIntel, "mdev_supported_types")).find("V5_1") == std::string::npos);
  CHECK(machine.counts() == "1\n2\n");
  CHECK(machine.show(machine.parent_file(kIntel, "mdev_supported_types/i915-GVTg_V5_8/description")) ==
        "low_gm_size: 64MB\nhigh_gm_size: 384MB\nfence: 4\nresolution: 1024x768\nweight: 2\n");
  CHECK(machine.show(machine.parent_file(kIntel, "mdev_supported_types/i915-GVTg_V5_8/name")) ==
        "GVTg_V5_8\n");
  REQUIRE(machine.create(kIntel, "i915-GVTg_V5_8", 1) == 0);
  CHECK(machine.counts() == "0\n1\n");
  CHECK(machine.create(kIntel, "i915-GVTg_V5_4", 2) == ENOSPC);
  REQUIRE(machine.create(kIntel, "i915-GVTg_V5_8", 2) == 0);
  CHECK(machine.counts() == "0\n0\n");
  CHECK(machine.show(machine.parent_file(kIntel, uuid(2) + "/intel_vgpu/vgpu_id")) == "2\n");
  REQUIRE(machine.remove(kIntel, 1) == 0);
  REQUIRE(machine.create(kIntel, "i915-GVTg_V5_8", 3) == 0);
  CHECK(machine.show(machine.parent_file(kIntel, uuid(3) + "/intel_vgpu/vgpu_id")) == "1\n");  // lowest free
  REQUIRE(machine.remove(kIntel, 2) == 0);
  REQUIRE(machine.remove(kIntel, 3) == 0);
  CHECK(machine.counts() == "1\n2\n");
}

TEST_CASE("GVT-g: there are never more than seven devices") {
  Gvt machine(backends::Values{{"aperture_size", "4096"}, {"hidden_size", "65536"}, {"fences", "64"}});
  for (unsigned n = 1; n <= 7; ++n) REQUIRE(machine.create(kIntel, "i915-GVTg_V5_8", n) == 0);
  CHECK(machine.create(kIntel, "i915-GVTg_V5_8", 8) == ENOSPC);
}

TEST_CASE("GVT-g before 6.1 has types without names") {
  Gvt machine(backends::Values{{"type_names", "0"}});
  CHECK_FALSE(machine.exists(machine.parent_file(kIntel, "mdev_supported_types/i915-GVTg_V5_4/name")));
  CHECK(machine.exists(machine.parent_file(kIntel, "mdev_supported_types/i915-GVTg_V5_4/device_api")));
}

TEST_CASE("a GPU has vGPUs of one type at a time") {
  Turing machine;
  CHECK(machine.counts() == "16\n8\n1\n");
  CHECK(machine.show(machine.parent_file(kGpu, "mdev_supported_types/nvidia-222/description")) ==
        "num_heads=4, frl_config=45, framebuffer=1024M, max_resolution=5120x2880, max_instance=16\n");
  REQUIRE(machine.create(kGpu, "nvidia-223", 1) == 0);
  CHECK(machine.counts() == "0\n7\n0\n");
  CHECK(machine.create(kGpu, "nvidia-222", 2) == EINVAL);
  for (unsigned n = 2; n <= 8; ++n) REQUIRE(machine.create(kGpu, "nvidia-223", n) == 0);
  CHECK(machine.counts() == "0\n0\n0\n");
  CHECK(machine.create(kGpu, "nvidia-223", 9) == EINVAL);
  for (unsigned n = 1; n <= 8; ++n) REQUIRE(machine.remove(kGpu, n) == 0);
  CHECK(machine.counts() == "16\n8\n1\n");
}

TEST_CASE("a GPU that mixes types counts its framebuffer") {
  Turing machine(backends::Values{{"homogeneous", "0"}});
  REQUIRE(machine.create(kGpu, "nvidia-223", 1) == 0);
  CHECK(machine.counts() == "14\n7\n0\n");
}

TEST_CASE("vgpu_params loses its last character, whatever it is") {
  Turing machine;
  REQUIRE(machine.create(kGpu, "nvidia-222", 1) == 0);
  const auto params = machine.parent_file(kGpu, uuid(1) + "/nvidia/vgpu_params");
  CHECK(machine.show(params) == "\n");
  CHECK(machine.store(params, "frame_rate_limiter=0\n") == 0);
  CHECK(machine.show(params) == "frame_rate_limiter=0\n");
  CHECK(machine.store(params, "frame_rate_limiter=0") == 0);
  CHECK(machine.show(params) == "frame_rate_limiter=\n");
  CHECK(machine.show(machine.parent_file(kGpu, uuid(1) + "/nvidia/vm_name")) == "\n");
  REQUIRE(machine.remove(kGpu, 1) == 0);
  REQUIRE(machine.create(kGpu, "nvidia-222", 1) == 0);
  CHECK(machine.show(params) == "\n");
}

TEST_CASE("only virtual functions are parents, one device each, and share the framebuffer") {
  Ampere machine;
  CHECK_FALSE(machine.exists("class/mdev_bus/" + kSriov));
  CHECK(machine.show(kSriovPath + "/sriov_numvfs") == "16\n");
  CHECK(machine.target("class/mdev_bus/" + Ampere::function(9)) == "devices/pci0000:e2/0000:e2:01.5");
  CHECK(machine.available(Ampere::function(0), "nvidia-222") == "1\n");
  CHECK(machine.available(Ampere::function(0), "nvidia-229") == "0\n");  // bigger than the GPU
  REQUIRE(machine.create(Ampere::function(0), "nvidia-223", 1) == 0);
  CHECK(machine.available(Ampere::function(0), "nvidia-223") == "0\n");  // it has one
  CHECK(machine.available(Ampere::function(1), "nvidia-223") == "1\n");
  CHECK(machine.available(Ampere::function(1), "nvidia-222") == "0\n");  // of another type
  REQUIRE(machine.create(Ampere::function(1), "nvidia-223", 2) == 0);
  CHECK(machine.available(Ampere::function(2), "nvidia-223") == "0\n");  // the memory is used up
  CHECK(machine.create(Ampere::function(2), "nvidia-223", 3) == EINVAL);
  REQUIRE(machine.remove(Ampere::function(0), 1) == 0);
  CHECK(machine.available(Ampere::function(2), "nvidia-223") == "1\n");
}

TEST_CASE("sriov_numvfs brings virtual functions and takes them away, as the PCI core does") {
  Ampere machine;
  REQUIRE(machine.create(Ampere::function(3), "nvidia-222", 1) == 0);
  CHECK(machine.set_functions("8") == EBUSY);
  CHECK(machine.set_functions("17") == ERANGE);
  CHECK(machine.set_functions("x") == EINVAL);
  CHECK(machine.set_functions("-1") == EINVAL);
  CHECK(machine.set_functions("65536") == EINVAL);
  CHECK(machine.set_functions("16\n") == 0);
  CHECK(machine.exists("bus/mdev/devices/" + uuid(1)));
  UeventLines uevents(machine.core);
  CHECK(machine.set_functions("0") == 0);
  CHECK_FALSE(machine.exists("bus/mdev/devices/" + uuid(1)));
  CHECK(machine.names("class/mdev_bus").empty());
  CHECK_FALSE(machine.exists(kSriovPath + "/virtfn0"));
  std::ignore = uevents.take();
  CHECK(machine.set_functions("2") == 0);
  std::string actions;
  for (const auto& line : uevents.take()) {
    if (line.find(" pci ") == std::string::npos) continue;
    const auto address = line.substr(line.find("0000:e2:"), 12);
    actions += line.substr(0, line.find('@')) + (address == kSriov ? "*" : address.substr(8)) + " ";
  }
  // Of each function that it is there, that it is linked, that it is registered and bound; then of the
  // physical one.
  CHECK(actions == "add00.4 change00.4 change00.4 bind00.4 add00.5 change00.5 change00.5 bind00.5 change* ");
  CHECK(machine.target(kSriovPath + "/virtfn1") == "0000:e2:00.5");
  CHECK(machine.show("devices/pci0000:e2/0000:e2:00.5/device") == "0x1eb9\n");
  CHECK_FALSE(machine.exists("devices/pci0000:e2/0000:e2:00.5/remove"));
  CHECK(machine.available(Ampere::function(0), "nvidia-222") == "1\n");
}

TEST_CASE("without its driver a physical function has no virtual ones and gets none") {
  Ampere machine;
  REQUIRE(machine.store("bus/pci/drivers/nvidia/unbind", kSriov) == 0);
  CHECK(machine.names("class/mdev_bus").empty());
  CHECK(machine.show(kSriovPath + "/sriov_numvfs") == "0\n");
  CHECK(machine.set_functions("2") == ENOENT);
  REQUIRE(machine.store("bus/pci/drivers/nvidia/bind", kSriov) == 0);
  CHECK(machine.set_functions("2") == 0);
  CHECK(machine.exists("class/mdev_bus/" + Ampere::function(1)));
}

TEST_CASE("virtual functions stay unbound where sriov_drivers_autoprobe says so") {
  Ampere machine;
  REQUIRE(machine.set_functions("0") == 0);
  CHECK(machine.store(kSriovPath + "/sriov_drivers_autoprobe", "x") == EINVAL);
  REQUIRE(machine.store(kSriovPath + "/sriov_drivers_autoprobe", "0") == 0);
  REQUIRE(machine.set_functions("1") == 0);
  CHECK(machine.names("class/mdev_bus").empty());
  CHECK(machine.store("bus/pci/drivers_probe", Ampere::function(0)) == 0);
  CHECK(machine.exists("class/mdev_bus/" + Ampere::function(0)));
}

TEST_CASE("a physical function goes with its virtual ones") {
  Ampere machine;
  REQUIRE(machine.store(kSriovPath + "/remove", "1") == 0);
  CHECK_FALSE(machine.exists(kSriovPath));
  CHECK_FALSE(machine.exists("bus/pci/devices/" + Ampere::function(0)));
  CHECK(machine.names("class/mdev_bus").empty());
}

TEST_CASE("the vendor's framework has no parents, and files in which a type is chosen") {
  Ampere machine(backends::Values{{"framework", "vendor"}});
  CHECK(machine.names("class/mdev_bus").empty());
  CHECK(machine.show(machine.vendor(0, "creatable_vgpu_types")) ==
        "ID    : vGPU Name\n222   : GRID T4-1B\n223   : GRID T4-2B\n");
  CHECK(machine.show(machine.vendor(0, "current_vgpu_type")) == "0\n");
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "1") == EINVAL);
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "x") == EINVAL);
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "223\n") == 0);
  CHECK(machine.show(machine.vendor(0, "current_vgpu_type")) == "223\n");
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "223") == EINVAL);  // it has one
  CHECK(machine.show(machine.vendor(1, "creatable_vgpu_types")) == "ID    : vGPU Name\n223   : GRID T4-2B\n");
  CHECK(machine.store(machine.vendor(1, "current_vgpu_type"), "223") == 0);
  CHECK(machine.show(machine.vendor(2, "creatable_vgpu_types")) == "ID    : vGPU Name\n");  // full
  CHECK(machine.exists("devices/pci0000:e2/" + Ampere::function(0) + "/vfio-dev"));
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "0") == 0);
  CHECK(machine.store(machine.vendor(0, "current_vgpu_type"), "0") == 0);
  CHECK(machine.show(machine.vendor(2, "creatable_vgpu_types")) == "ID    : vGPU Name\n223   : GRID T4-2B\n");
  REQUIRE(machine.store("bus/pci/drivers/nvidia/unbind", Ampere::function(1)) == 0);
  CHECK_FALSE(machine.exists(machine.vendor(1, "current_vgpu_type")));
  REQUIRE(machine.store("bus/pci/drivers/nvidia/bind", Ampere::function(1)) == 0);
  CHECK(machine.show(machine.vendor(1, "current_vgpu_type")) == "0\n");
}

namespace {

// What all devices take of a resource, by what their types are described to take.
struct Family {
  const char* name;
  std::shared_ptr<LoadedMachine> machine;
  std::vector<std::string> parents;
  std::vector<std::pair<std::string, unsigned>> types;  // and how much of the resource
  unsigned resource;
};

std::vector<Family> families() {
  std::vector<std::string> functions;
  for (unsigned n = 0; n < 16; ++n) functions.push_back(Ampere::function(n));
  const std::vector<std::pair<std::string, unsigned>> vgpus = {
      {"nvidia-222", 1024}, {"nvidia-223", 2048}, {"nvidia-229", 16384}};
  return {
      {"GVT-g",
       std::make_shared<Gvt>(backends::Values{{"aperture_size", "512"}}),
       {kIntel},
       {{"i915-GVTg_V5_4", 128}, {"i915-GVTg_V5_8", 64}},
       512 - 128},
      {"Turing", std::make_shared<Turing>(), {kGpu}, vgpus, 16384},
      {"mixed", std::make_shared<Turing>(backends::Values{{"homogeneous", "0"}}), {kGpu}, vgpus, 16384},
      {"Ampere", std::make_shared<Ampere>(), functions, vgpus, 4096},
      {"sim",
       std::make_shared<LoadedMachine>(
           "sim", backends::Values{{"counting", "pool"}, {"pool", "10"}, {"homogeneous", "1"}},
           LoadedMachine::Items{{"p", {}}}, LoadedMachine::Items{{"a", {}}, {"b", {{"weight", "3"}}}}),
       {"p"},
       {{"sim-a", 1}, {"sim-b", 3}},
       10},
  };
}

}  // namespace

TEST_CASE("whatever is created and removed, no resource is overdrawn, and in the end all is as it was") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (const Family& family : families()) {
    INFO(family.name << ", seed " << seed);
    LoadedMachine& machine = *family.machine;
    const auto counts = [&] {
      std::string text;
      for (const auto& parent : family.parents)
        for (const auto& [type, need] : family.types) text += machine.available(parent, type);
      return text;
    };
    const std::string start = counts();
    std::map<unsigned, std::pair<std::string, unsigned>> live;  // what, by UUID: its parent and what it takes
    unsigned used = 0;
    for (unsigned n = 1; n <= 300; ++n) {
      const auto& parent = family.parents[below(family.parents.size())];
      const auto& [type, need] = family.types[below(family.types.size())];
      if (below(3) != 0) {
        const int available = std::stoi(machine.available(parent, type));
        CHECK((machine.create(parent, type, n) == 0) == (available > 0));
        if (available > 0) {
          live[n] = {parent, need};
          used += need;
        }
      } else if (!live.empty()) {
        const auto gone = std::next(live.begin(), static_cast<std::ptrdiff_t>(below(live.size())));
        CHECK(machine.remove(gone->second.first, gone->first) == 0);
        used -= gone->second.second;
        live.erase(gone);
      }
      REQUIRE(used <= family.resource);
      for (const auto& [other, takes] : family.types)
        REQUIRE(used + static_cast<unsigned>(std::stoi(machine.available(parent, other))) * takes <=
                family.resource);
    }
    for (const auto& [n, device] : live) REQUIRE(machine.remove(device.first, n) == 0);
    CHECK(counts() == start);
  }
}
