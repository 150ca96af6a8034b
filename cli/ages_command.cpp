// SPDX-License-Identifier: Apache-2.0
#include "ages_command.h"

#include <fmt/format.h>

#include "model/kernel_age.h"

namespace mdevfs::cli {

int ages_command() {
  for (const model::Epoch& epoch : model::epochs()) {
    fmt::print("{}  {:<10} {} ({})\n", epoch.name, to_string(epoch.kernels), epoch.summary, epoch.opened_by);
  }
  for (const model::Difference& difference : model::differences()) {
    fmt::print("\n{} [{}] {}", kernels_of(difference), static_cast<char>(difference.evidence),
               difference.cause);
    if (!difference.field.empty()) fmt::print(" {}", difference.field);
    fmt::print("\n    {}\n", difference.after);
    if (!difference.before.empty()) fmt::print("    otherwise: {}\n", difference.before);
  }
  return 0;
}

}  // namespace mdevfs::cli
