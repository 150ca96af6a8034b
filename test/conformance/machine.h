// SPDX-License-Identifier: Apache-2.0
//
// The kernel under test, as far as a scenario reaches it by other ways than files under /sys: modules that
// are loaded and unloaded, the test driver's control file, uevents and the kernel log. Scenarios do not know
// which machine they run on.
#pragma once

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "descriptor.h"

namespace mdevfs::conformance {

// The outcome of `uev` and the like on a machine whose uevents or log nobody can hear.
constexpr std::string_view kNotHeard = "not heard";

struct Uevent {
  std::string head;               // "add@/devices/..."
  std::vector<std::string> keys;  // "ACTION=add", ... as they were sent
};

// What a user of a device holds: the container, the device's group in it, and the device.
struct VfioDescriptors {
  Descriptor container;
  Descriptor group;
  Descriptor device;
};

// A step towards them that was refused: "open: ENOENT".
struct Refusal {
  std::string_view call;
  int error;
};

// Thread-safety: every method from any thread; spawned operations call them side by side.
class Machine {
 public:
  virtual ~Machine() = default;

  // 0 or the errno of finit_module and delete_module.
  virtual int insmod(std::string_view module, std::string_view parameters) = 0;
  virtual int rmmod(std::string_view module) = 0;

  // A write to a file of the machine that is not in the mounted tree; nullopt: no such file, use the tree.
  virtual std::optional<std::expected<std::size_t, int>> store(std::string_view path,
                                                               std::string_view text) = 0;

  // What came since the last call, waiting until nothing came for `quiet`; nullopt: this machine has none.
  virtual std::optional<std::vector<Uevent>> uevents(std::chrono::milliseconds quiet) = 0;
  virtual std::optional<std::vector<std::string>> log() = 0;

  // Opens a device through its group's file; nullopt: this machine has no such files.
  virtual std::optional<std::expected<VfioDescriptors, Refusal>> vfio_open(const std::string& group,
                                                                           const std::string& uuid);
};

// The machine that the runner itself runs on: no modules, no control files. For scenarios about ordinary
// directories, and for the runner's own tests.
class PlainMachine final : public Machine {
 public:
  int insmod(std::string_view module, std::string_view parameters) override;
  int rmmod(std::string_view module) override;
  std::optional<std::expected<std::size_t, int>> store(std::string_view path, std::string_view text) override;
  std::optional<std::vector<Uevent>> uevents(std::chrono::milliseconds quiet) override;
  std::optional<std::vector<std::string>> log() override;
};

}  // namespace mdevfs::conformance
