// SPDX-License-Identifier: Apache-2.0
//
// The comparison of a transcript with a recording, line by line: equal, excepted with exactly the stated
// other text, different, or not compared, because this machine could not say.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "exceptions.h"

namespace mdevfs::conformance {

struct Difference {
  std::string where;     // the operation it belongs to, for lines below one
  std::string kernel;    // "" for a line that only is here
  std::string here;      // "" for a line that only the kernel has
  std::size_t line = 0;  // of the operation, in the kernel's transcript
};

struct Report {
  std::string scenario;
  std::size_t equal = 0;
  std::size_t excepted = 0;
  std::size_t not_compared = 0;
  std::size_t lost = 0;  // lines here that the recording may have lost
  std::vector<Difference> differences;
  std::vector<Exception> unused;  // exceptions of this scenario that no line needed

  std::size_t compared() const { return equal + excepted + differences.size(); }
  bool passed() const { return differences.empty() && unused.empty(); }
};

Report compare(std::string_view scenario, std::string_view recorded, std::string_view found,
               const std::vector<Exception>& exceptions);

}  // namespace mdevfs::conformance
