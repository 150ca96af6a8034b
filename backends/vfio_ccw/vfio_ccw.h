// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../backends.h"

namespace mdevfs::backends {

Backend vfio_ccw();

}  // namespace mdevfs::backends
