// SPDX-License-Identifier: Apache-2.0
//
// A machine file of a machine whose sysfs somebody can see: what mdevfs.toml(5) can say of its mediated
// devices' parents, so that a tester has them without the machine.
#pragma once

#include <expected>
#include <string>

namespace mdevfs::capture {

// The text of the machine file. It reads below that directory and does nothing else. The error is a sentence.
std::expected<std::string, std::string> capture_machine(const std::string& root);

}  // namespace mdevfs::capture
