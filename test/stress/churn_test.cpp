// SPDX-License-Identifier: Apache-2.0
//
// Create, remove and read at once, on mtty: on the model, over the wire, and with processes on a mount. What
// is asserted held in the same stress on a real kernel 6.1.
#include "churn.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <thread>
#include <vector>

#include "backends/backends.h"
#include "catch.h"
#include "test/wire/mounted_daemon.h"
#include "test/wire/slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

constexpr unsigned kRemovers = 4;
constexpr unsigned kReaders = 2;

using Client = void (*)(Door&, Accounts&);

std::vector<Client> clients() {
  std::vector<Client> all{create_without_pause};
  all.insert(all.end(), kRemovers, remove_whatever_is_listed);
  all.insert(all.end(), kReaders, read_and_list);
  return all;
}

void run_threads(Door& door, Accounts& accounts) {
  accounts.end = std::chrono::steady_clock::now() + stress_time();
  std::vector<std::jthread> threads;
  for (const Client client : clients())
    threads.emplace_back([=, &door, &accounts] { client(door, accounts); });
}

void run_processes(Door& door, Accounts& accounts) {
  accounts.end = std::chrono::steady_clock::now() + stress_time();
  std::vector<pid_t> processes;
  for (const Client client : clients()) {
    const pid_t process = fork();
    if (process == 0) {
      client(door, accounts);
      _exit(0);
    }
    processes.push_back(process);
  }
  for (const pid_t process : processes) {
    int status = 0;
    REQUIRE(waitpid(process, &status, 0) == process);
    CHECK(status == 0);
  }
}

void check_accounts(const Accounts& accounts) {
  unsigned creates = 0;
  for (const auto& [error, times] : accounts.creates.seen()) {
    INFO("create: errno " << error << ", " << times << " times");
    CHECK((error == 0 || error == EEXIST || error == ENOSPC));
    creates += times;
  }
  for (const auto& [error, times] : accounts.removes.seen()) {
    INFO("remove: errno " << error << ", " << times << " times");
    CHECK((error == 0 || error == ENOENT || error == ENODEV || error == EAGAIN));
  }
  for (const auto& [error, times] : accounts.reads.seen()) {
    INFO("read: errno " << error << ", " << times << " times");
    CHECK((error == 0 || error == ENOENT || error == ENODEV));
  }
  CHECK(accounts.wrong_counts == 0);
  CHECK(creates > 20);
  CHECK(accounts.removes.of(0) > 0);
  WARN("creates " << accounts.creates.of(0) << " of " << creates << ", removes " << accounts.removes.of(0)
                  << ", lost " << accounts.removes.of(ENOENT) + accounts.removes.of(ENODEV)
                  << ", during probe " << accounts.removes.of(EAGAIN));
}

std::string text_of(Door& door, const std::string& path) {
  const auto text = door.read(path);
  return text ? *text : "errno " + std::to_string(text.error().value);
}

void check_what_is_left(Door& door, const Accounts& accounts) {
  const auto left = door.list("bus/mdev/devices");
  unsigned ports = 0;
  for (const auto& uuid : left) {
    INFO(uuid);
    CHECK_FALSE(door.exists(kMttyParent + "/" + uuid + "/remove"));
    CHECK(door.exists(kMttyParent + "/" + uuid + "/mdev_type"));
    ports += ports_of(uuid);
  }
  CHECK(left.size() <= accounts.removes.of(EAGAIN));
  // Of several writers inside one `remove` more than one may have its length back.
  CHECK(accounts.creates.of(0) - left.size() <= accounts.removes.of(0));
  CHECK(text_of(door, mtty_type(0) + "/available_instances") == std::to_string(24 - ports) + "\n");
}

void check_after_registering_anew(Door& door) {
  CHECK(door.list("bus/mdev/devices").empty());
  CHECK(door.list(mtty_type(0) + "/devices").empty());
  CHECK(text_of(door, mtty_type(0) + "/available_instances") == "24\n");
  CHECK(text_of(door, mtty_type(1) + "/available_instances") == "12\n");
  CHECK(door.write(mtty_type(1) + "/create", uuid_of(1)) == 0);
}

struct Mtty {
  model::Core core;
  Mtty() { REQUIRE(backends::find("mtty")->load(core, {})); }
};

}  // namespace

TEST_CASE("create, remove and read at once: the model") {
  Mtty mtty;
  ModelDoor door(mtty.core);
  Accounts accounts;
  run_threads(door, accounts);
  check_accounts(accounts);
  check_what_is_left(door, accounts);
  register_anew(mtty.core);
  check_after_registering_anew(door);
  CHECK(mtty.core.device_count() == 1);
}

TEST_CASE("create, remove and read at once: the wire") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  WireDoor door(kernel);
  Accounts accounts;
  run_threads(door, accounts);
  check_accounts(accounts);
  check_what_is_left(door, accounts);
  register_anew(mtty.core);
  check_after_registering_anew(door);
}

TEST_CASE("mount: create, remove and read at once") {
  if (const auto why_not = MountedDaemon::impossible()) {
    WARN("skipped: " << *why_not);
    return;
  }
  const MountedDaemon daemon({}, [](model::Core& core) -> MountedDaemon::Handler {
    if (!backends::find("mtty")->load(core, {})) _exit(1);
    return [&core](char) { register_anew(core); };
  });
  MountDoor door(daemon.path());
  void* const shared =
      mmap(nullptr, sizeof(Accounts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  Accounts& accounts = *new (shared) Accounts;
  run_processes(door, accounts);
  check_accounts(accounts);
  check_what_is_left(door, accounts);
  daemon.order('r');
  daemon.settle();
  check_after_registering_anew(door);
  munmap(shared, sizeof(Accounts));
}
