// SPDX-License-Identifier: Apache-2.0
//
// `mdevfs cards`: the cards that parents can name, a line each.
#pragma once

namespace mdevfs::cli {

// The exit status: 1 where a card's file cannot be read, and why has been printed on stderr.
int cards_command();

}  // namespace mdevfs::cli
