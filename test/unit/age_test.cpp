// SPDX-License-Identifier: Apache-2.0
//
// The ages of the kernel: the table, and what each of its fields changes. Every test runs on the kernels on
// both sides of a border; at the end, all there is at once on every age against what must never be lost.
#include <random>
#include <set>
#include <thread>

#include "backends/backends.h"
#include "catch.h"
#include "loaded_machine.h"
#include "model/kernel_age.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::age_of;
using model::KernelVersion;

namespace {

constexpr KernelVersion kBefore514{5, 13};
constexpr KernelVersion kBefore52{5, 1};
constexpr KernelVersion kBefore418{4, 17};

// One of each epoch, and on both sides of the borders within them.
constexpr KernelVersion kKernels[] = {{4, 10}, {4, 17}, {4, 18}, {5, 1},    {5, 2}, {5, 10}, {5, 13}, {5, 14},
                                      {5, 18}, {5, 19}, {6, 0},  {6, 1, 0}, {6, 1}, {6, 12}, {7, 0},  {7, 3}};

KernelVersion before(KernelVersion version) {
  if (version.patch > 0) return {version.major, version.minor, version.patch - 1};
  if (version.minor > 0) return {version.major, version.minor - 1};
  return {version.major - 1, 99};
}

const std::string kDevices = "bus/mdev/devices";

struct Aged : Bench {
  explicit Aged(KernelVersion kernel, bool uses_vfio = false) : Bench(3, uses_vfio, kernel), events(core) {}
  std::string path(unsigned n) const { return kParent + "/" + uuid(n); }
  // The last lines of the log.
  std::string last_line() {
    const auto lines = core.log().lines();
    return lines.empty() ? "" : lines.back();
  }
  // The actions announced of a device, of vfio's group and device (`add G`, `add V`).
  std::string heard() {
    std::string text;
    for (const auto& line : events.take()) {
      const auto at = line.find('@');
      const bool group = line.find("/virtual/vfio/") != std::string::npos;
      const bool vfio = line.find("/vfio-dev/") != std::string::npos;
      text += (text.empty() ? "" : " ") + line.substr(0, at) + (group ? "-group" : vfio ? "-vfio" : "");
    }
    return text;
  }

  UeventLines events;
};

}  // namespace

TEST_CASE("versions of the kernel", "[age]") {
  CHECK(model::parse_kernel_version("6.12") == KernelVersion{6, 12});
  CHECK(model::parse_kernel_version("6.1.192") == KernelVersion{6, 1, 192});
  CHECK(model::parse_kernel_version("4.10").has_value());
  for (const auto* text :
       {"", "6", "6.", ".6", "6.1.", "6.1.2.3", "v6.1", "6.1-rc1", " 6.1", "6.1 ", "6.99999999999"})
    CHECK(model::parse_kernel_version(text).error() ==
          "'" + std::string(text) + "' is no version of the kernel, expected one as 6.12 or 6.1.192");
  CHECK(model::parse_kernel_version("4.9").error() ==
        "Linux 4.9 has no mediated devices, expected 4.10 or later");
  CHECK(to_string(KernelVersion{6, 1}) == "6.1");
  CHECK(to_string(KernelVersion{6, 1, 0}) == "6.1.0");
}

TEST_CASE("each difference begins with the first kernel that it names", "[age]") {
  for (const model::Difference& difference : model::differences()) {
    const auto first = difference.kernels[0].from;
    CAPTURE(difference.field, to_string(first));
    CHECK(difference.applies_to(first));
    CHECK_FALSE(difference.applies_to(before(first)));
    CHECK_FALSE(difference.after.empty());
    CHECK_FALSE(difference.cause.empty());
    CHECK(difference.field.empty() == (difference.set == nullptr));
    if (difference.set == nullptr) continue;
    CHECK(age_of(first) != age_of(before(first)));
    auto age = age_of(before(first));
    difference.set(age);
    CHECK(age != age_of(before(first)));
  }
}

TEST_CASE("the epochs follow one another, and nothing is before the first or behind the last", "[age]") {
  const auto epochs = model::epochs();
  CHECK(epochs.front().kernels.from == model::kFirstKernel);
  for (std::size_t i = 1; i < epochs.size(); ++i) {
    CHECK(epochs[i].kernels.from == epochs[i - 1].kernels.before);
    CHECK(age_of(epochs[i].kernels.from) != age_of(epochs[i - 1].kernels.from));
  }
  CHECK(age_of({8, 5}) == age_of({7, 3}));
}

TEST_CASE("a version of two numbers has what stable updates brought", "[age]") {
  CHECK(age_of({6, 1}).uevent_waits);
  CHECK(age_of({6, 1, 192}).uevent_waits);
  CHECK_FALSE(age_of({6, 1, 0}).uevent_waits);
  CHECK_FALSE(age_of({6, 2, 0}).uevent_waits);
  CHECK(age_of({6, 10}).uevent_waits);
  CHECK_FALSE(age_of({6, 12}).uevent_waits);
  CHECK(age_of({5, 10}).uevent_waits);
}

TEST_CASE("driver_call: what is seen while the driver is asked, and told", "[age]") {
  struct Case {
    KernelVersion kernel;
    std::string at_create, heard_then, heard_of_create, at_remove, heard_of_remove;
  };
  const std::string whole = "driver iommu_group mdev_type power subsystem uevent vendor";
  for (const auto& [kernel, at_create, heard_then, heard_of_create, at_remove, heard_of_remove] :
       {Case{kBefore52, "driver iommu_group power subsystem uevent", "add add-group bind", "", whole, ""},
        Case{kBefore514, "ENOENT", "", "add add-group bind", "ENOENT", "remove-group unbind remove"},
        Case{{5, 16}, "driver power subsystem uevent", "add", "add-group bind", "", "remove-group"},
        Case{{6, 12},
             "driver power remove subsystem uevent",
             "add",
             "add-group add-vfio bind",
             "",
             "remove-vfio remove-group"}}) {
    CAPTURE(to_string(kernel));
    Aged bench(kernel, true);
    const auto sorted_names = [&] {
      if (!bench.exists(bench.path(1))) return std::string("ENOENT");
      std::istringstream names(bench.names(bench.path(1)));
      std::set<std::string> sorted;
      for (std::string name; names >> name;) sorted.insert(name);
      std::string text;
      for (const auto& name : sorted) text += (text.empty() ? "" : " ") + name;
      return text;
    };
    bench.driver->at_probe.close();
    int created = -1;
    std::thread creator([&] { created = bench.create(uuid(1)); });
    REQUIRE(bench.driver->at_probe.wait_for(1));
    CHECK(sorted_names() == at_create);
    CHECK(bench.heard() == heard_then);
    bench.driver->at_probe.open();
    creator.join();
    CHECK(created == 0);
    CHECK(bench.heard() == heard_of_create);
    bench.driver->at_remove.close();
    int removed = -1;
    std::thread remover([&] { removed = bench.remove(uuid(1)); });
    REQUIRE(bench.driver->at_remove.wait_for(1));
    CHECK(sorted_names() == at_remove);
    CHECK(bench.heard() == heard_of_remove);
    bench.driver->at_remove.open();
    remover.join();
    CHECK(removed == 0);
    CHECK_FALSE(bench.exists(bench.path(1)));
  }
}

TEST_CASE("driver_call: what is heard of a refusal", "[age]") {
  struct Case {
    KernelVersion kernel;
    std::string heard;
  };
  for (const auto& [kernel, heard] :
       {Case{kBefore52, "add add-group bind remove-group unbind remove"}, Case{kBefore514, ""},
        Case{{5, 14}, "add remove"}, Case{{6, 12}, "add remove"}}) {
    CAPTURE(to_string(kernel));
    Aged bench(kernel);
    bench.driver->probe_errno = EIO;
    CHECK(bench.create(uuid(1)) == EIO);
    CHECK(bench.heard() == heard);
    CHECK(bench.available() == "3\n");
    bench.driver->probe_errno = 0;
    CHECK(bench.create(uuid(1)) == 0);
  }
}

TEST_CASE("remove_with_device: a remove while the device is being created", "[age]") {
  for (const KernelVersion kernel : {KernelVersion{5, 18}, KernelVersion{5, 19}}) {
    CAPTURE(to_string(kernel));
    Aged bench(kernel);
    bench.driver->at_probe.close();
    std::thread creator([&] { bench.create(uuid(1)); });
    REQUIRE(bench.driver->at_probe.wait_for(1));
    CHECK(bench.remove(uuid(1)) == (kernel == KernelVersion{5, 18} ? ENOENT : EAGAIN));
    bench.driver->at_probe.open();
    creator.join();
    CHECK(bench.exists(bench.path(1) + "/remove") == (kernel == KernelVersion{5, 18}));
  }
}

TEST_CASE("driver_may_refuse_remove, refusal_keeps_device, remove_comes_back", "[age]") {
  const std::string knobs = "kernel/debug/mdevfs/slow/fail_remove/";
  const auto refuse = [&](Aged& bench, const char* probability) {
    bench.store(knobs + "times", "-1");
    bench.store(knobs + "probability", probability);
  };
  SECTION("EBUSY, and the device is whole; a new file, and the old one's descriptors stay dead") {
    for (const KernelVersion kernel : {KernelVersion{4, 10}, kBefore52}) {
      Aged bench(kernel);
      REQUIRE(bench.create(uuid(1)) == 0);
      const auto held = bench.find(bench.path(1) + "/remove");
      const auto generation = held.object->gate(held.entry->part).generation();
      refuse(bench, "100");
      bench.events.take();
      CHECK(bench.remove(uuid(1)) == EBUSY);
      CHECK(bench.heard().empty());
      CHECK_FALSE(held.object->gate(held.entry->part).try_enter(generation));
      CHECK(bench.remove(uuid(1)) == EBUSY);
      CHECK(bench.exists(bench.path(1) + "/remove"));
      CHECK(bench.available() == "2\n");
      refuse(bench, "0");
      CHECK(bench.remove(uuid(1)) == 0);
      CHECK(bench.available() == "3\n");
    }
  }
  SECTION("an unregistration is not refused") {
    for (const KernelVersion kernel : {kBefore52, kBefore514}) {
      Aged bench(kernel);
      REQUIRE(bench.create(uuid(1)) == 0);
      refuse(bench, "100");
      bench.core.unregister_parent(*bench.parent);
      CHECK(bench.core.device_count() == 0);
      CHECK_FALSE(bench.exists(bench.path(1)));
    }
  }
  SECTION("not heard, and logged; the place is lost") {
    Aged bench(kBefore514);
    REQUIRE(bench.create(uuid(1)) == 0);
    refuse(bench, "100");
    CHECK(bench.remove(uuid(1)) == 0);
    CHECK_FALSE(bench.exists(bench.path(1)));
    CHECK(bench.last_line() == "<3> mdev " + uuid(1) + ": Remove failed: err=-5");
    CHECK(bench.available() == "2\n");
  }
  SECTION("no such thing") {
    Aged bench({5, 14});
    CHECK_FALSE(bench.exists("kernel/debug/mdevfs/slow/fail_remove"));
    CHECK(bench.exists("kernel/debug/mdevfs/slow/fail_probe"));
  }
}

TEST_CASE("one_at_a_time, sysfs_finds_duplicates, transition_errno", "[age]") {
  for (const KernelVersion kernel : {kBefore418, KernelVersion{4, 18}}) {
    const bool old = kernel == kBefore418;
    CAPTURE(to_string(kernel));
    Aged bench(kernel);
    auto other_device = *bench.core.add_parent_device(*bench.module, bench.device_class, "other");
    auto other = *bench.core.register_parent(other_device, bench.driver, {{"a", ""}});
    const std::string other_create = "devices/virtual/slow/other/mdev_supported_types/slow-a/create";
    REQUIRE(bench.create(uuid(1)) == 0);
    bench.events.take();
    CHECK(bench.create(uuid(1)) == EEXIST);
    CHECK(bench.heard().empty());
    CHECK(bench.store(other_create, uuid(1)) == EEXIST);
    CHECK(bench.heard() == (old ? "remove" : ""));
    CHECK((bench.last_line() == "<4> (stack trace)") == old);

    const auto held = bench.find(bench.path(1) + "/remove");
    bench.driver->at_remove.close();
    std::thread remover([&] { CHECK(bench.store(held, "1") == 0); });
    REQUIRE(bench.driver->at_remove.wait_for(1));
    CHECK(bench.core.remove(static_cast<model::Device&>(*held.object)).error().value ==
          (old ? ENODEV : EAGAIN));
    // Of another parent all goes on.
    CHECK(bench.store(other_create, uuid(2)) == 0);
    int again = -1;
    std::thread creator([&] { again = bench.create(uuid(1)); });
    if (!old) creator.join();
    CHECK(again == (old ? -1 : EEXIST));
    bench.driver->at_remove.open();
    remover.join();
    if (old) creator.join();
    CHECK(again == (old ? 0 : EEXIST));
  }
}

TEST_CASE("vfio_mdev_binds: bind, unbind, drivers_probe, drivers_autoprobe", "[age]") {
  Aged bench(kBefore514);
  const std::string bind = "bus/mdev/drivers/vfio_mdev/bind";
  const std::string unbind = "bus/mdev/drivers/vfio_mdev/unbind";
  CHECK(bench.names("bus/mdev/drivers") == "vfio_mdev");
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(bench.show(bench.path(1) + "/uevent") == "DRIVER=vfio_mdev\n");
  CHECK(bench.exists(bench.path(1) + "/iommu_group"));
  CHECK(bench.store(unbind, uuid(1)) == 0);
  CHECK(bench.driver->removes == 0);
  CHECK_FALSE(bench.exists(bench.path(1) + "/driver"));
  CHECK(bench.exists(bench.path(1) + "/vendor"));
  CHECK(bench.available() == "2\n");
  CHECK(bench.store(unbind, uuid(1)) == ENODEV);
  CHECK(bench.store(bind, "bogus") == ENODEV);
  CHECK(bench.store(bind, uuid(1) + "\n") == 0);
  CHECK(bench.store(bind, uuid(1)) == ENODEV);
  CHECK(bench.show("kernel/iommu_groups/0/reserved_regions").empty());
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(1)) == 0);
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(9)) == ENODEV);
  CHECK(bench.store("bus/mdev/drivers_autoprobe", "0") == 0);
  CHECK(bench.create(uuid(2)) == 0);
  CHECK_FALSE(bench.exists(bench.path(2) + "/driver"));
  CHECK(bench.store("bus/mdev/drivers_probe", uuid(2)) == 0);
  CHECK(bench.exists(bench.path(2) + "/driver"));
  CHECK(bench.core.unload_vfio_mdev().has_value());
  CHECK_FALSE(bench.exists(bench.path(1) + "/driver"));
  CHECK(bench.names("bus/mdev/drivers").empty());
  CHECK(bench.store("bus/mdev/drivers_autoprobe", "1") == 0);
  CHECK(bench.core.load_vfio_mdev().has_value());
  CHECK(bench.exists(bench.path(1) + "/driver"));
  CHECK(bench.store(unbind, uuid(1)) == 0);  // the files of a driver that has come back work
  CHECK(bench.remove(uuid(1)) == 0);
  CHECK(bench.remove(uuid(2)) == 0);
  CHECK(bench.names("kernel/iommu_groups").empty());

  Aged later({5, 14});
  CHECK(later.names("bus/mdev/drivers") == "slow vfio_mdev");
  REQUIRE(later.create(uuid(1)) == 0);
  CHECK(later.store("bus/mdev/drivers/slow/unbind", uuid(1)) == 0);
  CHECK(later.driver->removes == 1);
  CHECK_FALSE(later.exists(later.path(1) + "/vendor"));
  CHECK(later.available() == "3\n");
  for (const auto* driver : {"slow", "vfio_mdev"})
    CHECK(later.store("bus/mdev/drivers/" + std::string(driver) + "/bind", uuid(1)) == ENODEV);
  CHECK(Aged({5, 19}).names("bus/mdev/drivers") == "slow");
}

TEST_CASE("core_counts, core_names_types, second_registration_errno", "[age]") {
  for (const KernelVersion kernel : {KernelVersion{5, 10}, KernelVersion{6, 0}, KernelVersion{6, 1}}) {
    const bool core = kernel == KernelVersion{6, 1};
    CAPTURE(to_string(kernel));
    Aged bench(kernel);
    for (unsigned n = 1; n <= 3; ++n) REQUIRE(bench.create(uuid(n)) == 0);
    CHECK(bench.create(uuid(1)) == EEXIST);
    CHECK(bench.create(uuid(4)) == (core ? EUSERS : ENOSPC));
    CHECK(bench.available() == "0\n");
    CHECK(bench.exists(Bench::kParent + "/mdev_supported_types/slow-a/name"));
    CHECK(bench.exists(Bench::kParent + "/mdev_supported_types/slow-b/name") == core);
    CHECK(bench.core.register_parent(bench.device, bench.driver, {{"a", ""}}).error().value ==
          (core ? ENOMEM : EEXIST));
  }
}

TEST_CASE("length_from_driver, raw_deferral", "[age]") {
  for (const KernelVersion kernel : {kBefore514, KernelVersion{5, 14}}) {
    const bool old = kernel == kBefore514;
    Aged bench(kernel);
    bench.driver->probe_errno = -5;
    CHECK(bench.create(uuid(1)) == (old ? -5 : 5));
    bench.driver->probe_errno = 517;
    CHECK(bench.create(uuid(1)) == (old ? 517 : EAGAIN));
    CHECK(bench.core.device_count() == 0);
  }
}

TEST_CASE("class/mdev_bus comes with mdev or with the first parent, and stays", "[age]") {
  for (const auto& [kernel, from_load] :
       {std::pair{KernelVersion{5, 10}, false}, std::pair{KernelVersion{6, 1, 0}, false},
        std::pair{KernelVersion{6, 1}, true}, std::pair{KernelVersion{6, 5}, true}}) {
    CAPTURE(to_string(kernel));
    CHECK(Machine(kernel).exists("class/mdev_bus") == from_load);
    Bench bench(3, false, kernel);
    CHECK(bench.exists("class/mdev_bus/slow"));
    bench.core.unload_module(*bench.module);
    CHECK(bench.exists("class/mdev_bus"));
    CHECK(bench.names("class/mdev_bus").empty());
  }
}

TEST_CASE("what vfio and the iommu core show", "[age]") {
  struct Case {
    KernelVersion kernel;
    std::string group;
    unsigned mode;
    bool devices;
    std::string line;
  };
  for (const auto& [kernel, group, mode, devices, line] :
       {Case{{5, 10},
             "devices reserved_regions type",
             0444,
             false,
             "vfio_mdev " + uuid(1) + ": MDEV: group_id = 0"},
        Case{{5, 13},
             "devices reserved_regions type",
             0644,
             false,
             "vfio_mdev " + uuid(1) + ": MDEV: group_id = 0"},
        Case{{5, 16},
             "devices name reserved_regions type",
             0644,
             false,
             "slow " + uuid(1) + ": Adding to iommu group 0"},
        Case{{6, 1},
             "devices name reserved_regions type",
             0644,
             true,
             "slow " + uuid(1) + ": Adding to iommu group 0"}}) {
    CAPTURE(to_string(kernel));
    Aged bench(kernel, true);
    REQUIRE(bench.create(uuid(1)) == 0);
    std::istringstream names(bench.names("kernel/iommu_groups/0"));
    std::set<std::string> sorted;
    for (std::string name; names >> name;) sorted.insert(name);
    std::string text;
    for (const auto& name : sorted) text += (text.empty() ? "" : " ") + name;
    CHECK(text == group);
    CHECK(bench.core.tree().stat(bench.find("kernel/iommu_groups/0/type")).mode == mode);
    CHECK(bench.exists(bench.path(1) + "/vfio-dev/vfio0") == devices);
    CHECK(bench.exists("class/vfio-dev") == devices);
    CHECK(bench.last_line() == "<6> " + line);
  }
}

TEST_CASE("vfio_device_goes_first: a device that is removed while it is in use", "[age]") {
  for (const KernelVersion kernel : {KernelVersion{6, 5}, KernelVersion{6, 6}}) {
    Aged bench(kernel, true);
    REQUIRE(bench.create(uuid(1)) == 0);
    const auto node = bench.find(bench.path(1));
    auto& device = static_cast<model::Device&>(*node.object);
    REQUIRE(bench.core.vfio_open(device).has_value());
    std::thread remover([&] { CHECK(bench.remove(uuid(1)) == 0); });
    while (!bench.core.vfio_asked_back(device)) std::this_thread::yield();
    CHECK(bench.exists(bench.path(1) + "/iommu_group"));
    CHECK(bench.exists(bench.path(1) + "/vfio-dev") == (kernel == KernelVersion{6, 5}));
    bench.core.vfio_close(device);
    remover.join();
  }
}

TEST_CASE("uevents of parents, of binding, and those asked for", "[age]") {
  const auto of_life = [](KernelVersion kernel) {
    Aged bench(kernel);
    bench.create(uuid(1));
    bench.core.unregister_parent(*bench.parent);
    return bench.heard();
  };
  CHECK(of_life({4, 13}) == "add add-group remove-group remove");
  CHECK(of_life({4, 14}) == "add add-group bind remove-group unbind remove");
  CHECK(of_life({5, 2}) == "add add-group bind remove-group unbind remove");
  CHECK(of_life({5, 3}) == "add add-group bind remove-group unbind remove change");

  const auto asked = [](KernelVersion kernel, const std::string& text) {
    Aged bench(kernel);
    const int error = bench.store(Bench::kParent + "/uevent", text);
    const auto lines = bench.events.take();
    return std::pair{error, lines.empty() ? std::string() : lines.back()};
  };
  const std::string at = "@/devices/virtual/slow/slow slow";
  CHECK(asked({4, 12}, "add") == std::pair{0, "add" + at});
  CHECK(asked({4, 13}, "add") == std::pair{0, "add" + at + " SYNTH_UUID=0"});
  CHECK(asked({4, 12}, "add " + uuid(1)) == std::pair{0, std::string()});
  CHECK(asked({4, 13}, "add " + uuid(1)) == std::pair{0, "add" + at + " SYNTH_UUID=" + uuid(1)});
  CHECK(asked({4, 13}, "bind") == std::pair{0, std::string()});
  CHECK(asked({4, 14}, "bind") == std::pair{0, "bind" + at + " SYNTH_UUID=0"});
  CHECK(asked({4, 20}, "bogus") == std::pair{0, std::string()});
  CHECK(asked({5, 0}, "bogus") == std::pair{EINVAL, std::string()});
}

TEST_CASE("uevent_waits: reading uevent while a device is being bound", "[age]") {
  for (const KernelVersion kernel : {KernelVersion{6, 1}, KernelVersion{6, 12}}) {
    Aged bench(kernel);
    bench.driver->at_probe.close();
    std::thread creator([&] { bench.create(uuid(1)); });
    REQUIRE(bench.driver->at_probe.wait_for(1));
    std::atomic<bool> read = false;
    std::thread reader([&] {
      CHECK(bench.show(bench.path(1) + "/uevent") == "DRIVER=slow\n");
      read = true;
    });
    if (kernel == KernelVersion{6, 12}) reader.join();
    CHECK(read == (kernel == KernelVersion{6, 12}));
    bench.driver->at_probe.open();
    creator.join();
    if (reader.joinable()) reader.join();
  }
}

TEST_CASE("the log; links and times of sysfs", "[age]") {
  const auto failed = [](KernelVersion kernel) {
    Aged bench(kernel);
    bench.driver->probe_errno = EIO;
    bench.create(uuid(1));
    return bench.last_line();
  };
  CHECK(failed({6, 1}) == "<4> slow: probe of " + uuid(1) + " failed with error -5");
  CHECK(failed({6, 12}) == "<3> slow " + uuid(1) + ": probe with driver slow failed with error -5");

  const auto of_bad_uevent = [](KernelVersion kernel) {
    Aged bench(kernel);
    bench.create(uuid(1));
    bench.store(bench.path(1) + "/uevent", "bogus");
    return bench.last_line();
  };
  const std::string failed_uevent = "<3> slow " + uuid(1) + ": uevent: failed to send synthetic uevent";
  CHECK(of_bad_uevent({6, 0}) == failed_uevent);
  CHECK(of_bad_uevent({6, 1}) == failed_uevent + ": -22");

  const auto of_registration = [](KernelVersion kernel) {
    const auto lines = Aged(kernel).core.log().lines();
    return std::ranges::count_if(
        lines, [](const auto& line) { return line.ends_with(": Driver cannot be asked to release device"); });
  };
  CHECK(of_registration({5, 10}) == 0);
  CHECK(of_registration({5, 11}) == 1);
  CHECK(of_registration({5, 14}) == 1);
  CHECK(of_registration({5, 15}) == 0);

  for (const KernelVersion kernel : {KernelVersion{7, 0}, KernelVersion{7, 1}}) {
    Aged bench(kernel);
    bench.create(uuid(1));
    const auto directory = bench.find(bench.path(1));
    const auto file = bench.find(bench.path(1) + "/uevent");
    CHECK(bench.core.tree().stat(directory).nlink == 4);
    bench.remove(uuid(1));
    const bool old = kernel == KernelVersion{7, 0};
    CHECK(bench.core.tree().stat(directory).nlink == (old ? 2 : 0));
    CHECK(bench.core.tree().stat(file).nlink == (old ? 1 : 0));
  }

  const auto xattrs = [](KernelVersion kernel) {
    Aged bench(kernel);
    const auto node = bench.find(Bench::kParent);
    for (const auto* name : {"trusted.b", "trusted.a", "trusted.c"})
      REQUIRE(bench.core.tree().set_xattr(node, name, "x", 0).has_value());
    return bench.core.tree().list_xattrs(node);
  };
  CHECK(xattrs({6, 1}) == std::vector<std::string>{"trusted.c", "trusted.a", "trusted.b"});
  CHECK(xattrs({6, 2}) == std::vector<std::string>{"trusted.c", "trusted.b", "trusted.a"});

  for (const KernelVersion kernel : {KernelVersion{6, 1}, KernelVersion{6, 12}}) {
    Aged bench(kernel);
    const auto node = bench.find(Bench::kParent + "/uevent");
    const auto first = bench.core.tree().stat(node).atime;
    bench.core.tree().note_read(node);
    const auto second = bench.core.tree().stat(node).atime;
    CHECK((first.tv_sec == second.tv_sec && first.tv_nsec == second.tv_nsec) ==
          (kernel == KernelVersion{6, 12}));
  }
}

TEST_CASE("the samples as they were", "[age]") {
  struct Sample : Machine {
    Sample(KernelVersion kernel, const std::string& name, backends::Values values = {}) : Machine(kernel) {
      loaded = backends::find(name)->load(core, {.name = name, .values = std::move(values)}).value();
      types = "devices/virtual/" + name + "/" + name + "/mdev_supported_types/";
    }
    ~Sample() { loaded->unload(core); }
    int create(const std::string& type, unsigned n) { return store(types + type + "/create", uuid(n)); }
    std::string available(const std::string& type) { return show(types + type + "/available_instances"); }
    std::shared_ptr<backends::Loaded> loaded;
    std::string types;
  };
  for (const KernelVersion kernel : {kBefore514, KernelVersion{5, 14}}) {
    const bool old = kernel == kBefore514;
    Sample mtty(kernel, "mtty");
    for (unsigned n = 1; n <= 24; ++n) REQUIRE(mtty.create("mtty-1", n) == 0);
    CHECK(mtty.create("mtty-1", 25) == (old ? 0 : ENOSPC));
    CHECK(mtty.available("mtty-1") == (old ? "-1\n" : "0\n"));
  }
  CHECK(Sample({5, 18}, "mtty").show("devices/virtual/mtty/mtty/mtty_dev/sample_mtty_dev") ==
        "This is phy device\n");
  CHECK_FALSE(Sample({5, 19}, "mtty").exists("devices/virtual/mtty/mtty/mtty_dev"));
  CHECK(Sample({6, 0}, "mdpy", {{"count", "0"}}).create("mdpy-vga", 1) == ENOMEM);
  CHECK(Sample({6, 1}, "mdpy", {{"count", "0"}}).create("mdpy-vga", 1) == EUSERS);
  CHECK(Sample({6, 0}, "mdpy", {{"count", "-1"}}).available("mdpy-vga") == "-1\n");
  CHECK(Sample({6, 1}, "mdpy", {{"count", "-1"}}).available("mdpy-vga") == "4294967295\n");
  CHECK(Sample({5, 14}, "mbochs", {{"count", "0"}}).create("mbochs-small", 1) == ENOMEM);
  CHECK(Sample({5, 15}, "mbochs", {{"count", "0"}}).create("mbochs-small", 1) == ENOSPC);
  CHECK(Sample({7, 2}, "mbochs").show("module/mbochs/import_ns") == "ENOENT");
  CHECK(Sample({7, 3}, "mbochs").show("module/mbochs/import_ns") == "DMA_BUF\n");
  const auto line = [](KernelVersion kernel) {
    Sample mdpy(kernel, "mdpy");
    mdpy.create("mdpy-vga", 1);
    for (const auto& printed : mdpy.core.log().lines()) {
      const auto at = printed.find("mdpy_");
      if (printed.find("(640x480)") != std::string::npos)
        return printed.substr(at, printed.find(':', at) - at);
    }
    return std::string();
  };
  CHECK(line({5, 13}) == "mdpy_create");
  CHECK(line({5, 14}) == "mdpy_probe");
  CHECK(line({6, 1}) == "mdpy_init_dev");
}

namespace {

// Creates, removes, binds, unbinds and refuses at random, and looks, on two parents.
void live(Bench& bench, const std::string& other, unsigned seed) {
  std::minstd_rand random(seed);
  const auto pick = [&](unsigned count) { return static_cast<unsigned>(random() % count); };
  const std::string knobs = "kernel/debug/mdevfs/slow/";
  for (int i = 0; i < 300; ++i) {
    const auto name = uuid(1 + pick(6));
    const std::string parent = pick(2) == 0 ? Bench::kParent : other;
    switch (pick(9)) {
      case 0:
      case 1:
      case 2:
        bench.store(parent + "/mdev_supported_types/slow-a/create", name);
        break;
      case 3:
      case 4:
        bench.store(parent + "/" + name + "/remove", "1");
        break;
      case 5:
        for (const auto* driver : {"slow", "vfio_mdev"})
          bench.store("bus/mdev/drivers/" + std::string(driver) + (pick(2) == 0 ? "/bind" : "/unbind"), name);
        break;
      case 6:
        bench.store("bus/mdev/drivers_probe", name);
        bench.store("bus/mdev/drivers_autoprobe", pick(2) == 0 ? "0" : "1");
        break;
      case 7:
        bench.store(knobs + "fail_probe/probability", pick(2) == 0 ? "0" : "30");
        if (bench.core.age().refusal_keeps_device)
          bench.store(knobs + "fail_remove/probability", pick(2) == 0 ? "0" : "30");
        break;
      default:
        if (!bench.exists(parent + "/" + name)) break;
        bench.names(parent + "/" + name);
    }
  }
}

}  // namespace

TEST_CASE("on every age nothing is lost and nothing is left", "[age]") {
  for (const KernelVersion kernel : kKernels) {
    CAPTURE(to_string(kernel));
    constexpr unsigned kPlaces = 4;
    Bench bench(kPlaces, true, kernel);
    auto device = *bench.core.add_parent_device(*bench.module, bench.device_class, "other");
    auto parent = *bench.core.register_parent(device, bench.driver, {{"a", ""}});
    for (const auto* call : {"fail_probe", "fail_remove"})
      bench.store("kernel/debug/mdevfs/slow/" + std::string(call) + "/times", "-1");
    const std::string other = "devices/virtual/slow/other";
    {
      std::vector<std::jthread> clients;
      for (unsigned seed = 1; seed <= 4; ++seed)
        clients.emplace_back([&, seed] { live(bench, other, seed * (kernel.major * 100 + kernel.minor)); });
    }
    for (const auto* call : {"fail_probe", "fail_remove"})
      bench.store("kernel/debug/mdevfs/slow/" + std::string(call) + "/probability", "0");
    // Every place is free or a device's, and all devices that can go do.
    const auto devices_of = [&](const std::string& in) {
      std::istringstream names(bench.names(in));
      std::vector<std::string> found;
      for (std::string name; names >> name;) {
        if (name.size() == 36) found.push_back(name);
      }
      return found;
    };
    std::size_t stay = 0;
    for (const auto& in : {Bench::kParent, other}) {
      for (const auto& name : devices_of(in)) {
        const bool removable = bench.exists(in + "/" + name + "/remove");
        if (removable) CHECK(bench.store(in + "/" + name + "/remove", "1") == 0);
        stay += removable ? 0 : 1;
      }
    }
    CHECK(bench.core.device_count() == stay);
    CHECK(stay == devices_of(kDevices).size());
    for (const auto& in : {Bench::kParent, other}) {
      CAPTURE(in);
      // Of a driver that counts itself, an unbound device has no place.
      const auto& age = bench.core.age();
      const auto held = std::ranges::count_if(devices_of(in), [&](const auto& name) {
        return age.core_counts || age.vfio_mdev_binds || bench.exists(in + "/" + name + "/driver");
      });
      CHECK(bench.show(in + "/mdev_supported_types/slow-a/available_instances") ==
            std::to_string(kPlaces - held) + "\n");
    }
    bench.core.unregister_parent(*parent);
    bench.core.unregister_parent(*bench.parent);
    CHECK(bench.core.device_count() == 0);
    CHECK(bench.driver->probes >= bench.driver->removes);
    for (const auto* empty : {"bus/mdev/devices", "kernel/iommu_groups", "class/mdev_bus", "class/vfio",
                              "kernel/debug/mdevfs/vfio"})
      CHECK(bench.names(empty).empty());
    CHECK(devices_of(Bench::kParent).empty());
    CHECK(devices_of(other).empty());
    // Fresh, and the UUIDs are free.
    bench.register_parent();
    CHECK(bench.available() == std::to_string(kPlaces) + "\n");
    CHECK(bench.create(uuid(1)) == 0);
  }
}
