// SPDX-License-Identifier: Apache-2.0
//
// Transcripts and the rules of their comparison: see transcript.h.
#include "transcript.h"

#include <algorithm>
#include <map>
#include <regex>
#include <utility>

namespace mdevfs::conformance {
namespace {

constexpr Rule kRules[] = {
    {" [0-9]+\\.[0-9]+ ms each", " * ms each", "how fast the machine is"},
    {"(atime|mtime)=1[0-9]{9}", "$1=*", "the time of the recording; times that a scenario sets are shorter"},
    {"\"[0-9]{1,3}:([0-9]+)\\\\n\"", "\"*:$1\\n\"", "char majors are given out as they are free"},
    {"MAJOR=[0-9]+", "MAJOR=*", "char majors are given out as they are free"},
    {"(/sys/module/[a-z_]+/(srcversion|coresize|taint) .*)\".*\"", "$1*",
     "what a build makes of a module: its size, the version of its source, whether it is signed"},
    {"major([ _:a-z]+)[0-9]+", "major$1*", "char majors are given out as they are free"},
    {"^[0-9]+\\.[0-9]+[-.][^ ]+$", "*", "it is that of the host's kernel"},
};

// Scenarios in which equal operations compete, how the names they are spawned under begin, and what of the
// winners a later listing shows beside their number.
struct Competition {
  std::string_view scenario;
  std::string_view prefix;
  const char* in_listings;
};
constexpr Competition kCompetitions[] = {
    {"d-remove", "wait w", nullptr},
    {"e2-race-remove", "wait r", nullptr},
    {"e5-parallel", "wait p", nullptr},
    {"e5-parallel", "wait x", " [0-9a-f]{8}-0000-4000-8000-0000000001[0-2][0-9]/lnk"},
};

// Shorter ones are the machine's, and do not count as a delay.
constexpr double kDelay = 0.5;

// `wait NAME => OUTCOME [from ...]` is a step whose outcome has the time in it; so is every other line.
Step step_of(std::string_view line) {
  const auto arrow = line.find(" =>");
  if (line.starts_with('#') || arrow == std::string_view::npos) return {.command = std::string(line)};
  const auto outcome = line.substr(arrow + 3);
  return {.command = std::string(line.substr(0, arrow)),
          .outcome = std::string(outcome.empty() ? outcome : outcome.substr(1))};
}

// What a shell wrote to stderr while it ran: some recordings have it before the shell's own line.
bool is_stray(std::string_view line) {
  return !line.empty() && !line.starts_with('#') && !line.starts_with("sh ") &&
         line.find(" =>") == std::string_view::npos;
}

const std::vector<std::regex>& patterns() {
  static const auto compiled = [] {
    std::vector<std::regex> all;
    for (const auto& rule : kRules) all.emplace_back(rule.pattern);
    return all;
  }();
  return compiled;
}

std::string competition_of(std::string_view scenario, const Step& step) {
  for (const auto& competition : kCompetitions) {
    if (competition.scenario == scenario && step.command.starts_with(competition.prefix)) {
      return std::string(competition.prefix);
    }
  }
  return "";
}

constexpr std::string_view kSideBySide[] = {"e2-race-remove", "x3-duplicate"};

struct DeviceLine {
  std::string device;  // that it is about; lines about none are sorted by themselves
  std::string text;
};

DeviceLine device_line(const std::string& line) {
  static const std::regex kDevice("[0-9a-f]{8}-0000-4000-8000-[0-9]{12}");
  static const std::regex kGroup("(iommu group |group_id = |/virtual/vfio/)[0-9]+");
  std::smatch match;
  const std::string device = std::regex_search(line, match, kDevice) ? match[0].str() : "";
  return {device, std::regex_replace(line, kGroup, "$1*")};
}

void level_lines(std::vector<std::string>& lines) {
  std::map<std::string, std::vector<std::string>> by_device;
  for (const std::string& line : lines) {
    const auto [device, text] = device_line(line);
    by_device[device].push_back(text);
  }
  std::ranges::sort(by_device[""]);
  lines.clear();
  for (const auto& [device, texts] : by_device) lines.insert(lines.end(), texts.begin(), texts.end());
}

// The number of entries, which a listing begins with, stays.
void take_winners_out(std::string_view scenario, std::vector<Step>& steps) {
  for (const auto& competition : kCompetitions) {
    if (competition.scenario != scenario || competition.in_listings == nullptr) continue;
    const std::regex winner(competition.in_listings);
    for (auto& step : steps) {
      if (step.command.starts_with("ls ")) step.outcome = std::regex_replace(step.outcome, winner, "");
    }
  }
}

}  // namespace

std::vector<Step> steps_of(std::string_view transcript) {
  std::vector<Step> steps;
  std::vector<std::string> stray;
  std::size_t number = 0;
  while (!transcript.empty()) {
    const auto end = transcript.find('\n');
    const auto line = transcript.substr(0, end);
    ++number;
    if (line.starts_with("  ") && !steps.empty()) {
      steps.back().lines.emplace_back(line.substr(2));
    } else if (is_stray(line)) {
      stray.emplace_back(line);
    } else {
      steps.push_back(step_of(line));
      steps.back().lines = std::exchange(stray, {});
      steps.back().number = number;
    }
    transcript.remove_prefix(end == std::string_view::npos ? transcript.size() : end + 1);
  }
  return steps;
}

std::span<const Rule> rules() {
  return kRules;
}

std::string by_rules(std::string_view line) {
  std::string text(line);
  for (std::size_t i = 0; i < std::size(kRules); ++i) {
    text = std::regex_replace(text, patterns()[i], kRules[i].replacement);
  }
  return text;
}

Timed timed(std::string_view outcome) {
  static const std::regex kTime(R"( \[(?:from ([0-9.]+)s to )?([0-9.]+)s\]$)");
  const auto bracket = outcome.rfind(" [");
  if (bracket == std::string_view::npos) return {std::string(outcome), {}};
  const std::string time(outcome.substr(bracket));
  std::smatch match;
  if (!std::regex_match(time, match, kTime)) return {std::string(outcome), {}};
  const double from = match[1].matched ? std::stod(match[1]) : 0.0;
  return {std::string(outcome.substr(0, bracket)), std::stod(match[2]) - from};
}

bool similar(std::optional<double> kernel, std::optional<double> here) {
  if (!kernel || !here) return kernel == here;
  if (*here > *kernel && *here - *kernel < kDelay) return true;
  if ((*kernel < kDelay) != (*here < kDelay)) return false;
  return *kernel < kDelay || (*here < 2 * *kernel && *kernel < 2 * *here);
}

bool equal_outcomes(std::string_view kernel, std::string_view here) {
  const auto recorded = timed(kernel);
  const auto found = timed(here);
  return similar(recorded.seconds, found.seconds) && by_rules(recorded.text) == by_rules(found.text);
}

void level_competitions(std::string_view scenario, std::vector<Step>& steps) {
  take_winners_out(scenario, steps);
  if (std::ranges::find(kSideBySide, scenario) != std::end(kSideBySide)) {
    for (auto& step : steps) {
      if (step.command.starts_with("uevb") || step.command == "dmesg") level_lines(step.lines);
    }
  }
  for (auto first = steps.begin(); first != steps.end();) {
    const auto group = competition_of(scenario, *first);
    auto last = first + 1;
    if (!group.empty()) {
      last = std::find_if(first, steps.end(),
                          [&](const Step& step) { return competition_of(scenario, step) != group; });
      std::vector<std::string> outcomes;
      std::ranges::transform(first, last, std::back_inserter(outcomes), &Step::outcome);
      std::ranges::sort(outcomes, {}, [](const std::string& outcome) {
        const auto [text, seconds] = timed(outcome);
        return std::pair(text, seconds);
      });
      for (auto step = first; step != last; ++step)
        step->outcome = outcomes[static_cast<std::size_t>(step - first)];
    }
    first = last;
  }
}

}  // namespace mdevfs::conformance
