// SPDX-License-Identifier: Apache-2.0
//
// The interpreter of scenarios: see scenario.h.
#include "scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace mdevfs::conformance {
namespace {

using namespace std::chrono_literals;

// A spawn took about this long on the machine of the recordings. Scenarios count on it: of operations
// spawned one after another, the first is well inside its system call before the second begins.
constexpr auto kSpawnTime = 10ms;

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

double seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

const Scenario::ControlWord* Scenario::control_word(std::string_view name) {
  static constexpr ControlWord kWords[] = {
      {"set", &Scenario::set},   {"mark", &Scenario::mark},        {"spawn", &Scenario::spawn},
      {"wait", &Scenario::wait}, {"waitall", &Scenario::wait_all}, {"running", &Scenario::running},
  };
  const auto* const found = std::ranges::find(kWords, name, &ControlWord::name);
  return found == std::end(kWords) ? nullptr : found;
}

void Scenario::run(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void Scenario::line(std::string_view raw) {
  if (raw.empty() || raw.starts_with('#')) {
    print_(raw);
  } else if (raw.starts_with("for ")) {
    Arguments arguments(raw);
    repeat(arguments, raw);
  } else {
    command(variables_.expand(raw));
  }
}

void Scenario::command(std::string_view text) {
  Arguments arguments(text);
  if (const auto* word = control_word(arguments.operation())) {
    (this->*word->run)(arguments, text);
  } else {
    print(text, perform(context_, text));
  }
}

void Scenario::print(std::string_view text, const Outcome& outcome) {
  if (outcome.lines.empty()) {
    print_(fmt::format("{} => {}", text, outcome.text));
    return;
  }
  print_(fmt::format("{} =>", text));
  for (const auto& each : outcome.lines) print_("  " + each);
}

void Scenario::set(Arguments& arguments, std::string_view) {
  const std::string name(arguments.word());
  variables_.set(name, std::string(arguments.rest()));
}

void Scenario::mark(Arguments&, std::string_view) {
  mark_ = Clock::now();
}

// Expanded after the number is put in: `$U@i@` names a variable only then.
void Scenario::repeat(Arguments& arguments, std::string_view) {
  const auto first = arguments.number();
  const auto last = arguments.number();
  const std::string body(arguments.rest());
  for (auto i = first; i <= last; ++i) line(replace_all(body, "@i@", std::to_string(i)));
}

void Scenario::spawn(Arguments& arguments, std::string_view) {
  auto spawned = std::make_unique<Spawned>();
  spawned->name = arguments.word();
  const std::string operation(arguments.rest());
  print_(fmt::format("spawn {}: {}", spawned->name, operation));
  spawned->outcome = std::async(std::launch::async, [this, operation, mark = mark_] {
    const auto from = Clock::now() - mark;
    auto outcome = perform(context_, operation);
    const auto to = Clock::now() - mark;
    return with_remark(std::move(outcome),
                       fmt::format("[from {:.1f}s to {:.1f}s]", seconds(from), seconds(to)));
  });
  spawned_.push_back(std::move(spawned));
  std::this_thread::sleep_for(kSpawnTime);
}

void Scenario::wait(Arguments& arguments, std::string_view line) {
  const auto it = std::ranges::find(spawned_, arguments.word(), [](const auto& each) { return each->name; });
  if (it == spawned_.end()) {
    print_(fmt::format("{} => nothing of this name was spawned", line));
    return;
  }
  const auto spawned = std::move(*it);
  spawned_.erase(it);
  print(line, spawned->outcome.get());
}

void Scenario::wait_all(Arguments&, std::string_view) {
  while (!spawned_.empty()) command("wait " + spawned_.front()->name);
}

void Scenario::running(Arguments& arguments, std::string_view line) {
  const auto it = std::ranges::find(spawned_, arguments.word(), [](const auto& each) { return each->name; });
  // One that has been answered may take as long to say so as one that was spawned to begin.
  const bool ended = it == spawned_.end() || (*it)->outcome.wait_for(kSpawnTime) == std::future_status::ready;
  print_(fmt::format("{} => {}", line, ended ? "ended" : "still running"));
}

}  // namespace mdevfs::conformance
