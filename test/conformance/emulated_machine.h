// SPDX-License-Identifier: Apache-2.0
//
// The machine under test: a server process with the model, its tree at /sys, and modules by the control files
// of that tree.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>

#include "machine.h"
#include "model/core.h"
#include "modules_by_files.h"
#include "operation.h"
#include "sandbox.h"
#include "uevent_listener.h"

namespace mdevfs::conformance {

// Thread-safety: as Machine.
class EmulatedMachine final : public Machine {
 public:
  // In the first namespace: starts the server; its kernel is of that version. Its uevents can be heard
  // where the network is the run's own. In the second: puts its tree at /sys. Throw what a child throws.
  EmulatedMachine(const Namespaces& namespaces, model::KernelVersion kernel, model::Core::Boot boot,
                  bool cached);
  void enter(Namespaces& namespaces);
  // After the scenario: takes /sys away and ends the server. Throws if it did not end well.
  void end();

  int insmod(std::string_view module, std::string_view parameters) override;
  int rmmod(std::string_view module) override;
  std::optional<std::expected<std::size_t, int>> store(std::string_view path, std::string_view text) override;
  std::optional<std::vector<Uevent>> uevents(std::chrono::milliseconds quiet) override;
  std::optional<std::vector<std::string>> log() override;
  std::optional<std::expected<VfioDescriptors, Refusal>> vfio_open(const std::string& group,
                                                                   const std::string& uuid) override;

 private:
  int order(const std::string& command);
  void hear();

  std::string tree_;
  const model::KernelAge age_;
  std::optional<UeventListener> listener_;
  ModulesByFiles modules_;
  Descriptor control_;
  pid_t server_ = -1;
  std::mutex log_lock_;             // a leaf but for the modules' own
  std::vector<std::string> heard_;  // of the log, and not taken yet
};

}  // namespace mdevfs::conformance
