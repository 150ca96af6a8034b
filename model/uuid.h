// SPDX-License-Identifier: Apache-2.0
//
// UUIDs as `create` takes them. Boost's generator accepts braces and missing dashes, the kernel's guid_parse
// does not, so the form is checked here and Boost converts what has passed.
#pragma once

#include <boost/uuid/uuid.hpp>
#include <string>
#include <string_view>

#include "errno.h"

namespace mdevfs::model {

using Uuid = boost::uuids::uuid;

inline constexpr std::size_t kUuidLength = 36;

// What a write to `create` must be: 36 bytes `8-4-4-4-12` in hex of either case, or 37 of which the last is
// anything at all (mdev's create_store checks the length and guid_parse never looks beyond the 36th byte).
// EINVAL otherwise.
Result<Uuid> parse_create_text(std::string_view text);

// Lower case, as the kernel prints it.
std::string to_string(const Uuid& uuid);

}  // namespace mdevfs::model
