// SPDX-License-Identifier: Apache-2.0
//
// What the kernel keeps of what clients have read, with `-o cached`.
#pragma once

#include "kept_listings.h"
#include "kept_texts.h"

namespace mdevfs::fs {

struct Kept {
  Kept(const model::Tree& tree, const Channel& channel) : texts(tree, channel), listings(tree, channel) {}
  KeptTexts texts;
  KeptListings listings;
};

}  // namespace mdevfs::fs
