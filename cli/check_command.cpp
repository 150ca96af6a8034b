// SPDX-License-Identifier: Apache-2.0
#include "check_command.h"

#include "backends/plugin.h"

namespace mdevfs::cli {
namespace {

// As compilers print errors, so that editors find the place.
int print_lines(std::span<const std::string> lines) {
  for (const std::string& line : lines) fmt::print(stderr, "{}\n", line);
  return kExitFailure;
}

int usage_error(std::string_view sentence) {
  complain(sentence);
  return kExitUsage;
}

std::expected<void, std::string> load_plugin(const std::filesystem::path& path) {
  const auto loaded = backends::load_plugin(path.string());
  return loaded ? std::expected<void, std::string>() : std::unexpected(loaded.error());
}

}  // namespace

std::expected<Hardware, int> find_hardware(std::span<const std::string> backends,
                                           std::span<const std::string> configs,
                                           const std::optional<std::string>& kernel) {
  if (configs.size() > 1)
    return std::unexpected(usage_error("there is more than one --config: name one file"));
  Hardware hardware;
  const auto wanted = model::parse_kernel_version(kernel.value_or(to_string(model::kDefaultKernel)));
  if (!wanted) return std::unexpected(usage_error(wanted.error()));
  hardware.kernel = *wanted;
  auto directories = config::card_directories();
  // The daemon leaves this directory.
  const auto base =
      configs.empty() ? std::filesystem::path() : std::filesystem::path(configs[0]).parent_path();
  std::error_code error;
  hardware.cards = config::Cards(directories, std::filesystem::current_path(error) / base);
  if (configs.empty() || !backends.empty()) {
    auto found = find_backends(backends);
    if (!found) return std::unexpected(usage_error(found.error()));
    hardware.backends = std::move(*found);
  }
  if (configs.empty()) return hardware;
  auto machine = config::read_machine(configs[0], load_plugin, std::move(directories));
  if (!machine) return std::unexpected(print_lines(machine.error()));
  hardware.machine = std::move(*machine);
  if (!kernel) hardware.kernel = hardware.machine.kernel.value_or(model::kDefaultKernel);
  return hardware;
}

int check_command(const std::string& file) {
  const auto hardware = find_hardware({}, std::span(&file, 1));
  if (!hardware) return hardware.error();
  model::Core core({geteuid(), getegid()}, model::Core::Boot::all, hardware->kernel);
  control::Control control(core, by_cards(hardware->cards));
  const auto loaded = load_hardware(core, control, *hardware);
  return loaded ? 0 : print_lines(std::span(&loaded.error(), 1));
}

}  // namespace mdevfs::cli
