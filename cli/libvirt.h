// SPDX-License-Identifier: Apache-2.0
//
// libvirtd as a companion of `run`: the host's own program with configuration, state and sockets of the
// command's own, whose node device driver shows the emulated parents and devices. It hears of them from
// udevd and changes them by mdevctl.
#pragma once

#include "companion.h"

namespace mdevfs::cli {

// To be started after udevd. Fails where there is no libvirtd or no mdevctl.
Outcome<Companion> libvirt_companion();

}  // namespace mdevfs::cli
