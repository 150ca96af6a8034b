// SPDX-License-Identifier: Apache-2.0
//
// A function's configuration space, as `config` shows it: the header of PCI, power management, and of PCI
// Express functions that capability, and SR-IOV's in the extended space.
#pragma once

#include <string>

namespace mdevfs::backends::pci {

struct Identity;

// 256 bytes, or 4096 of a PCI Express function. A virtual function's own ids read as ffff, as PCI has it.
std::string make_config_space(const Identity& identity, bool is_virtual);

}  // namespace mdevfs::backends::pci
