// SPDX-License-Identifier: Apache-2.0
//
// What may stand after -o: options for the filesystem, `backend=NAME`, `cached`, `config=FILE`,
// `plugin=FILE`, and what fstab and mount(8) add of their own.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "outcome.h"

namespace mdevfs::cli {

struct MountOptions {
  std::vector<std::string> filesystem;  // for fs::Options::mount_options
  std::vector<std::string> backends = {};
  std::vector<std::string> plugins = {};
  std::vector<std::string> configs = {};
  std::optional<std::string> kernel = std::nullopt;
  bool cached = false;
  std::string source = {};  // fsname=, empty when there is none
};

// Each text is a comma-separated list. Adds what every mount has: nosuid, nodev, noexec, default_permissions,
// and for root allow_other. The error is one of usage.
Outcome<MountOptions> parse_mount_options(std::span<const std::string> texts);

}  // namespace mdevfs::cli
