// SPDX-License-Identifier: Apache-2.0
//
// The comparison: see comparison.h. Steps correspond one to one, because both transcripts come from the same
// scenario; within a step the lines below it are aligned by their longest common subsequence, so that one
// line too many is one difference.
#include "comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine.h"
#include "transcript.h"

namespace mdevfs::conformance {
namespace {

std::string whole(const Step& step) {
  return step.outcome.empty() ? step.command : fmt::format("{} => {}", step.command, step.outcome);
}

using Pair = std::pair<std::size_t, std::size_t>;

std::vector<std::string> all_by_rules(const std::vector<std::string>& lines) {
  std::vector<std::string> compared;
  std::ranges::transform(lines, std::back_inserter(compared), by_rules);
  return compared;
}

// The indices of a longest common subsequence.
std::vector<Pair> common_lines(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const auto width = b.size() + 1;
  std::vector<std::size_t> length((a.size() + 1) * width, 0);
  for (std::size_t i = a.size(); i-- > 0;) {
    for (std::size_t j = b.size(); j-- > 0;) {
      const auto without = std::max(length[(i + 1) * width + j], length[i * width + j + 1]);
      length[i * width + j] = a[i] == b[j] ? length[(i + 1) * width + j + 1] + 1 : without;
    }
  }
  std::vector<Pair> common;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      common.emplace_back(i++, j++);
    } else if (length[(i + 1) * width + j] >= length[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

// The recording machine's filter of the log took some stack traces for longer than they were, up to the end
// of what was asked for: nothing is known of the lines behind such a one.
std::vector<std::string> up_to_lost_lines(const std::vector<std::string>& here,
                                          const std::vector<std::string>& kernel) {
  constexpr std::string_view kStackTrace = "<4> (stack trace)";
  if (kernel.empty() || kernel.back() != kStackTrace) return here;
  auto left = std::ranges::count(kernel, kStackTrace);
  auto end = here.begin();
  while (end != here.end() && left > 0) {
    if (*end == kStackTrace) --left;
    ++end;
  }
  return {here.begin(), end};
}

// Lines that neither side has in common, between two that both have.
struct Gap {
  std::vector<std::string> kernel;
  std::vector<std::string> here;
};

class Comparison {
 public:
  Comparison(std::string_view scenario, const std::vector<Exception>& exceptions) {
    report_.scenario = scenario;
    for (const auto& exception : exceptions) {
      if (std::ranges::find(exception.scenarios, scenario) != exception.scenarios.end()) {
        exceptions_.push_back({&exception, false});
      }
    }
  }

  Report run(std::vector<Step> kernel, std::vector<Step> here) {
    for (std::size_t i = 0; i < std::min(kernel.size(), here.size()); ++i) {
      auto known = up_to_lost_lines(here[i].lines, kernel[i].lines);
      report_.lost += here[i].lines.size() - known.size();
      here[i].lines = std::move(known);
    }
    level_competitions(report_.scenario, kernel);
    level_competitions(report_.scenario, here);
    for (std::size_t i = 0; i < std::max(kernel.size(), here.size()); ++i) {
      const auto* recorded = i < kernel.size() ? &kernel[i] : nullptr;
      const auto* found = i < here.size() ? &here[i] : nullptr;
      if (!step(recorded, found)) return std::move(report_);
    }
    for (const auto& [exception, used] : exceptions_) {
      if (!used && exception->only.empty() && !could_be_unheard(*exception)) {
        report_.unused.push_back(*exception);
      }
    }
    return std::move(report_);
  }

 private:
  struct Candidate {
    const Exception* exception;
    bool used;
  };

  // False where the transcripts no longer belong together: what follows would only be noise.
  bool step(const Step* kernel, const Step* here) {
    if (kernel == nullptr || here == nullptr || kernel->command != here->command) {
      report_.differences.push_back({"the transcripts part here", kernel ? whole(*kernel) : "",
                                     here ? whole(*here) : "", kernel ? kernel->number : 0});
      return false;
    }
    if (kernel->is_remark()) return true;
    if (here->outcome == kNotHeard) {
      report_.not_compared += 1 + kernel->lines.size();
      unheard_.push_back(whole(*kernel));
      std::ranges::copy(kernel->lines, std::back_inserter(unheard_));
      return true;
    }
    if (equal_outcomes(kernel->outcome, here->outcome)) {
      ++report_.equal;
    } else {
      unequal(*kernel, {{whole(*kernel)}, {whole(*here)}});
    }
    lines(*kernel, *here);
    return true;
  }

  void lines(const Step& kernel, const Step& here) {
    const auto common = common_lines(all_by_rules(kernel.lines), all_by_rules(here.lines));
    std::size_t i = 0;
    std::size_t j = 0;
    for (const auto& [next_i, next_j] : common) {
      gap(kernel, here, {i, next_i}, {j, next_j});
      ++report_.equal;
      i = next_i + 1;
      j = next_j + 1;
    }
    gap(kernel, here, {i, kernel.lines.size()}, {j, here.lines.size()});
  }

  // From the first to before the second index, on both sides.
  void gap(const Step& kernel, const Step& here, Pair recorded, Pair found) {
    const auto slice = [](const std::vector<std::string>& lines, Pair range) {
      return std::vector(lines.begin() + static_cast<std::ptrdiff_t>(range.first),
                         lines.begin() + static_cast<std::ptrdiff_t>(range.second));
    };
    unequal(kernel, {slice(kernel.lines, recorded), slice(here.lines, found)});
  }

  // First what exceptions account for, then differences: paired while there are two to pair.
  void unequal(const Step& step, Gap gap) {
    for (auto& candidate : exceptions_) {
      if (candidate.used || !accounts_for(*candidate.exception, gap)) continue;
      candidate.used = true;
      ++report_.excepted;
    }
    for (std::size_t i = 0; i < std::max(gap.kernel.size(), gap.here.size()); ++i) {
      report_.differences.push_back({step.lines.empty() ? "" : step.command,
                                     i < gap.kernel.size() ? gap.kernel[i] : "",
                                     i < gap.here.size() ? gap.here[i] : "", step.number});
    }
  }

  // Takes the exception's lines out of the gap, if both are in it.
  static bool accounts_for(const Exception& exception, Gap& gap) {
    const auto find = [](std::vector<std::string>& lines, const std::string& line) {
      return std::ranges::find_if(lines, [&](const auto& each) { return equal_outcomes(line, each); });
    };
    const auto kernel = find(gap.kernel, exception.kernel);
    const auto here = find(gap.here, exception.here);
    if (!exception.kernel.empty() && kernel == gap.kernel.end()) return false;
    if (!exception.here.empty() && here == gap.here.end()) return false;
    if (!exception.kernel.empty()) gap.kernel.erase(kernel);
    if (!exception.here.empty()) gap.here.erase(here);
    return true;
  }

  // Where a line would be that the kernel does not have, nobody knows.
  bool could_be_unheard(const Exception& exception) const {
    if (exception.kernel.empty()) return !unheard_.empty();
    return std::ranges::any_of(unheard_,
                               [&](const auto& line) { return equal_outcomes(exception.kernel, line); });
  }

  Report report_;
  std::vector<Candidate> exceptions_;
  std::vector<std::string> unheard_;  // the kernel's lines that were not compared
};

}  // namespace

Report compare(std::string_view scenario, std::string_view recorded, std::string_view found,
               const std::vector<Exception>& exceptions) {
  return Comparison(scenario, exceptions).run(steps_of(recorded), steps_of(found));
}

}  // namespace mdevfs::conformance
