// SPDX-License-Identifier: Apache-2.0
#include "unregister_bench.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <latch>

#include "operations.h"
#include "served.h"

namespace mdevfs::bench {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Waits summary(std::string what, std::vector<double> waits) {
  std::ranges::sort(waits);
  const auto at = [&](double q) { return waits[static_cast<std::size_t>(q * double(waits.size() - 1))]; };
  return {std::move(what), waits.size(), at(0.5), at(0.99), waits.back()};
}

// Does it again and again until it is over.
Waits watch(std::string what, const std::function<void()>& once, std::latch& begun,
            const std::atomic<bool>& over) {
  std::vector<double> waits;
  begun.count_down();
  do {
    const auto start = Clock::now();
    once();
    waits.push_back(milliseconds_since(start));
  } while (!over);
  return summary(std::move(what), std::move(waits));
}

}  // namespace

Unregistration measure_unregistration(std::size_t devices) {
  const Served ours("bench_daemon", {Served::kMountpoint});
  const std::string parents = ours.mountpoint() + "/devices/virtual/";
  const std::string other = parents + "mtty/mtty";
  const std::string other_type = other + "/mdev_supported_types/mtty-1";
  write_attribute_often(parents + "mdpy/mdpy/mdev_supported_types/mdpy-vga/create", devices, next_uuid);
  list_long(parents + "mdpy/mdpy");
  list_long(ours.mountpoint() + "/bus/mdev/devices");

  const auto read = [&] { read_attribute(other_type + "/available_instances"); };
  const auto create_and_remove = [&] {
    const std::string uuid = next_uuid();
    write_attribute(other_type + "/create", uuid);
    write_attribute(other + "/" + uuid + "/remove", "1\n");
  };
  const auto look = [&] { list_directory(ours.mountpoint() + "/class/mdev_bus"); };
  std::latch begun(3);
  std::atomic<bool> over{false};
  const auto start_watch = [&](std::string what, const std::function<void()>& once) {
    return std::async(std::launch::async,
                      [&, what = std::move(what), once] { return watch(what, once, begun, over); });
  };
  auto reads = start_watch("open+read+close of another parent's attribute", read);
  auto creates = start_watch("create+remove on another parent", create_and_remove);
  auto lists = start_watch("ls of another directory", look);
  begun.wait();
  const auto start = Clock::now();
  write_attribute(ours.mountpoint() + "/kernel/config/mdevfs/mdpy/live", "0\n");
  Unregistration unregistration{.seconds = milliseconds_since(start) / 1000, .meanwhile = {}};
  over = true;
  for (auto* const waits : {&reads, &creates, &lists}) unregistration.meanwhile.push_back(waits->get());
  return unregistration;
}

}  // namespace mdevfs::bench
