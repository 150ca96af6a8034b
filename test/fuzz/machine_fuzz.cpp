// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a machine file: what is refused is refused in lines that are in order, and what is accepted is
// what the backends take.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/machine.h"
#include "control/control.h"
#include "model/core.h"

namespace {

using namespace mdevfs;

void expect(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "this does not hold: {}\n", what);
  std::abort();
}

void look_at_errors(const std::vector<config::Problem>& problems) {
  expect(!problems.empty(), "there is an error");
  expect(std::ranges::is_sorted(problems, {}, &config::Problem::at), "errors are in order");
  for (const auto& [at, what] : problems) {
    expect(at.line > 0 && at.column > 0, "an error is somewhere");
    expect(!what.empty() && what.size() < 4096, "an error says something, and not too much");
    expect(std::ranges::none_of(what, [](unsigned char c) { return c < 0x20; }), "an error is a line");
  }
}

// A unit alone may still be called as what the kernel has itself (EEXIST, EBUSY).
void look_at_unit(const config::Unit& unit) {
  const auto settings = config::complete(*unit.backend, unit.settings, {});
  expect(settings.has_value(), "it can be completed");
  expect(unit.backend->check == nullptr || unit.backend->check(*settings).empty(), "it has been checked");
  model::Core core({0, 0});
  control::Control control(
      core,
      [](const backends::Backend& backend,
         backends::Settings written) -> std::expected<backends::Settings, std::string> {
        auto completed = config::complete(backend, std::move(written), {});
        return completed ? std::move(*completed)
                         : std::expected<backends::Settings, std::string>(std::unexpected("refused"));
      });
  const auto loaded = control.load(unit.settings, *unit.backend);
  expect(loaded || loaded.error().value == EEXIST || loaded.error().value == EBUSY, "it can be loaded");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto machine = config::parse_machine({reinterpret_cast<const char*>(data), size});
  if (!machine) {
    look_at_errors(machine.error());
  } else {
    std::ranges::for_each(machine->units, look_at_unit);
  }
  return 0;
}
