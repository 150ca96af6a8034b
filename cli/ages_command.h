// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mdevfs::cli {

// Prints the table of what differs between kernels. The exit status.
int ages_command();

}  // namespace mdevfs::cli
