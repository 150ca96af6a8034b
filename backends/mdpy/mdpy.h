// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../backends.h"

namespace mdevfs::backends {

model::Result<void> load_mdpy(model::Core& core, const Parameters& parameters);

}  // namespace mdevfs::backends
