// SPDX-License-Identifier: Apache-2.0
//
// What clients wait for: the same operations on mdevfs, on a null libfuse filesystem and on the machine's own
// sysfs, taking turns in rounds, so that whatever else the machine does hits all three. Medians, with half
// the interquartile range beside them; ratios are medians of the rounds' ratios. Requests are the daemons'
// own reads. Ends with 1 where a floor is passed, with 77 where nothing can be mounted.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "floor.h"
#include "operations.h"
#include "served.h"
#include "unregister_bench.h"

namespace mdevfs::bench {
namespace {

constexpr int kSkipped = 77;
constexpr std::size_t kFew = 1'000;
constexpr std::size_t kMany = 100'000;
constexpr const char* kParent = "/devices/virtual/mdpy/mdpy";
constexpr const char* kType = "/devices/virtual/mdpy/mdpy/mdev_supported_types/mdpy-vga";

enum System : std::size_t { kMdevfs, kNull, kSysfs, kSystems };

// Does something so many times, and says how many.
using Work = std::function<std::size_t()>;

struct Row {
  std::string name;
  std::array<Work, kSystems> work;  // empty: there is no such thing there
  std::array<std::vector<double>, kSystems> nanoseconds = {};
  std::array<double, kSystems> requests = {};  // per operation, in the last round
};

Work repeat(std::size_t times, std::function<void()> once) {
  return [times, once = std::move(once)] {
    for (std::size_t i = 0; i < times; ++i) once();
    return times;
  };
}

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

double median(const std::vector<double>& values) {
  return quantile(values, 0.5);
}

void measure(Row& row, std::size_t system, const Served* served, bool keep) {
  if (!row.work[system]) return;
  const std::uint64_t requests = served != nullptr ? served->requests() : 0;
  const auto start = std::chrono::steady_clock::now();
  const auto times = static_cast<double>(row.work[system]());
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  if (!keep) return;
  row.nanoseconds[system].push_back(took.count() / times);
  if (served != nullptr) row.requests[system] = static_cast<double>(served->requests() - requests) / times;
}

// The first round only warms up.
void measure(std::vector<Row>& rows, const Served& ours, const Served& null, int rounds) {
  const std::array<const Served*, kSystems> served{&ours, &null, nullptr};
  for (int round = 0; round <= rounds; ++round) {
    for (Row& row : rows) {
      for (std::size_t system = 0; system < kSystems; ++system) {
        measure(row, system, served[system], round > 0);
      }
    }
  }
}

// --- the table

std::string duration_text(const std::vector<double>& nanoseconds) {
  if (nanoseconds.empty()) return "-";
  const double middle = median(nanoseconds);
  const double spread = (quantile(nanoseconds, 0.75) - quantile(nanoseconds, 0.25)) / 2 / middle * 100;
  const bool micro = middle >= 10'000;
  return fmt::format("{:.{}f} {} ±{:2.0f}%", micro ? middle / 1000 : middle, micro ? 1 : 0,
                     micro ? "us" : "ns", spread);
}

std::string ratio_text(const Row& row, std::size_t peer) {
  if (row.nanoseconds[peer].empty()) return "-";
  std::vector<double> ratios;
  for (std::size_t i = 0; i < row.nanoseconds[peer].size(); ++i) {
    ratios.push_back(row.nanoseconds[kMdevfs][i] / row.nanoseconds[peer][i]);
  }
  return fmt::format("{:.2f}", median(ratios));
}

void print_line(const std::string& name, const std::array<std::string, 7>& cells) {
  fmt::print("{:36} {:>14} {:>14} {:>14} {:>9} {:>9} {:>9} {:>9}\n", name, cells[0], cells[1], cells[2],
             cells[3], cells[4], cells[5], cells[6]);
}

void print_heading() {
  print_line("", {"", "", "", "mdevfs/", "mdevfs/", "requests", "requests"});
  print_line("", {"mdevfs", "null_fs", "sysfs", "null_fs", "sysfs", "mdevfs", "null_fs"});
}

void print(const Row& row) {
  const auto requests = [&](System system) {
    return row.work[system] ? fmt::format("{:.2f}", row.requests[system]) : std::string("-");
  };
  print_line(row.name, {duration_text(row.nanoseconds[kMdevfs]), duration_text(row.nanoseconds[kNull]),
                        duration_text(row.nanoseconds[kSysfs]), ratio_text(row, kNull),
                        ratio_text(row, kSysfs), requests(kMdevfs), requests(kNull)});
}

// --- the rows

Row create_remove(const Served& ours, const Served& null, const std::string& name) {
  const std::string parent = ours.mountpoint() + kParent;
  const std::string create = ours.mountpoint() + kType + "/create";
  const std::string file = null.mountpoint() + "/file";
  const auto on_mdevfs = [=] {
    const std::string uuid = next_uuid();
    write_attribute(create, uuid);
    write_attribute(parent + "/" + uuid + "/remove", "1\n");
  };
  const auto two_writes = [=] {
    write_attribute(file, "1\n");
    write_attribute(file, "1\n");
  };
  return {name, {repeat(100, on_mdevfs), repeat(100, two_writes), {}}};
}

std::string largest_of_sysfs() {
  std::string largest;
  std::size_t most = 0;
  for (const char* const name : {"/sys/module", "/sys/class/tty", "/sys/class", "/sys/kernel/slab"}) {
    if (access(name, R_OK) != 0) continue;
    const std::size_t entries = list_directory(name);
    if (entries > most) {
      most = entries;
      largest = name;
    }
  }
  return largest;
}

Row listing(const Served& ours, const Served& null, std::size_t entries, std::size_t times) {
  const auto list = [times](const std::string& path) {
    return [=] {
      std::size_t listed = 0;
      for (std::size_t i = 0; i < times; ++i) listed += list_directory(path);
      return listed;
    };
  };
  return {fmt::format("ls of {}, an entry", entries),
          {list(ours.mountpoint() + kParent), list(null.mountpoint() + fmt::format("/d{}", entries)),
           list(largest_of_sysfs())}};
}

std::vector<Row> rows_of_known_paths(const Served& ours, const Served& null, const std::string& uuid) {
  constexpr std::size_t kTimes = 1000;
  const auto on_all = [&](void (*operation)(const std::string&), const std::string& on_mdevfs,
                          const std::string& on_null, const std::string& on_sysfs) {
    const auto work = [=](const std::string& path) { return repeat(kTimes, [=] { operation(path); }); };
    return std::array<Work, kSystems>{work(ours.mountpoint() + on_mdevfs), work(null.mountpoint() + on_null),
                                      work(on_sysfs)};
  };
  const std::string device = kParent + ("/" + uuid);
  const std::string sysfs = "/sys/devices/virtual/mem/null";
  return {
      {"open+read+close of an attribute",
       on_all(read_attribute, device + "/vendor/resolution", "/file", sysfs + "/dev")},
      {"stat of a known path", on_all(stat_path, device + "/remove", "/file", sysfs + "/dev")},
      {"readlink of a known path", on_all(read_link, device + "/mdev_type", "/link", sysfs + "/subsystem")}};
}

// So many clients at once, each with a thread of its own.
Work by_clients(unsigned clients, const std::string& path) {
  constexpr std::size_t kTimes = 1000;
  return [=] {
    std::vector<std::jthread> threads;
    for (unsigned client = 0; client < clients; ++client) {
      threads.emplace_back([&path] {
        for (std::size_t i = 0; i < kTimes; ++i) read_attribute(path);
      });
    }
    threads.clear();
    return clients * kTimes;
  };
}

// --- the parts

void with_clients(const Served& null, int rounds, const char* poll_us) {
  const Served ours("bench_daemon", {poll_us});
  std::vector<Row> rows;
  for (const unsigned clients : {1, 2, 4, 8}) {
    rows.push_back({fmt::format("open+read+close, {} clients, --poll-us {}", clients, poll_us),
                    {by_clients(clients, ours.mountpoint() + kType + "/available_instances"),
                     by_clients(clients, null.mountpoint() + "/file"),
                     by_clients(clients, "/sys/devices/virtual/mem/null/dev")}});
  }
  measure(rows, ours, null, rounds);
  for (const Row& row : rows) print(row);
}

bool with_few_devices(const Served& null, int rounds) {
  const Served ours("bench_daemon", {});
  const std::string create = ours.mountpoint() + kType + "/create";
  const std::string uuid = next_uuid();
  write_attribute(create, uuid);
  write_attribute_often(create, kFew - 1, next_uuid);
  auto rows = rows_of_known_paths(ours, null, uuid);
  rows.push_back(create_remove(ours, null, fmt::format("create+remove, {} live", kFew)));
  rows.push_back(listing(ours, null, kFew, 10));
  measure(rows, ours, null, rounds);
  for (const Row& row : rows) print(row);
  return std::max(rows[1].requests[kMdevfs], rows[2].requests[kMdevfs]) == 0;
}

struct Memory {
  double bytes_per_device = 0;
  double bytes_per_device_looked_at = 0;
};

Memory with_many_devices(const Served& null, int rounds) {
  const Served ours("bench_daemon", {});
  const auto before = static_cast<double>(ours.resident_bytes());
  const auto per_device = [&] {
    return (static_cast<double>(ours.resident_bytes()) - before) / static_cast<double>(kMany);
  };
  write_attribute_often(ours.mountpoint() + kType + "/create", kMany, next_uuid);
  Memory memory{.bytes_per_device = per_device()};
  list_long(ours.mountpoint() + kParent);
  list_long(ours.mountpoint() + "/bus/mdev/devices");
  memory.bytes_per_device_looked_at = per_device();
  std::vector<Row> rows{create_remove(ours, null, fmt::format("create+remove, {} live", kMany)),
                        listing(ours, null, kMany, 1)};
  measure(rows, ours, null, rounds);
  for (const Row& row : rows) print(row);
  return memory;
}

bool run(int rounds) {
  const Served null("null_fs", {fmt::format("{}", kFew), fmt::format("{}", kMany)});
  print_heading();
  const bool no_request = with_few_devices(null, rounds);
  for (const char* const poll_us : {"0", "50"}) with_clients(null, rounds, poll_us);
  const Memory memory = with_many_devices(null, rounds);
  const Unregistration unregistration = measure_unregistration(kMany);
  print(unregistration);
  fmt::print("\n{} rounds. create+remove on null_fs: two times open+write+close. ls on sysfs: of {}.\n\n",
             rounds, largest_of_sysfs());
  constexpr double kMostBytes = 400;
  bool passed = check_floor("requests for stat and readlink of a known path", no_request ? 0 : 1, 0, "");
  passed &=
      check_floor("daemon memory per device, 100,000 created", memory.bytes_per_device, kMostBytes, " bytes");
  passed &=
      check_floor("the same after ls -l of all", memory.bytes_per_device_looked_at, kMostBytes, " bytes");
  constexpr double kMostSeconds = 5;
  constexpr double kMostMilliseconds = 50;
  passed &= check_floor("unregistration of a parent with 100,000 devices", unregistration.seconds,
                        kMostSeconds, " s");
  for (const Waits& waits : unregistration.meanwhile) {
    passed &= check_floor(waits.what + " meanwhile, 99th percentile", waits.p99, kMostMilliseconds, " ms");
  }
  return passed;
}

}  // namespace
}  // namespace mdevfs::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  if (rounds < 1) {
    fmt::print(stderr, "usage: mount_bench [ROUNDS]\n");
    return 2;
  }
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) {
    fmt::print("SKIP  the mount's part: /dev/fuse cannot be opened here\n");
    return mdevfs::bench::kSkipped;
  }
  close(fuse);
  try {
    return mdevfs::bench::run(rounds) ? 0 : 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "mount_bench: {}\n", e.what());
    return 1;
  }
}
