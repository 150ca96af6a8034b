// SPDX-License-Identifier: Apache-2.0
//
// The rule "never invalidate from a worker" on a real mount. Invalidating a name takes its directory's lock
// in the kernel, which each lookup in flight there holds until it is answered. So: as many workers as there
// are stand in removes, lookups in the directory of the dying queue behind them, and then the removes go on.
// Invalidated by a worker, the mount stands still for ever.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "catch.h"
#include "mounted_daemon.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

constexpr unsigned kWorkers = 4;
constexpr unsigned kLookups = 6;

// Orders: h: hold removes; w: wait until all workers stand in one; g: let them go.
MountedDaemon::Handler slow_machine(model::Core& core) {
  const auto slow = load_slow(core);
  return [slow](char order) {
    if (order == 'h') slow.driver->removes.close();
    if (order == 'w' && !slow.driver->removes.wait_for(kWorkers)) _exit(1);
    if (order == 'g') slow.driver->removes.open();
  };
}

int write_to(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY);
  if (file < 0) return errno;
  const int error = write(file, text.data(), text.size()) < 0 ? errno : 0;
  close(file);
  return error;
}

int error_of_stat(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? 0 : errno;
}

// Aborts the mount unless it is told within half a minute that all is well.
class Watchdog {
 public:
  explicit Watchdog(const MountedDaemon& daemon) : thread_([this, &daemon] { watch(daemon); }) {}
  ~Watchdog() { thread_.join(); }
  bool call_off() {
    const std::lock_guard lock(mutex_);
    well_ = true;
    changed_.notify_all();
    return !bitten_;
  }

 private:
  void watch(const MountedDaemon& daemon) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::seconds(30), [this] { return well_; })) return;
    bitten_ = true;
    daemon.abort();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool well_ = false;
  bool bitten_ = false;
  std::thread thread_;
};

// Removes that have gone when lookups of their directory were waiting behind them; how each ended.
struct Outcome {
  std::vector<int> removes = std::vector<int>(kWorkers, -1);
  std::vector<int> lookups = std::vector<int>(kLookups, -1);
  bool alive = false;
};

Outcome remove_behind_lookups(const MountedDaemon& daemon) {
  const std::string parent = daemon.path() + "/" + kSlow + "/";
  Outcome outcome;
  daemon.order('h');
  std::vector<std::thread> threads;
  for (unsigned n = 0; n < kWorkers; ++n) {
    threads.emplace_back([&, n] { outcome.removes[n] = write_to(parent + uuid_of(n) + "/remove", "1"); });
  }
  daemon.order('w');
  Watchdog watchdog(daemon);
  for (unsigned n = 0; n < kLookups; ++n) {
    threads.emplace_back([&, n] { outcome.lookups[n] = error_of_stat(fmt::format("{}no-{}", parent, n)); });
  }
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (daemon.waiting() < kWorkers + kLookups && std::chrono::steady_clock::now() < patience) {
    std::this_thread::yield();
  }
  daemon.order('g');
  for (auto& thread : threads) thread.join();
  outcome.alive = watchdog.call_off();
  return outcome;
}

Outcome removal_on_a_mount(bool invalidate, std::vector<int>& left) {
  const MountedDaemon daemon({.most_workers = kWorkers, .invalidate = invalidate}, slow_machine);
  const std::string parent = daemon.path() + "/" + kSlow + "/";
  for (unsigned n = 0; n < kWorkers; ++n) {
    REQUIRE(write_to(daemon.path() + "/" + kSlowCreate, uuid_of(n)) == 0);
    REQUIRE(error_of_stat(parent + uuid_of(n)) == 0);
  }
  const Outcome outcome = remove_behind_lookups(daemon);
  for (unsigned n = 0; n < kWorkers; ++n) left.push_back(error_of_stat(parent + uuid_of(n)));
  return outcome;
}

}  // namespace

TEST_CASE("mount: removes behind lookups of their directory") {
  if (const auto why_not = MountedDaemon::impossible()) {
    WARN("skipped: " << *why_not);
    return;
  }
  const bool invalidate = GENERATE(true, false);
  std::vector<int> left;
  const Outcome outcome = removal_on_a_mount(invalidate, left);
  CHECK(outcome.alive);
  CHECK(outcome.removes == std::vector<int>(kWorkers, 0));
  CHECK(outcome.lookups == std::vector<int>(kLookups, ENOENT));
  // Without invalidation the kernel still knows the names: so it is the invalidation that is tested.
  CHECK(left == std::vector<int>(kWorkers, invalidate ? ENOENT : 0));
}
