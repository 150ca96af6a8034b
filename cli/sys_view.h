// SPDX-License-Identifier: Apache-2.0
//
// What the command of `run` sees: the emulated tree at /sys with the host's own entries beside it, and a
// private /etc/mdevctl.d. The tree offers an empty placeholder for each of the host's entries at the places
// where both have some, and the host's entry is bound onto it. Where both have an entry of one name, the
// emulated one is seen.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/core.h"
#include "outcome.h"

namespace mdevfs::cli {

// Adds a placeholder for what the host's /sys holds at those places, and returns the paths below /sys where
// the host's entry has to be bound (a link needs no binding: it is there).
std::vector<std::string> add_placeholders(model::Core& core);

// An existing directory to mount on, to be moved from later: covered for that time in this namespace only.
Outcome<std::string> find_staging_directory();

// Binds the host's entries onto the tree mounted at `staging` and moves it all to /sys.
Outcome<> move_tree_to_sys(const std::string& staging, const std::vector<std::string>& bound);

// Covers /etc/mdevctl.d by `directory`, or by an empty one with the host's callout scripts (copies of them).
Outcome<> cover_mdevctl_directory(const std::string& staging, const std::optional<std::string>& directory);

}  // namespace mdevfs::cli
