// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <fmt/format.h>

#include "file.h"

namespace mdevfs::config {

std::expected<Machine, std::vector<std::string>> read_machine(
    const std::string& file, const LoadPlugin& load_plugin,
    std::vector<std::filesystem::path> card_directories) {
  const auto text = text_of_file(file);
  if (!text) return std::unexpected(std::vector{fmt::format("{}: {}", file, text.error())});
  const auto directory = std::filesystem::path(file).parent_path();
  auto machine = parse_machine(*text, directory, load_plugin, Cards(std::move(card_directories), directory));
  if (!machine) return std::unexpected(lines_of(file, machine.error()));
  machine->file = file;
  return std::move(*machine);
}

}  // namespace mdevfs::config
