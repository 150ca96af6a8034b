// SPDX-License-Identifier: Apache-2.0
#include "cards_command.h"

#include <fmt/format.h>

#include "config/cards.h"
#include "outcome.h"

namespace mdevfs::cli {

int cards_command() {
  int status = 0;
  for (const auto& card : config::Cards(config::card_directories(), {}).list()) {
    if (card.heading) {
      fmt::print("{:<12} {:<8} {}\n", card.name, card.heading->backend, card.heading->summary);
      continue;
    }
    for (const std::string& line : card.heading.error()) fmt::print(stderr, "{}\n", line);
    status = kExitFailure;
  }
  return status;
}

}  // namespace mdevfs::cli
