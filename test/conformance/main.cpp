// SPDX-License-Identifier: Apache-2.0
//
// The program `scenario`: runs scenarios on the emulated machine and compares what they print with what a
// real kernel printed. One process of this program, or several side by side, leave nothing behind.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "comparison.h"
#include "emulated_machine.h"
#include "exceptions.h"
#include "generator.h"
#include "model/core.h"
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
    "       scenario compare [AGE[/NAME]...]    against the recordings; without names, all that are "
    "compared\n"
    "       scenario match AGE/NAME FILE.out    another recording of that scenario against the one there is\n"
    "       scenario generate SEED COUNT  a made-up scenario of so many operations\n"
    "       scenario against FOLDER NAME...    runs FOLDER/NAME.scn and compares with FOLDER/NAME.out\n"
    "With --kernel=VERSION before it, `run` and `against` emulate that kernel; with --cached before it, "
    "`run`,\n"
    "`compare` and `against` let this machine's kernel keep texts.\n"
    "       scenario list                 the names of those\n"
    "       scenario exceptions           what cannot be as recorded, as the documentation lists it\n";

std::string content(const files::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

files::path scenario_file(const std::string& name) {
  return files::path(MDEVFS_TRACES) / (name + ".scn");
}

// A recording: of a kernel, which its folder is called after, by a scenario's name.
struct Recording {
  std::string age;
  std::string name;
  files::path file() const { return files::path(MDEVFS_TRACES) / age / (name + ".out"); }
  std::string shown() const { return age + "/" + name; }
  friend auto operator<=>(const Recording&, const Recording&) = default;
};

std::vector<Recording> all_recordings() {
  std::vector<Recording> found;
  for (const auto& file : files::recursive_directory_iterator(MDEVFS_TRACES)) {
    const auto& path = file.path();
    if (path.extension() == ".out") found.push_back({path.parent_path().filename(), path.stem()});
  }
  std::ranges::sort(found);
  return found;
}

Recording recording_of(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos) throw std::runtime_error(text + ": expected AGE/NAME, as 6.1/b1-create");
  return {text.substr(0, slash), text.substr(slash + 1)};
}

// An age's name stands for all of it.
std::vector<Recording> recordings_of(const std::vector<std::string>& given) {
  const auto all = all_recordings();
  std::vector<Recording> found;
  for (const auto& text : given) {
    const auto before = found.size();
    std::ranges::copy_if(all, std::back_inserter(found), [&](const auto& each) { return each.age == text; });
    if (found.size() == before) found.push_back(recording_of(text));
  }
  return given.empty() ? all : found;
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

// The age under which scenarios run that are no recording's.
model::KernelVersion kernel = model::kDefaultKernel;
bool cached = false;

void run_emulated(const std::string& scenario, const Print& print) {
  require_users(scenario);
  Namespaces namespaces;
  namespaces.enter_first();
  const auto tools = applets_for(scenario);
  using Boot = model::Core::Boot;
  const auto boot = scenario.starts_with("#!nomdev")       ? Boot::bare
                    : scenario.starts_with("#!novfiomdev") ? Boot::without_vfio_mdev
                                                           : Boot::all;
  EmulatedMachine machine(namespaces, kernel, boot, cached);
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

constexpr const char* kHead = "{:<24}{:>10}{:>8}{:>10}{:>11}{:>14}{:>8}\n";
constexpr const char* kRow = "{:<24}{:>10}{:>8}{:>10}{:>11}{:>14}{:>8.1f}\n";

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

// With --cached a position in a directory is beside the number of its listing (fs/kept_listings.h), which is
// how many the kernel has begun before: it is compared without.
std::string without_numbers_of_listings(const std::string& transcript) {
  static const std::regex kPosition("( off=|hseek .* 0 CUR => ok )([0-9]{10,})");
  std::string text;
  auto rest = transcript.cbegin();
  for (std::sregex_iterator match(rest, transcript.cend(), kPosition), end; match != end; ++match) {
    text.append(rest, (*match)[2].first);
    text += std::to_string(std::stoull((*match)[2]) & INT_MAX);
    rest = (*match)[2].second;
  }
  return text.append(rest, transcript.cend());
}

enum class Result { kPassed, kSkipped, kFailed };

Result compare_one(const Recording& recording, const std::vector<Exception>& exceptions) {
  const auto version = model::parse_kernel_version(recording.age);
  if (!version) throw std::runtime_error(version.error());
  kernel = *version;
  const std::string name = recording.shown();
  const auto ran = run(run_emulated, content(scenario_file(recording.name)));
  if (!ran.skipped.empty()) {
    std::cout << fmt::format("{:<24}skipped: {}\n", name, ran.skipped);
    return Result::kSkipped;
  }
  const auto found = cached ? without_numbers_of_listings(ran.transcript) : ran.transcript;
  const auto report =
      compare(recording.name, content(recording.file()), found, exceptions_of(exceptions, recording.age));
  std::cout << fmt::format(fmt::runtime(kRow), name, report.compared(), report.equal, report.excepted,
                           report.differences.size(), report.not_compared, ran.seconds)
            << in_detail(report);
  if (report.not_compared != 0) std::cout << "  without uevents: a network namespace is refused here\n";
  if (report.lost != 0) std::cout << "  the recording lost " << report.lost << " lines of the log\n";
  if (!ran.failure.empty()) std::cout << "  " << ran.failure << '\n';
  std::cout.flush();
  return report.passed() && ran.failure.empty() ? Result::kPassed : Result::kFailed;
}

std::vector<Exception> read_list(const char* file) {
  auto exceptions = parse_exceptions(content(file));
  if (!exceptions) throw std::runtime_error(fmt::format("{}: {}", file, exceptions.error()));
  return std::move(*exceptions);
}

// With --cached there are more, and a few of the others are not needed.
std::vector<Exception> read_exceptions() {
  auto exceptions = read_list(MDEVFS_EXCEPTIONS);
  if (!cached) return exceptions;
  for (Exception& exception : exceptions) {
    if (exception.only.empty()) exception.only = "without --cached";
  }
  std::ranges::move(read_list(MDEVFS_CACHED_EXCEPTIONS), std::back_inserter(exceptions));
  return exceptions;
}

int compare_all(const std::vector<std::string>& given) {
  const auto exceptions = read_exceptions();
  std::cout << fmt::format(fmt::runtime(kHead), "scenario", "compared", "equal", "excepted", "different",
                           "not compared", "s");
  std::vector<Result> results;
  for (const auto& recording : recordings_of(given)) results.push_back(compare_one(recording, exceptions));
  if (std::ranges::count(results, Result::kFailed) != 0) return 1;
  return std::ranges::count(results, Result::kPassed) != 0 ? 0 : kSkipStatus;
}

// Two real kernels: no exceptions, and nothing left out.
int match_recordings(const std::vector<std::string>& given) {
  if (given.size() != 2) throw std::runtime_error("match: a recording and a file");
  const auto recording = recording_of(given[0]);
  const auto report = compare(recording.name, content(recording.file()), content(given[1]), {});
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
  for (const auto& recording : all_recordings()) std::cout << recording.shown() << '\n';
  return 0;
}

int print_exceptions(const std::vector<std::string>&) {
  std::cout << as_markdown(read_list(cached ? MDEVFS_CACHED_EXCEPTIONS : MDEVFS_EXCEPTIONS));
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

int main_with(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "--cached") {
    cached = true;
    words.erase(words.begin());
  }
  constexpr std::string_view kOption = "--kernel=";
  if (!words.empty() && words.front().starts_with(kOption)) {
    const auto version = model::parse_kernel_version(words.front().substr(kOption.size()));
    if (!version) throw std::runtime_error(version.error());
    kernel = *version;
    words.erase(words.begin());
  }
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
