// SPDX-License-Identifier: Apache-2.0
//
// What is said of a machine file, by `mdevfs check` and before anything else by those that use one.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

#include "server.h"

namespace mdevfs::cli {

// What a command line asks for: of each kind what is named; all complete backends where nothing is. The error
// is the exit status, and why has been printed on stderr.
std::expected<Hardware, int> find_hardware(std::span<const std::string> backends,
                                           std::span<const std::string> configs,
                                           const std::optional<std::string>& kernel = std::nullopt);

// `mdevfs check`: reads the file and tries whether its units can be loaded together. The exit status.
int check_command(const std::string& file);

}  // namespace mdevfs::cli
