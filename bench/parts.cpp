// SPDX-License-Identifier: Apache-2.0
#include "parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <numeric>
#include <thread>

#include "operations.h"
#include "unregister_bench.h"

namespace mdevfs::bench {
namespace {

using namespace std::chrono_literals;

// --- what is done

struct Operation {
  const char* id;
  const char* name;
  std::size_t times;
  std::size_t (*once)(const Places& places);  // says how much that was
  bool writes = false;
};

std::size_t read_one(const Places& places) {
  read_attribute(places.attributes[0]);
  return 1;
}

std::size_t stat_one(const Places& places) {
  stat_path(places.attributes[0]);
  return 1;
}

std::size_t read_one_link(const Places& places) {
  read_link(places.links[0]);
  return 1;
}

std::size_t look_for_none(const Places& places) {
  look_for(places.small_directory + "/none");
  return 1;
}

std::size_t create_and_remove(const Places& places) {
  places.create_remove();
  return 1;
}

std::size_t list_small(const Places& places) {
  list_directory(places.small_directory);
  return 1;
}

std::size_t list_large(const Places& places) {
  return list_directory(places.large_directory);
}

// What a manager of devices does on and on, a dozen calls of it.
std::size_t read_mixed(const Places& places) {
  for (const auto& attribute : places.attributes) {
    stat_path(attribute);
    read_attribute(attribute);
  }
  for (const auto& link : places.links) read_link(link);
  list_directory(places.small_directory);
  return 2 * places.attributes.size() + places.links.size() + 1;
}

constexpr Operation kRead{"read", "open+read+close of an attribute", 1000, read_one};
constexpr Operation kMixed{"mixed", "mixed reads", 50, read_mixed};
constexpr Operation kCreateRemove{"create_remove", "create+remove", 100, create_and_remove, true};

constexpr Operation kLatencies[] = {
    {"stat", "stat of a known path", 1000, stat_one},
    {"readlink", "readlink of a known path", 1000, read_one_link},
    {"missing", "stat of a name that is not there", 1000, look_for_none},
    kRead,
    {"ls", "ls of a type's directory", 200, list_small},
    kCreateRemove,
};

// --- rows

Row row_of(const Operation& operation, const std::vector<System>& systems) {
  Row row{.id = operation.id, .name = operation.name};
  for (const auto& [name, served, places] : systems) {
    if (operation.writes && !places.create_remove) continue;
    const auto take = [operation, places] {
      return timed(operation.times, [&] { return operation.once(places); });
    };
    const auto warm_up = [operation, places] {
      if (operation.times > 1) operation.once(places);
    };
    row.entries.push_back({.system = name, .served = served, .take = take, .warm_up = warm_up});
  }
  return row;
}

// So many clients at once, each with a thread of its own.
Row row_of_clients(const Operation& operation, unsigned clients, const std::vector<System>& systems) {
  Row row{.id = operation.id, .name = operation.name, .count = static_cast<double>(clients)};
  for (const auto& [name, served, places] : systems) {
    const auto all_clients = [operation, clients, places] {
      std::vector<std::size_t> done(clients);
      std::vector<std::jthread> threads;
      for (auto& by_one : done) {
        threads.emplace_back([&] {
          for (std::size_t i = 0; i < operation.times; ++i) by_one += operation.once(places);
        });
      }
      threads.clear();
      return std::accumulate(done.begin(), done.end(), std::size_t{0});
    };
    row.entries.push_back({.system = name, .served = served, .take = [=] { return timed(1, all_clients); }});
  }
  return row;
}

// What has no peer, and needs no rounds.
Row row_of_bytes(const char* id, const char* name, std::size_t count, double bytes) {
  return {.id = id,
          .name = name,
          .unit = "bytes",
          .count = static_cast<double>(count),
          .entries = {{.system = "mdevfs", .take = {}, .figures = {bytes}}}};
}

void append(std::vector<Row>& rows, std::vector<Row> more) {
  std::ranges::move(more, std::back_inserter(rows));
}

// --- the parts

constexpr std::array<std::size_t, 5> kCounts{100, 1'000, 10'000, 100'000, 1'000'000};

std::vector<Row> latency(const Peers& peers, int rounds) {
  constexpr std::size_t kLive = 1'000;
  const Mdevfs ours({}, kLive);
  const auto cached = Mdevfs::cached(kLive);
  std::vector<System> systems{ours.system("mdevfs")};
  if (cached) systems.push_back(cached->system("mdevfs -o cached"));
  std::ranges::move(peers.all(kLive), std::back_inserter(systems));
  std::vector<Row> rows;
  for (const Operation& operation : kLatencies) rows.push_back(row_of(operation, systems));
  measure(rows, rounds);
  return rows;
}

std::vector<Row> clients(const Peers& peers, int rounds) {
  const Mdevfs ours({}, 1);
  const Mdevfs sleeping({"0"}, 1);
  const auto cached = Mdevfs::cached(1);
  std::vector<System> systems{ours.system("mdevfs"), sleeping.system("mdevfs --poll-us 0")};
  if (cached) systems.push_back(cached->system("mdevfs -o cached"));
  std::ranges::move(peers.all(kCounts[0]), std::back_inserter(systems));
  std::vector<Row> rows;
  for (const Operation& operation : {kRead, kMixed}) {
    for (const unsigned count : {1, 2, 4, 8}) rows.push_back(row_of_clients(operation, count, systems));
  }
  measure(rows, rounds);
  return rows;
}

// `few` is the mount with the fewest devices, beside which the others are measured.
std::vector<System> systems_at(const Mdevfs& ours, const Mdevfs& few, const Peers& peers, std::size_t count) {
  std::vector<System> systems{ours.system("mdevfs")};
  if (&ours != &few) systems.push_back(few.system(fmt::format("at {} live", kCounts[0])));
  std::ranges::move(peers.all(count), std::back_inserter(systems));
  return systems;
}

// As soon as the devices are there.
std::vector<Row> memory_rows(const Mdevfs& ours, std::size_t count) {
  if (count < 100'000) return {};  // the program itself would be most of it
  std::vector<Row> rows{row_of_bytes("memory", "memory a device", count, ours.bytes_per_device())};
  if (count > 100'000) return rows;  // what the kernel keeps of a million looked at is gigabytes
  list_long(ours.parent());
  list_long(ours.bus());
  rows.push_back(
      row_of_bytes("memory_seen", "memory a device, after ls -l of all", count, ours.bytes_per_device()));
  return rows;
}

std::vector<Row> devices(const Peers& peers, int rounds) {
  constexpr int kListings = 7;  // a million names take a while
  std::vector<std::unique_ptr<Mdevfs>> ours;
  std::vector<Row> memory;
  std::vector<Row> rows;
  for (const std::size_t count : kCounts) {
    ours.push_back(std::make_unique<Mdevfs>(std::vector<std::string>{}, count));
    append(memory, memory_rows(*ours.back(), count));
    const auto systems = systems_at(*ours.back(), *ours.front(), peers, count);
    const Operation list{"ls_all", "ls of bus/mdev/devices, an entry",
                         std::max<std::size_t>(1, 10'000 / count), list_large};
    for (Row row : {row_of(kCreateRemove, systems), row_of(list, systems)}) {
      row.count = static_cast<double>(count);
      if (row.id == list.id) row.most_rounds = kListings;
      rows.push_back(std::move(row));
    }
  }
  measure(rows, rounds);
  append(rows, std::move(memory));
  return rows;
}

// Each by a process of its own, all at once; then they are removed, by the way.
Sample creates_at_once(const Mdevfs& ours, std::size_t processes) {
  std::vector<std::string> uuids(processes);
  for (auto& uuid : uuids) uuid = next_uuid();
  const std::string create = ours.type() + "/create";
  const double nanoseconds =
      time_of_processes(processes, [&](std::size_t process) { write_attribute(create, uuids[process]); });
  for (const auto& uuid : uuids) write_attribute(ours.parent() + "/" + uuid + "/remove", "1\n");
  return {.figure = nanoseconds / 1e6};
}

std::vector<Row> at_once(const Peers&, int rounds) {
  constexpr std::size_t kProcesses = 64;
  const Mdevfs ours({}, 0);
  write_attribute(ours.debug() + "/probe_delay_ms", "100\n");
  const auto entry = [&](const char* system, std::size_t processes) {
    return Entry{.system = system, .take = [&ours, processes] { return creates_at_once(ours, processes); }};
  };
  std::vector<Row> rows{{.id = "creates_at_once",
                         .name = fmt::format("{} creates by as many processes, probes of 100 ms", kProcesses),
                         .unit = "ms",
                         .entries = {entry("mdevfs", kProcesses), entry("one create alone", 1)}}};
  measure(rows, rounds);
  return rows;
}

// What is still used when nothing has been asked for a moment.
Sample idle_second(const System& system) {
  for (int i = 0; i < 1000; ++i) read_one(system.places);
  std::this_thread::sleep_for(10ms);
  const double before = system.served->processor_nanoseconds();
  std::this_thread::sleep_for(1s);
  return {.figure = system.served->processor_nanoseconds() - before};
}

std::vector<Row> idle(const Peers& peers, int rounds) {
  const Mdevfs ours({}, 1);
  Row row{.id = "idle", .name = "processor time in a second without requests", .most_rounds = 5};
  for (const System& system : {ours.system("mdevfs"), peers.null_fs(kCounts[0])}) {
    row.entries.push_back({.system = system.name, .take = [system] { return idle_second(system); }});
  }
  std::vector<Row> rows{std::move(row)};
  measure(rows, rounds);
  return rows;
}

// From the start of the program to the first answer.
Sample start_up_of(const char* program, const std::vector<std::string>& arguments, const std::string& file) {
  const auto start = std::chrono::steady_clock::now();
  const Served served(program, arguments);
  read_attribute(served.mountpoint() + file);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  return {.figure = took.count()};
}

std::vector<Row> start_up(const Peers&, int rounds) {
  const auto rack = [] {
    return start_up_of("../cli/mdevfs",
                       {"mount", "-f", "--log", "/dev/null", "--config", MDEVFS_RACK, Served::kMountpoint},
                       "/class/mdev_bus/rack99/mdev_supported_types/rack-type20/available_instances");
  };
  const auto null = [] { return start_up_of("null_fs", {Served::kMountpoint, "1"}, "/file"); };
  std::vector<Row> rows{
      {.id = "start_up",
       .name = "start of examples/rack.toml, to the first answer",
       .unit = "ms",
       .entries = {{.system = "mdevfs", .take = rack}, {.system = "null_fs", .take = null}}}};
  measure(rows, rounds);
  return rows;
}

// The row of others is of whoever waits longest.
std::vector<Row> unregister(const Peers&, int rounds) {
  constexpr std::size_t kDevices = 100'000;
  constexpr int kRounds = 3;
  Row own{.id = "unregister",
          .name = "unregistration of a parent with devices",
          .unit = "ms",
          .count = kDevices,
          .entries = {{.system = "mdevfs", .take = {}}}};
  Row others{.id = "unregister_others",
             .name = "reads, creates and listings of others meanwhile, 99th percentile",
             .unit = "ms",
             .count = kDevices,
             .entries = {{.system = "mdevfs", .take = {}}}};
  for (int round = 0; round < std::min(rounds, kRounds); ++round) {
    const auto measured = measure_unregistration(kDevices);
    const auto worst = std::ranges::max(measured.meanwhile, {}, &Waits::p99);
    own.entries[0].figures.push_back(measured.seconds * 1000);
    others.entries[0].figures.push_back(worst.p99);
  }
  return {std::move(own), std::move(others)};
}

constexpr Part kParts[] = {{"latency", latency},      {"clients", clients}, {"devices", devices},
                           {"creates", at_once},      {"idle", idle},       {"start-up", start_up},
                           {"unregister", unregister}};

}  // namespace

std::span<const Part> parts() {
  return kParts;
}

std::vector<std::size_t> counts_of_devices() {
  return {kCounts.begin(), kCounts.end()};
}

}  // namespace mdevfs::bench
