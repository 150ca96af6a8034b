// SPDX-License-Identifier: Apache-2.0
//
// Where a PCI function is: domain, bus, device and function, written DDDD:BB:DD.F in hexadecimal.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/errno.h"

namespace mdevfs::backends::pci {

struct Address {
  unsigned domain = 0;
  std::uint16_t routing_id = 0;  // bus << 8 | device << 3 | function

  unsigned bus() const { return routing_id >> 8U; }
  auto operator<=>(const Address&) const = default;
};

// EINVAL: it is none.
model::Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

}  // namespace mdevfs::backends::pci
