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
// the kernel send uevents, which nobody outside hears. Says whether the host's uevents are not heard in it
// either: the kernel sends them to all network namespaces that belong to the initial user namespace, and only
// where user namespaces are switched off can root have no other.
Outcome<bool> enter_private_network();

}  // namespace mdevfs::cli
