// SPDX-License-Identifier: Apache-2.0
//
// Namespaces in which mounting is nobody else's business.
#pragma once

#include "outcome.h"

namespace mdevfs::cli {

// Moves this (single-threaded) process into a mount namespace of its own whose mounts show nowhere else;
// together with a user namespace, in which it is root, when it may not otherwise.
Outcome<> enter_private_namespaces();

// A network namespace as well, with nothing in it but the loopback interface: whoever is root there may have
// the kernel send uevents, which nobody outside hears.
Outcome<> enter_private_network();

}  // namespace mdevfs::cli
