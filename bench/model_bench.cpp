// SPDX-License-Identifier: Apache-2.0
//
// What the model costs without FUSE: create and remove, lookup, listing and memory, with so many devices
// live. Processor time, which other programs on the machine disturb little; medians of interleaved
// repetitions where asked for, as scripts/bench does. Ends with 1 where a floor is passed.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <map>

#include "bed.h"
#include "floor.h"

namespace mdevfs::bench {
namespace {

constexpr int kLiveCounts[] = {100, 1'000, 10'000, 100'000, 1'000'000};
constexpr std::size_t kPage = 45;  // entries that the kernel asks for at a time: a page of them

Bed& bed(const benchmark::State& state) {
  // Never taken down: at the end of the program the model's own tables go first.
  static auto& beds = *new std::map<std::pair<bool, std::int64_t>, std::unique_ptr<Bed>>;
  auto& bed = beds[{state.range(0) != 0, state.range(1)}];
  if (!bed) bed = std::make_unique<Bed>(state.range(0) != 0, static_cast<std::size_t>(state.range(1)));
  return *bed;
}

// UUIDs to go round in, so that making them is not measured.
class Texts {
 public:
  Texts() {
    for (auto& text : texts_) text = unique_uuid_text();
  }
  const std::string& next() { return texts_[at_++ % texts_.size()]; }

 private:
  std::vector<std::string> texts_{std::size_t{1} << 17U};
  std::size_t at_ = 0;
};

Texts& texts() {
  static Texts texts;
  return texts;
}

// One device more than are live comes and goes.
void create_remove(benchmark::State& state) {
  Bed& b = bed(state);
  Texts& uuids = texts();
  for (auto _ : state) b.remove(*b.create(uuids.next()));
}

// Any of the live ones goes and comes again: the caches of the processor do not help.
void replace(benchmark::State& state) {
  Bed& b = bed(state);
  for (auto _ : state) b.replace_any();
}

// Every name of the device has been looked up before it goes, and the kernel would be told of each.
void create_see_remove(benchmark::State& state) {
  Bed& b = bed(state);
  Texts& uuids = texts();
  for (auto _ : state) {
    const auto device = b.create(uuids.next());
    Bed::mark_all_seen(*device);
    b.remove(*device);
  }
}

void lookup(benchmark::State& state) {
  Bed& b = bed(state);
  const auto directory = b.parent_directory();
  std::vector<std::string> names(1024);
  for (auto& name : names) name = b.any_device().name();
  std::size_t at = 0;
  for (auto _ : state) {
    const auto found = b.tree().lookup(directory, names[at++ % names.size()]);
    benchmark::DoNotOptimize(b.tree().stat(*found));
  }
}

// The parent's directory from one end to the other, a page at a time.
void list(benchmark::State& state) {
  Bed& b = bed(state);
  const auto directory = b.parent_directory();
  std::size_t listed = 0;
  for (auto _ : state) {
    std::uint64_t position = 0;
    for (std::size_t room = 0; room == 0;) {
      room = kPage;
      b.tree().list(directory, position, [&](const model::DirectoryEntry& entry) {
        if (room == 0) return false;
        --room;
        ++listed;
        position = entry.next;
        return true;
      });
    }
  }
  state.counters["per_entry"] = benchmark::Counter(static_cast<double>(listed),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

double heap_in_use() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

void heap_per_device(benchmark::State& state) {
  for (auto _ : state) {
    Bed b(state.range(0) != 0, 0);
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < state.range(1); ++i) names.push_back(unique_uuid_text());
    const double before = heap_in_use();
    for (const auto& name : names) b.create(name);
    state.counters["bytes"] = (heap_in_use() - before) / static_cast<double>(state.range(1));
    state.counters["sizeof"] = sizeof(model::Device);
  }
}

void at_live_counts(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"vfio", "live"});
  for (const int vfio : {0, 1}) {
    for (const int live : kLiveCounts) benchmark->Args({vfio, live});
  }
}

void with_vfio(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"vfio", "live"});
  for (const int live : kLiveCounts) benchmark->Args({1, live});
}

BENCHMARK(create_remove)->Apply(at_live_counts);
BENCHMARK(replace)->Apply(with_vfio);
BENCHMARK(create_see_remove)->Apply(with_vfio);
BENCHMARK(lookup)->Apply(with_vfio);
BENCHMARK(list)->Apply(with_vfio)->Unit(benchmark::kMicrosecond);
BENCHMARK(heap_per_device)
    ->ArgNames({"vfio", "live"})
    ->Args({0, 100'000})
    ->Args({1, 100'000})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

// Prints as ever and keeps the medians.
class Reporter final : public benchmark::ConsoleReporter {
 public:
  Reporter() : ConsoleReporter(OO_None) {}
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const bool counts = run.run_type == Run::RT_Iteration || run.aggregate_name == "median";
      if (counts) medians_[run.run_name.function_name + "/" + run.run_name.args] = run.GetAdjustedCPUTime();
    }
  }

  // How many times as long it takes at the most live devices as at the fewest; 0: it was not run.
  double growth(const std::string& name) const {
    const auto few = medians_.find(name + "/live:100");
    const auto most = medians_.find(name + "/live:1000000");
    return few == medians_.end() || most == medians_.end() ? 0 : most->second / few->second;
  }

 private:
  std::map<std::string, double> medians_;
};

bool check_floors(const Reporter& reporter) {
  constexpr double kMost = 1.5;
  bool passed = true;
  for (const char* vfio : {"0", "1"}) {
    const double growth = reporter.growth(fmt::format("create_remove/vfio:{}", vfio));
    if (growth == 0) continue;
    passed &= check_floor(fmt::format("create+remove in the model, vfio:{}, 1,000,000 live over 100", vfio),
                          growth, kMost, "x");
  }
  return passed;
}

}  // namespace
}  // namespace mdevfs::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  mdevfs::bench::Reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return mdevfs::bench::check_floors(reporter) ? 0 : 1;
}
