// SPDX-License-Identifier: Apache-2.0
//
// What must hold before a mount can succeed, asked beforehand, because what mount(2) and libfuse say
// afterwards does not tell a person what to do.
#pragma once

#include <string>

#include "outcome.h"

namespace mdevfs::cli {

Outcome<> check_fuse_device();
Outcome<> check_fusermount();                                    // only an ordinary user needs it
Outcome<std::string> check_mountpoint(const std::string& path);  // its absolute path without links

}  // namespace mdevfs::cli
