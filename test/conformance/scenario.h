// SPDX-License-Identifier: Apache-2.0
//
// The interpreter of scenarios: line by line, each repeated with its variables expanded and then ` => ` and
// the outcome. It keeps what belongs to the scenario as a whole (variables, spawned operations, the mark
// that times are counted from); everything else is an operation of a table.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {

// Takes a finished line of the transcript, without its newline.
using Print = std::function<void(std::string_view)>;

// Thread-safety: one thread; what it spawns are threads of its own.
class Scenario {
 public:
  Scenario(Context& context, Print print) : context_(context), print_(std::move(print)) {}

  void run(std::string_view text);

 private:
  using Clock = std::chrono::steady_clock;
  using Word = void (Scenario::*)(Arguments&, std::string_view);
  struct ControlWord {
    std::string_view name;
    Word run;
  };
  struct Spawned {
    std::string name;
    std::future<Outcome> outcome;  // with its [from..to]; taken once
  };

  static const ControlWord* control_word(std::string_view name);
  void line(std::string_view raw);
  void command(std::string_view text);
  void print(std::string_view text, const Outcome& outcome);

  // The second argument is the whole line, for the transcript.
  void set(Arguments& arguments, std::string_view line);
  void mark(Arguments& arguments, std::string_view line);
  void repeat(Arguments& arguments, std::string_view line);
  void spawn(Arguments& arguments, std::string_view line);
  void wait(Arguments& arguments, std::string_view line);
  void wait_all(Arguments& arguments, std::string_view line);
  void running(Arguments& arguments, std::string_view line);

  Context& context_;
  Print print_;
  Variables variables_;
  Clock::time_point mark_ = Clock::now();
  std::vector<std::unique_ptr<Spawned>> spawned_;  // not waited for, in the order of spawning
};

}  // namespace mdevfs::conformance
