// SPDX-License-Identifier: Apache-2.0
//
// A real kernel as a scenario's machine: the one that this process runs on, which is to be a virtual machine
// with nothing else in it. Modules come from a folder, uevents from the kernel's socket, the log from
// /dev/kmsg.
#pragma once

#include "descriptor.h"
#include "machine.h"

namespace mdevfs::conformance {

// Thread-safety: as Machine.
class KernelMachine final : public Machine {
 public:
  // From here on uevents and the log are kept. Throws std::runtime_error.
  explicit KernelMachine(std::string modules);

  int insmod(std::string_view module, std::string_view parameters) override;
  int rmmod(std::string_view module) override;
  // Always nullopt: every file is the kernel's.
  std::optional<std::expected<std::size_t, int>> store(std::string_view path, std::string_view text) override;
  std::optional<std::vector<Uevent>> uevents(std::chrono::milliseconds quiet) override;
  std::optional<std::vector<std::string>> log() override;
  std::optional<std::expected<VfioDescriptors, Refusal>> vfio_open(const std::string& group,
                                                                   const std::string& uuid) override;

 private:
  std::string modules_;
  Descriptor uevents_;
  Descriptor log_;
};

// A record of /dev/kmsg, `6,339,5140900,-;text`, as transcripts show it: `<6> text`.
std::string log_line(std::string_view record);

// The lines without what is the virtual machine's own, and each stack trace as one line.
std::vector<std::string> without_noise(const std::vector<std::string>& lines);

}  // namespace mdevfs::conformance
