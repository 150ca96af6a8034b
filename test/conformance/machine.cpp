// SPDX-License-Identifier: Apache-2.0
//
// What a machine need not have, and the machine without modules: see machine.h.
#include "machine.h"

#include <cerrno>

namespace mdevfs::conformance {

std::optional<std::expected<VfioDescriptors, Refusal>> Machine::vfio_open(const std::string&,
                                                                          const std::string&) {
  return std::nullopt;
}

int PlainMachine::insmod(std::string_view, std::string_view) {
  return ENOSYS;
}

int PlainMachine::rmmod(std::string_view) {
  return ENOENT;
}

std::optional<std::expected<std::size_t, int>> PlainMachine::store(std::string_view, std::string_view) {
  return std::nullopt;
}

std::optional<std::vector<Uevent>> PlainMachine::uevents(std::chrono::milliseconds) {
  return std::nullopt;
}

std::optional<std::vector<std::string>> PlainMachine::log() {
  return std::nullopt;
}

}  // namespace mdevfs::conformance
