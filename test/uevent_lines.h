// SPDX-License-Identifier: Apache-2.0
//
// What a model announces, for tests to compare.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/core.h"

namespace mdevfs::test {

// Hears uevents as lines of `action@devpath SUBSYSTEM KEY=VALUE...`, of one subsystem or of all (empty).
struct UeventLines final : model::Watcher {
  explicit UeventLines(model::Core& its_core, std::string its_subsystem = {})
      : core(its_core), subsystem(std::move(its_subsystem)) {
    core.tree().set_watcher(this);
  }
  ~UeventLines() override { core.tree().set_watcher(nullptr); }
  void publish(model::Changes) noexcept override {}
  void wake(std::uint64_t) noexcept override {}
  bool hears_uevents() const override { return true; }
  void announce(model::Uevent event) noexcept override {
    if (!subsystem.empty() && event.subsystem != subsystem) return;
    auto line = event.action + "@" + event.devpath + " " + event.subsystem;
    for (const auto& key : event.keys) line += " " + key;
    lines.push_back(line);
  }
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  model::Core& core;
  const std::string subsystem;
  std::vector<std::string> lines;
};

}  // namespace mdevfs::test
