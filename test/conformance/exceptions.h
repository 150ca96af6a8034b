// SPDX-License-Identifier: Apache-2.0
//
// The list of lines that cannot be as recorded, in a file beside the recordings: what the kernel's sysfs
// says, what is asserted instead, and the reason in one sentence. An entry that is not needed is an error,
// unless it says that it is only needed on some hosts: the kernel that runs the tests has a part in some
// answers. Nor need it be needed where nobody heard what it may be about.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace mdevfs::conformance {

struct Exception {
  std::vector<std::string> scenarios;
  std::string kernel;  // a whole line of the recording, without indentation; "" for a line it does not have
  std::string here;    // the same here
  std::string reason;
  std::string only = {};               // on which hosts; "" for all
  std::vector<std::string> ages = {};  // of which kernels' recordings; none: of all
};

// Those of one age's recordings.
std::vector<Exception> exceptions_of(const std::vector<Exception>& all, std::string_view age);

// The file's text: entries of perhaps `age:`, and `scenario:`, `kernel:`, `here:`, `reason:` and perhaps
// `only:` lines, apart by blank lines; `(nothing)` for a line that is not there. The error names the line.
std::expected<std::vector<Exception>, std::string> parse_exceptions(std::string_view text);

// The list as the documentation shows it.
std::string as_markdown(const std::vector<Exception>& exceptions);

}  // namespace mdevfs::conformance
