// SPDX-License-Identifier: Apache-2.0
//
// The files that people write, as texts.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "document.h"

namespace mdevfs::config {

// Waits for nothing: a file is a regular one, and not too large. The error is why not.
std::expected<std::string, std::string> text_of_file(const std::string& file);

// FILE:LINE:COLUMN: what is wrong
std::vector<std::string> lines_of(const std::string& file, std::span<const Problem> problems);

}  // namespace mdevfs::config
