// SPDX-License-Identifier: Apache-2.0
//
// Checks for the values of PCI's keys (backends/values.h), and the BARs that are described by their sizes.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "function.h"
#include "model/errno.h"

namespace mdevfs::backends::pci {

// A number as C writes it: 0x10de, or 4318.
model::Result<std::uint64_t> parse_hex(std::string_view text, std::uint64_t most);

// Kept in hexadecimal.
model::Result<std::string> keep_hex(std::string_view text, std::uint64_t most);
template <std::uint64_t kMost>
inline constexpr Check check_hex{[](std::string_view text) { return keep_hex(text, kMost); },
                                 [] { return fmt::format("a number from 0 to {:#x}", kMost); },
                                 Check::Number::decimal};

model::Result<std::string> take_address(std::string_view text);
model::Result<std::string> take_path(std::string_view text);
model::Result<std::string> take_bytes(std::string_view text);
model::Result<std::string> take_resource(std::string_view text);
model::Result<std::string> take_bars(std::string_view text);

inline constexpr Check check_address{take_address, [] { return std::string("an address as 0000:65:00.0"); }};
inline constexpr Check check_path{
    take_path, [] { return std::string("a root bus and bridges, as pci0000:60/0000:60:03.1"); }};
inline constexpr Check check_bytes{take_bytes,
                                   [] { return std::string("64, 256 or 4096 bytes in hexadecimal"); }};
inline constexpr Check check_resource{
    take_resource, [] { return std::string("up to 13 lines of three numbers as 0x1000"); }};
inline constexpr Check check_bars{
    take_bars, [] { return std::string("words as 0=16M 1=256M,mem64,pref 5=128,io 6=512K,rom"); }};

// Words N=SIZE[,mem|mem64|io|rom][,pref]: a place for each in a window of the function's own. From N=7 on
// they are those of one virtual function.
std::array<Resource, kResources> place_bars(std::string_view text, const Address& address,
                                            unsigned functions = 0);

}  // namespace mdevfs::backends::pci
