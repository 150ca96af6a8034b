// SPDX-License-Identifier: Apache-2.0
//
// The list of exceptions: see exceptions.h.
#include "exceptions.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace mdevfs::conformance {
namespace {

constexpr std::string_view kNothing = "(nothing)";

struct Field {
  std::string_view key;
  void (*set)(Exception&, std::string_view);
};

std::string line_or_nothing(std::string_view value) {
  return value == kNothing ? "" : std::string(value);
}

std::vector<std::string> words_of(std::string_view value) {
  std::istringstream stream{std::string(value)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

constexpr Field kFields[] = {
    {"age:", [](Exception& exception, std::string_view value) { exception.ages = words_of(value); }},
    {"scenario:",
     [](Exception& exception, std::string_view value) { exception.scenarios = words_of(value); }},
    {"kernel:",
     [](Exception& exception, std::string_view value) { exception.kernel = line_or_nothing(value); }},
    {"here:", [](Exception& exception, std::string_view value) { exception.here = line_or_nothing(value); }},
    {"reason:", [](Exception& exception, std::string_view value) { exception.reason = value; }},
    {"only:", [](Exception& exception, std::string_view value) { exception.only = value; }},
};

bool set_field(Exception& exception, std::string_view line) {
  for (const auto& field : kFields) {
    if (!line.starts_with(field.key)) continue;
    line.remove_prefix(field.key.size());
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    field.set(exception, line);
    return true;
  }
  return false;
}

bool complete(const Exception& exception) {
  return !exception.scenarios.empty() && !exception.reason.empty() && exception.kernel != exception.here;
}

std::string code(const std::string& line) {
  return line.empty() ? std::string(kNothing) : fmt::format("`{}`", line);
}

}  // namespace

std::vector<Exception> exceptions_of(const std::vector<Exception>& all, std::string_view age) {
  std::vector<Exception> found;
  std::ranges::copy_if(all, std::back_inserter(found), [&](const Exception& exception) {
    return exception.ages.empty() || std::ranges::find(exception.ages, age) != exception.ages.end();
  });
  return found;
}

std::expected<std::vector<Exception>, std::string> parse_exceptions(std::string_view text) {
  std::vector<Exception> exceptions;
  bool inside = false;
  int number = 0;
  while (true) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    ++number;
    if (line.empty()) {
      if (inside && !complete(exceptions.back())) {
        return std::unexpected(fmt::format("line {}: the entry above lacks a field", number));
      }
      inside = false;
    } else if (!line.starts_with('#')) {
      if (!inside) exceptions.emplace_back();
      inside = true;
      if (!set_field(exceptions.back(), line)) {
        return std::unexpected(
            fmt::format("line {}: expected age:, scenario:, kernel:, here:, reason: or only:", number));
      }
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (inside && !complete(exceptions.back())) return std::unexpected("the last entry lacks a field");
  return exceptions;
}

std::string as_markdown(const std::vector<Exception>& exceptions) {
  std::string text;
  std::string heading;
  for (const auto& exception : exceptions) {
    const auto only = exception.only.empty() ? "" : fmt::format(" Only {}.", exception.only);
    const auto ages = exception.ages.empty() ? "" : fmt::format("{}: ", fmt::join(exception.ages, ", "));
    const auto above =
        fmt::format("- {}{} ({}{})\n", exception.reason, only, ages, fmt::join(exception.scenarios, ", "));
    if (above != heading) text += above;
    heading = above;
    text += fmt::format("  - kernel: {}<br>here: {}\n", code(exception.kernel), code(exception.here));
  }
  return text;
}

}  // namespace mdevfs::conformance
