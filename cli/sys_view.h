// SPDX-License-Identifier: Apache-2.0
//
// What the command of `run` sees: the emulated tree at /sys with the host's own entries beside it, and a
// private /etc/mdevctl.d. The tree offers an empty placeholder for each of the host's entries at the places
// where both have some, and the host's entry is bound onto it. Where both have an entry of one name, the
// emulated one is seen. The host's entries are those of the command's network namespace where that is another
// than the host's, and root may not write into them: a `change` written to the uevent of one would be heard
// by the host.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/core.h"
#include "outcome.h"
#include "private_directories.h"

namespace mdevfs::cli {

// Adds a placeholder for what the host's /sys holds at those places, and returns the paths below /sys where
// the host's entry has to be bound (a link needs no binding: it is there).
std::vector<std::string> add_placeholders(model::Core& core);

// An existing directory to mount on, to be moved from later: covered for that time in this namespace only.
Outcome<std::string> find_staging_directory();

// Binds the host's entries onto the tree mounted at `staging` and moves it all to /sys.
Outcome<> move_tree_to_sys(const std::string& staging, const std::vector<std::string>& bound);

// The interfaces of the network namespace that the caller is in, in place of the host's, where the kernel
// allows it.
void show_own_network(const std::string& staging);

// Covers /etc/mdevctl.d by `directory`, or by an empty one. Either gets copies of the host's callout scripts,
// if it has none.
Outcome<> cover_mdevctl_directory(PrivateDirectories& directories,
                                  const std::optional<std::string>& directory);

}  // namespace mdevfs::cli
