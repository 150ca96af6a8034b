// SPDX-License-Identifier: Apache-2.0
//
// A machine with the parents of one backend, described as a machine file would.
#pragma once

#include <string>
#include <vector>

#include "backends/backends.h"
#include "catch.h"
#include "probe_driver.h"
#include "uevent_lines.h"

namespace mdevfs::test {

struct LoadedMachine : Machine {
  using Items = std::vector<std::pair<std::string, backends::Values>>;

  LoadedMachine(const std::string& backend, backends::Values values, Items parents, Items types) {
    settings.name = backend;
    settings.values = std::move(values);
    settings.items["parents"] = std::move(parents);
    settings.items["types"] = std::move(types);
    load();
  }
  ~LoadedMachine() {
    if (loaded) loaded->unload(core);
  }
  void load() { loaded = backends::find(settings.name)->load(core, settings).value(); }
  void unload() {
    loaded->unload(core);
    loaded.reset();
  }

  // Where a name of class/mdev_bus or bus/pci/devices points to, without the way up.
  std::string target(const std::string& link) {
    const auto node = find(link);
    if (!node.object) return "ENOENT";
    const std::string text = core.tree().readlink(node).value_or("");
    return text.substr(text.rfind("../") == std::string::npos ? 0 : text.rfind("../") + 3);
  }
  std::string through(const std::string& link, const std::string& rest) { return target(link) + "/" + rest; }

  std::string parent_file(const std::string& parent, const std::string& file) {
    return through("class/mdev_bus/" + parent, file);
  }
  int create(const std::string& parent, const std::string& type, unsigned n) {
    return store(parent_file(parent, "mdev_supported_types/" + type + "/create"), uuid(n));
  }
  int remove(const std::string& parent, unsigned n) {
    return store(parent_file(parent, uuid(n) + "/remove"), "1");
  }
  std::string available(const std::string& parent, const std::string& type) {
    return show(parent_file(parent, "mdev_supported_types/" + type + "/available_instances"));
  }

  backends::Settings settings;
  std::shared_ptr<backends::Loaded> loaded;
};

}  // namespace mdevfs::test
