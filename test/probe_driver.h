// SPDX-License-Identifier: Apache-2.0
//
// A driver for tests whose probe and remove stand still until the test lets them go on, and fail as it says.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "backends/sample.h"
#include "model/core.h"
#include "turnstile.h"

namespace mdevfs::test {

inline model::DriverInfo probe_driver_info(unsigned max_instances, bool uses_vfio) {
  return {.name = "slow",
          .device_api = "slow-api",
          .uses_vfio = uses_vfio,
          .max_instances = max_instances,
          .groups = {
              {"vendor", {{.name = "vendor_attr", .show = [](model::Device&) -> model::Result<std::string> {
                             return "slow vendor\n";
                           }}}}}};
}

// Thread-safety: as Driver.
class ProbeDriver final : public model::Driver {
 public:
  ProbeDriver(model::Core& owner, std::shared_ptr<model::Module> owner_module, unsigned max_instances,
              bool uses_vfio)
      : Driver(owner, std::move(owner_module), probe_driver_info(max_instances, uses_vfio)) {}

  model::Result<void> probe(model::Device&) override {
    ++probes;
    at_probe.pass();
    if (const int error = probe_errno; error != 0) return model::fail(error);
    return {};
  }
  void remove(model::Device&) noexcept override {
    ++removes;
    at_remove.pass();
  }

  Turnstile at_probe;
  Turnstile at_remove;
  std::atomic<int> probe_errno{0};
  std::atomic<int> probes{0};
  std::atomic<int> removes{0};
};

// A core, and its files by path.
struct Machine {
  explicit Machine(model::KernelVersion kernel = model::kDefaultKernel)
      : core({}, model::Core::Boot::all, kernel) {}

  // As the files do it: by path, with the text as written.
  model::HeldNode find(const std::string& path) {
    auto node = core.tree().resolve(1);
    for (std::size_t from = 0; from < path.size();) {
      const auto to = std::min(path.find('/', from), path.size());
      auto next = core.tree().lookup(node, path.substr(from, to - from));
      if (!next) return {};
      node = *next;
      from = to + 1;
    }
    return node;
  }
  bool exists(const std::string& path) { return find(path).object != nullptr; }
  std::string names(const std::string& path) {
    std::string names;
    core.tree().list(find(path), 2, [&](const model::DirectoryEntry& entry) {
      names += (names.empty() ? "" : " ") + entry.name;
      return true;
    });
    return names;
  }
  // 0 or the errno, as of a descriptor that was opened already.
  static int store(const model::HeldNode& node, std::string_view text) {
    if (!node.object) return ENOENT;
    model::Gate& gate = node.object->gate(node.entry->part);
    if (!gate.try_enter()) return ENODEV;
    const auto stored = node.entry->store(*node.object, node.slot, text);
    gate.leave();
    return stored ? 0 : stored.error().value;
  }
  int store(const std::string& path, std::string_view text) { return store(find(path), text); }
  std::string show(const std::string& path) {
    const auto node = find(path);
    if (!node.object) return "ENOENT";
    const auto text = node.entry->show(*node.object, node.slot);
    return text ? *text : "errno " + std::to_string(text.error().value);
  }
  // 0 or the errno of mkdir and rmdir.
  int make_directory(const std::string& path) { return in_directory(path, &model::Entry::make_directory); }
  int remove_directory(const std::string& path) {
    return in_directory(path, &model::Entry::remove_directory);
  }

  model::Core core;

 private:
  template <typename Member>
  int in_directory(const std::string& path, Member member) {
    const auto slash = path.rfind('/');
    const auto directory = find(path.substr(0, slash));
    if (!directory.object) return ENOENT;
    if (directory.entry->*member == nullptr) return EPERM;
    const auto done = (directory.entry->*member)(*directory.object, path.substr(slash + 1));
    return done ? 0 : done.error().value;
  }
};

// A core with one parent of a ProbeDriver: class `slow`, parent `slow`, types slow-a and slow-b.
struct Bench : Machine {
  explicit Bench(unsigned max_instances = 3, bool uses_vfio = false,
                 model::KernelVersion kernel = model::kDefaultKernel)
      : Machine(kernel) {
    module = *core.load_module({.name = "slowmdev"});
    driver = core.make<ProbeDriver>(module, max_instances, uses_vfio);
    core.add_driver(driver).value();
    device_class = core.add_class(*module, "slow").value();
    device = *core.add_parent_device(*module, device_class, "slow");
    register_parent();
  }
  void register_parent() { parent = *core.register_parent(device, driver, {{"a", "Slow A"}, {"b", ""}}); }

  int create(const std::string& uuid, const std::string& type = "slow-a") {
    return store(kParent + "/mdev_supported_types/" + type + "/create", uuid);
  }
  int remove(const std::string& uuid) { return store(kParent + "/" + uuid + "/remove", "1"); }
  std::string available() { return show(kParent + "/mdev_supported_types/slow-a/available_instances"); }

  static inline const std::string kParent = "devices/virtual/slow/slow";
  std::shared_ptr<model::Module> module;
  std::shared_ptr<ProbeDriver> driver;
  std::shared_ptr<model::DeviceClass> device_class;
  std::shared_ptr<model::HostDevice> device;
  std::shared_ptr<model::Parent> parent;
};

inline std::string uuid(unsigned n) {
  char text[37];
  std::snprintf(text, sizeof text, "%08x-0000-4000-8000-%012u", n * 0x9e3779b1U, n);
  return text;
}

}  // namespace mdevfs::test
