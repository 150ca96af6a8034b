// SPDX-License-Identifier: Apache-2.0
//
// A card: what parents of one make have in common, their types above all, in a TOML file (mdevfs.toml(5)), so
// that a new one takes a file and no build.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/backends.h"
#include "document.h"

namespace mdevfs::config {

struct Card {
  std::string summary;
  const backends::Backend* backend = nullptr;
  backends::Values parent = {};  // of keys of the backend's group `parents`; they have passed their checks
  std::vector<std::pair<std::string, backends::Values>> types = {};  // in the order of the file, by id
};

// As much of it as says what it is, for which its backend need not be there.
struct CardHeading {
  std::string summary;
  std::string backend;
};

// The group and the key of a parent that a card fills.
inline constexpr std::string_view kTypes = "types";
// Whether parents of this backend can name a card.
bool takes_cards(const backends::Backend& backend);

// The errors are in the order of the file; there is at least one.
std::expected<Card, std::vector<Problem>> parse_card(std::string_view text);

// The errors are lines: FILE:LINE:COLUMN: what is wrong.
std::expected<Card, std::vector<std::string>> read_card(const std::filesystem::path& file);

std::expected<CardHeading, std::vector<std::string>> read_card_heading(const std::filesystem::path& file);

}  // namespace mdevfs::config
