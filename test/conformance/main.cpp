// SPDX-License-Identifier: Apache-2.0
//
// The program `scenario`: runs scenarios on the emulated machine and compares what they print with what a
// real kernel printed. One process of this program, or several side by side, leave nothing behind.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "comparison.h"
#include "emulated_machine.h"
#include "exceptions.h"
#include "generator.h"
#include "sandbox.h"
#include "scenario.h"

namespace mdevfs::conformance {
namespace {

namespace files = std::filesystem;

constexpr std::chrono::seconds kTimeout{120};
constexpr int kSkipStatus = 77;  // as ctest knows it
constexpr const char* kUsage =
    "usage: scenario run FILE.scn...      what it prints, on the emulated machine\n"
    "       scenario plain FILE.scn...    the same on this machine: no modules, the real /sys\n"
    "       scenario compare [NAME...]    against the recordings; without names, all that are compared\n"
    "       scenario match NAME FILE.out  another recording of that scenario against the one there is\n"
    "       scenario generate SEED COUNT  a made-up scenario of so many operations\n"
    "       scenario against FOLDER NAME...    runs FOLDER/NAME.scn and compares with FOLDER/NAME.out\n"
    "       scenario list                 the names of those\n"
    "       scenario exceptions           what cannot be as recorded, as the documentation lists it\n";

std::string content(const files::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

files::path trace(const std::string& name, const char* kind) {
  return files::path(MDEVFS_TRACES) / (name + kind);
}

std::vector<std::string> compared_names() {
  std::vector<std::string> names;
  for (const auto& file : files::directory_iterator(MDEVFS_TRACES)) {
    const auto name = file.path().stem().string();
    if (file.path().extension() == ".scn") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

bool has_line_with(std::string_view scenario, std::string_view word) {
  return scenario.starts_with(word) || scenario.find('\n' + std::string(word)) != std::string_view::npos;
}

// A user namespace has one user and no privileges over other file systems' attributes.
void require_users(std::string_view scenario) {
  if (::geteuid() == 0) return;
  for (const auto* word : {"as ", "chown ", "setxattr ", "mknod "}) {
    if (has_line_with(scenario, word)) throw Unavailable(fmt::format("`{}` needs root", word));
  }
}

// Only a scenario with shell lines needs busybox.
std::string applets_for(std::string_view scenario) {
  return has_line_with(scenario, "sh ") ? applets() : "";
}

void run_emulated(const std::string& scenario, const Print& print) {
  require_users(scenario);
  Namespaces namespaces;
  namespaces.enter_first();
  const auto tools = applets_for(scenario);
  EmulatedMachine machine(namespaces, scenario.starts_with("#!nomdev"));
  machine.enter(namespaces);
  {
    Context context{.machine = machine, .applets = tools};
    Scenario(context, print).run(scenario);
  }
  machine.end();
}

void run_plain(const std::string& scenario, const Print& print) {
  Namespaces namespaces;
  namespaces.enter_first();
  const auto tools = applets_for(scenario);
  namespaces.enter_second("");
  PlainMachine machine;
  Context context{.machine = machine, .applets = tools};
  Scenario(context, print).run(scenario);
}

using Runner = void (*)(const std::string&, const Print&);

Ran run(Runner runner, const std::string& scenario) {
  std::fflush(nullptr);
  return run_in_child([&](const Print& print) { runner(scenario, print); }, kTimeout);
}

template <Runner runner>
int print_transcripts(const std::vector<std::string>& paths) {
  int status = 0;
  for (const auto& path : paths) {
    const auto ran = run(runner, content(path));
    std::cout << ran.transcript;
    if (!ran.skipped.empty()) std::cerr << path << ": skipped: " << ran.skipped << '\n';
    if (!ran.failure.empty()) std::cerr << path << ": " << ran.failure << '\n';
    if (!ran.failure.empty() || !ran.skipped.empty()) status = 1;
  }
  return status;
}

constexpr const char* kHead = "{:<20}{:>10}{:>8}{:>10}{:>11}{:>14}{:>8}\n";
constexpr const char* kRow = "{:<20}{:>10}{:>8}{:>10}{:>11}{:>14}{:>8.1f}\n";

std::string or_nothing(const std::string& line) {
  return line.empty() ? "(nothing)" : line;
}

std::string in_detail(const Report& report) {
  std::string text;
  for (const auto& difference : report.differences) {
    if (!difference.where.empty()) text += fmt::format("  in {}\n", difference.where);
    text += fmt::format("  kernel: {}\n  here:   {}\n\n", or_nothing(difference.kernel),
                        or_nothing(difference.here));
  }
  for (const auto& exception : report.unused) {
    text += fmt::format("  an exception that nothing needs: {}\n", or_nothing(exception.kernel));
  }
  return text;
}

enum class Result { kPassed, kSkipped, kFailed };

Result compare_one(const std::string& name, const std::vector<Exception>& exceptions) {
  const auto ran = run(run_emulated, content(trace(name, ".scn")));
  if (!ran.skipped.empty()) {
    std::cout << fmt::format("{:<20}skipped: {}\n", name, ran.skipped);
    return Result::kSkipped;
  }
  const auto report = compare(name, content(trace(name, ".out")), ran.transcript, exceptions);
  std::cout << fmt::format(fmt::runtime(kRow), name, report.compared(), report.equal, report.excepted,
                           report.differences.size(), report.not_compared, ran.seconds)
            << in_detail(report);
  if (report.not_compared != 0) std::cout << "  without uevents: a network namespace is refused here\n";
  if (!ran.failure.empty()) std::cout << "  " << ran.failure << '\n';
  std::cout.flush();
  return report.passed() && ran.failure.empty() ? Result::kPassed : Result::kFailed;
}

std::vector<Exception> read_exceptions() {
  auto exceptions = parse_exceptions(content(MDEVFS_EXCEPTIONS));
  if (!exceptions) throw std::runtime_error(fmt::format("{}: {}", MDEVFS_EXCEPTIONS, exceptions.error()));
  return std::move(*exceptions);
}

int compare_all(const std::vector<std::string>& given) {
  const auto exceptions = read_exceptions();
  std::cout << fmt::format(fmt::runtime(kHead), "scenario", "compared", "equal", "excepted", "different",
                           "not compared", "s");
  std::vector<Result> results;
  for (const auto& name : given.empty() ? compared_names() : given)
    results.push_back(compare_one(name, exceptions));
  if (std::ranges::count(results, Result::kFailed) != 0) return 1;
  return std::ranges::count(results, Result::kPassed) != 0 ? 0 : kSkipStatus;
}

// Two real kernels: no exceptions, and nothing left out.
int match_recordings(const std::vector<std::string>& given) {
  if (given.size() != 2) throw std::runtime_error("match: a scenario's name and a file");
  const auto report = compare(given[0], content(trace(given[0], ".out")), content(given[1]), {});
  std::cout << fmt::format("{:<20}{} lines, {} differ\n", given[0], report.compared(),
                           report.differences.size())
            << in_detail(report);
  return report.passed() ? 0 : 1;
}

int print_generated(const std::vector<std::string>& given) {
  if (given.size() != 2) throw std::runtime_error("generate: a seed and a number of operations");
  std::cout << Generator(std::stoull(given[0])).scenario(std::stoul(given[1]));
  return 0;
}

std::string with_lines(std::string_view name, const Report& report) {
  std::string text;
  for (const auto& difference : report.differences) {
    text += fmt::format("{}:{}\n", name, difference.line);
    if (!difference.where.empty()) text += fmt::format("  in {}\n", difference.where);
    text += fmt::format("  kernel: {}\n  here:   {}\n", or_nothing(difference.kernel),
                        or_nothing(difference.here));
  }
  return text;
}

// The emulated machine's transcript stays beside the kernel's, as NAME.here.
Report run_against(const files::path& folder, const std::string& name) {
  const auto ran = run(run_emulated, content(folder / (name + ".scn")));
  if (!ran.skipped.empty()) throw std::runtime_error(fmt::format("{}: {}", name, ran.skipped));
  std::ofstream(folder / (name + ".here")) << ran.transcript;
  auto report = compare(name, content(folder / (name + ".out")), ran.transcript, {});
  if (!ran.failure.empty()) report.differences.push_back({"", "", ran.failure});
  return report;
}

int run_all_against(const std::vector<std::string>& given) {
  if (given.size() < 2) throw std::runtime_error("against: a folder and names");
  std::size_t lines = 0;
  std::size_t differ = 0;
  for (std::size_t i = 1; i < given.size(); ++i) {
    const auto report = run_against(given[0], given[i]);
    lines += report.compared();
    differ += report.differences.size();
    std::cout << with_lines(given[i], report) << std::flush;
  }
  std::cout << fmt::format("{} seeds, {} lines compared, {} differ\n", given.size() - 1, lines, differ);
  return differ == 0 ? 0 : 1;
}

int print_names(const std::vector<std::string>&) {
  for (const auto& name : compared_names()) std::cout << name << '\n';
  return 0;
}

int print_exceptions(const std::vector<std::string>&) {
  std::cout << as_markdown(read_exceptions());
  return 0;
}

struct Verb {
  std::string_view name;
  int (*run)(const std::vector<std::string>&);
};
constexpr Verb kVerbs[] = {{"run", print_transcripts<run_emulated>},
                           {"plain", print_transcripts<run_plain>},
                           {"compare", compare_all},
                           {"match", match_recordings},
                           {"generate", print_generated},
                           {"against", run_all_against},
                           {"list", print_names},
                           {"exceptions", print_exceptions}};

int main_with(const std::vector<std::string>& words) {
  for (const auto& verb : kVerbs) {
    if (!words.empty() && verb.name == words.front()) return verb.run({words.begin() + 1, words.end()});
  }
  std::cerr << kUsage;
  return 2;
}

}  // namespace
}  // namespace mdevfs::conformance

int main(int argc, char** argv) try {
  return mdevfs::conformance::main_with({argv + 1, argv + argc});
} catch (const std::exception& error) {
  std::cerr << "scenario: " << error.what() << '\n';
  return 1;
}
