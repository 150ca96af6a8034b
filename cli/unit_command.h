// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs load` and `mdevfs unload`: what modprobe and rmmod are to modules, done by the files of a mounted
// tree (kernel/config/mdevfs), as a shell could do it.
#pragma once

#include <string>
#include <vector>

#include "outcome.h"

namespace mdevfs::cli {

struct UnitRequest {
  std::string sys = "/sys";  // where the tree is
  std::string name;          // the item
  std::vector<std::string>
      settings;  // KEY=VALUE, in this order; a key may be below a directory: types/a/name
};

// Makes the item, sets its keys, sets it live. Where one of it fails nothing is left.
Outcome<> load_unit(const UnitRequest& request);
// Not while a vfio descriptor of one of its devices is open. Otherwise waits as the kernel does.
Outcome<> unload_unit(const UnitRequest& request);

}  // namespace mdevfs::cli
