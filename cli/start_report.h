// SPDX-License-Identifier: Apache-2.0
//
// What a daemon tells, once, through a pipe to the process that started it: that the tree answers, with a
// list of whatever that process needs to know, or the sentence that says why not. Silence means that it died.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "outcome.h"

namespace mdevfs::cli {

void report_ready(int fd, std::span<const std::string> list = {});
void report_failure(int fd, const std::string& sentence);

// Reads up to the end of the report, which is the closing of the pipe. The empty sentence is silence.
Outcome<std::vector<std::string>> read_report(int fd);

}  // namespace mdevfs::cli
