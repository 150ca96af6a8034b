// SPDX-License-Identifier: Apache-2.0
//
// A transcript as the comparison sees it: one step per line of the scenario, with the lines below it; and the
// short table of what is not compared literally, because the recordings say that it is not fixed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mdevfs::conformance {

struct Step {
  std::string command = {};             // before ` =>`; a remark's whole line
  std::string outcome = {};             // after it, on the same line
  std::vector<std::string> lines = {};  // below it, without their indentation
  std::size_t number = 0;               // of its own line in the transcript, from 1

  bool is_remark() const { return command.empty() || command.front() == '#'; }
};

std::vector<Step> steps_of(std::string_view transcript);

// What is not compared literally: a pattern, what both sides are compared as, and why.
struct Rule {
  const char* pattern;
  const char* replacement;
  const char* reason;
};
std::span<const Rule> rules();

// The line as it is compared.
std::string by_rules(std::string_view line);

// `[2.5s]` and `[from 0.5s to 3.1s]`: an outcome without it, and how long it took.
struct Timed {
  std::string text;
  std::optional<double> seconds;
};
Timed timed(std::string_view outcome);

// A delay must be there on both sides or on neither, and of the same order.
bool similar(std::optional<double> kernel, std::optional<double> here);

// Equal by the rules and by their times.
bool equal_outcomes(std::string_view kernel, std::string_view here);

// Of several spawned operations that compete it is chance which one wins; their outcomes are compared as a
// set, and listings of what they made by their number. Sorts the outcomes within each such group of `wait`s.
// Where whole creates and removes go on side by side, it is also chance in which order their devices' events
// and lines in the log are, and which vfio groups they get: there the lines of each device are compared among
// themselves.
void level_competitions(std::string_view scenario, std::vector<Step>& steps);

}  // namespace mdevfs::conformance
