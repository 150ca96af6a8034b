// SPDX-License-Identifier: Apache-2.0
//
// A machine file: the hardware that an emulated machine has, in TOML (mdevfs.toml(5)). It is read before
// anything is mounted, and all that is wrong with it is said at once.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backends.h"
#include "cards.h"
#include "document.h"
#include "model/kernel_age.h"

namespace mdevfs::config {

// An item of kernel/config/mdevfs.
struct Unit {
  const backends::Backend* backend = nullptr;
  backends::Settings settings = {};  // every value has passed its check; as written, without what cards add
  Position at = {};
};

struct Plugin {
  std::filesystem::path path;  // relative ones are the file's directory's
  Position at = {};
};

struct Machine {
  std::string file;         // as it was named
  std::vector<Unit> units;  // in the order of the file, as are the items of each
  std::vector<Plugin> plugins;
  std::optional<model::KernelVersion> kernel = std::nullopt;  // that it emulates; else the default
};

// Called for each plugin before a backend is looked for. The error is a sentence. May be empty.
using LoadPlugin = std::function<std::expected<void, std::string>(const std::filesystem::path&)>;

// The errors are in the order of the file; there is at least one.
std::expected<Machine, std::vector<Problem>> parse_machine(std::string_view text,
                                                           const std::filesystem::path& directory = {},
                                                           const LoadPlugin& load_plugin = nullptr,
                                                           const Cards& cards = {});

// The errors are lines: FILE:LINE:COLUMN: what is wrong. Waits for nothing: a file is a regular one. Cards
// that are named as paths are relative to the file's directory.
std::expected<Machine, std::vector<std::string>> read_machine(
    const std::string& file, const LoadPlugin& load_plugin = nullptr,
    std::vector<std::filesystem::path> card_directories = {});

}  // namespace mdevfs::config
