// SPDX-License-Identifier: Apache-2.0
//
// Uevents (lib/kobject_uevent.c): the model's own, and those that somebody asks for by writing to a `uevent`
// file: an action, and optionally a UUID and KEY=VALUE arguments, to be announced as a synthetic event of
// that node.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "entry.h"
#include "kernel_age.h"

namespace mdevfs::model {

// Announces a node that is a directory with a subsystem: `keys` of this event, then those that all its events
// have. Where nobody listens it costs a look.
void announce(Node node, std::string_view action, std::vector<std::string> keys = {});

// The same of a device that has got or lost a driver, which not all ages announce.
void announce_binding(Node node, std::string_view action);

struct SyntheticUevent {
  std::string action;
  std::string uuid = "0";
  std::vector<std::pair<std::string, std::string>> arguments;
};

// The error is the kernel's remark about what it refuses.
std::expected<SyntheticUevent, std::string_view> parse_synthetic_uevent(std::string_view text,
                                                                        const KernelAge& age);

// The store of every `uevent` file.
Result<void> store_uevent(Object& object, Slot slot, std::string_view text);

}  // namespace mdevfs::model
