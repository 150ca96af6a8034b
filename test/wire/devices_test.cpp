// SPDX-License-Identifier: Apache-2.0
//
// Devices coming and going through the wire: what write(2) answers and when, what the kernel is told and in
// which order, and what descriptors on the dead give.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <latch>
#include <map>
#include <thread>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "model/waiting.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

const std::string kUuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
const std::string kParent = "devices/virtual/mtty/mtty/";
const std::string kTypes = kParent + "mdev_supported_types/";

struct Mtty {
  model::Core core;
  Mtty() { REQUIRE(backends::find("mtty")->load(core, {})); }
};

struct Slow {
  explicit Slow(model::KernelVersion version = model::kDefaultKernel)
      : core({}, model::Core::Boot::all, version) {}
  model::Core core;
  SlowParent parent = load_slow(core);
  SlowDriver& driver = *parent.driver;
};

Descriptor open_or_fail(KernelSide& kernel, std::string_view path, std::uint32_t flags) {
  const auto file = kernel.open(kernel.walk(path), flags);
  REQUIRE(file);
  return *file;
}

// Looks up everything below a directory, so that the kernel knows it; links are not followed.
void look_at_all(KernelSide& kernel, std::uint64_t inode) {
  const auto directory = kernel.opendir(inode);
  REQUIRE(directory);
  const auto entries = kernel.readdir(*directory, 0, 65536);
  kernel.closedir(*directory);
  REQUIRE(entries);
  for (const Listed& entry : *entries) {
    if (entry.name == "." || entry.name == "..") continue;
    const auto found = kernel.lookup(inode, entry.name);
    REQUIRE(found);
    if (S_ISDIR(found->attr.mode)) look_at_all(kernel, found->nodeid);
  }
}

std::size_t place_of_answer(const std::vector<Heard>& heard, std::uint64_t unique) {
  const auto at = std::ranges::find(heard, unique, &Heard::unique);
  return static_cast<std::size_t>(at - heard.begin());
}

bool told_gone(const std::vector<Heard>& heard, std::size_t before, std::uint64_t directory,
               const std::string& name) {
  return std::any_of(heard.begin(), heard.begin() + static_cast<std::ptrdiff_t>(before), [&](const Heard& h) {
    return h.code == FUSE_NOTIFY_INVAL_ENTRY && h.inode == directory && h.name == name;
  });
}

bool told_changed(const std::vector<Heard>& heard, std::size_t before, std::uint64_t inode) {
  return std::any_of(heard.begin(), heard.begin() + static_cast<std::ptrdiff_t>(before),
                     [&](const Heard& h) { return h.code == FUSE_NOTIFY_INVAL_INODE && h.inode == inode; });
}

// The names that the kernel knows and that are not there any more, or are somebody else's.
KernelSide::Names stale_names(KernelSide& kernel) {
  KernelSide::Names stale;
  for (const auto& [place, inode] : kernel.known_names()) {
    const auto found = kernel.lookup(place.first, place.second);
    const bool always_new = found && found->entry_valid == 0;
    if (!always_new && (!found || found->nodeid != inode)) stale.emplace(place, inode);
  }
  return stale;
}

}  // namespace

TEST_CASE("a device comes and goes with a write") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "24\n");
  CHECK(kernel.echo(kUuid + "\n", kTypes + "mtty-1/create") == 37);
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "23\n");
  CHECK(kernel.readlink(kernel.walk("bus/mdev/devices/" + kUuid)) == "../../../" + kParent + kUuid);
  CHECK(kernel.echo("1\n", kParent + kUuid + "/remove") == 2);
  CHECK(kernel.find(kParent + kUuid) == fail(ENOENT));
  CHECK(kernel.find("bus/mdev/devices/" + kUuid) == fail(ENOENT));
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "24\n");
}

TEST_CASE("write(2) carries the errno of create and remove") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  const auto create = open_or_fail(kernel, kTypes + "mtty-2/create", O_WRONLY);
  CHECK(kernel.write(create, kUuid + "\n\n") == fail(EINVAL));
  CHECK(kernel.write(create, kUuid, 1'000'000) == 36);
  CHECK(kernel.write(create, kUuid) == fail(EEXIST));
  CHECK(kernel.echo(kUuid, kTypes + "mtty-1/create") == fail(EEXIST));
  for (unsigned n = 1; n < 12; ++n) CHECK(kernel.write(create, uuid_of(n)) == 36);
  CHECK(kernel.write(create, uuid_of(12)) == fail(ENOSPC));

  const auto remove = open_or_fail(kernel, kParent + kUuid + "/remove", O_WRONLY);
  CHECK(kernel.write(remove, "x") == fail(EINVAL));
  CHECK(kernel.write(remove, "0\n") == 2);
  CHECK(kernel.find(kParent + kUuid));
  CHECK(kernel.write(remove, std::string(4095, '0') + "1" + std::string(900, 'x')) == 4096);
  CHECK(kernel.write(remove, "1") == fail(ENODEV));
  CHECK(kernel.find(kParent + kUuid) == fail(ENOENT));
}

TEST_CASE("a remove is answered when the kernel knows what is gone, and is told of nothing else") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  REQUIRE(kernel.echo(kUuid, kTypes + "mtty-1/create"));
  REQUIRE(kernel.echo(uuid_of(1), kTypes + "mtty-1/create"));
  look_at_all(kernel, kRoot);
  const auto parent = kernel.walk(kParent.substr(0, kParent.size() - 1));
  const auto remove = open_or_fail(kernel, kParent + kUuid + "/remove", O_WRONLY);
  const auto unique = kernel.start_write(remove, "1");
  REQUIRE(kernel.wait(unique).error == 0);
  const auto heard = kernel.heard();
  const auto answered = place_of_answer(heard, unique);
  const auto known = kernel.known_names();

  const auto stale = stale_names(kernel);
  CHECK(stale.size() > 50);  // the device's directory with all in it, its vfio device and group, the links
  for (const auto& [place, inode] : stale) {
    INFO(place.second << " in " << place.first);
    CHECK(told_gone(heard, answered, place.first, place.second));
  }
  CHECK(told_changed(heard, answered, parent));  // a directory less: another nlink
  for (const Heard& h : heard) {
    if (h.code != FUSE_NOTIFY_INVAL_ENTRY) continue;
    INFO(h.name << " in " << h.inode);
    CHECK(stale.contains({h.inode, h.name}));
  }
}

TEST_CASE("what the kernel has never looked up is not invalidated") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  for (unsigned n = 0; n < 20; ++n) REQUIRE(kernel.echo(uuid_of(n), kTypes + "mtty-1/create"));
  for (unsigned n = 0; n < 10; ++n) REQUIRE(kernel.echo("1", kParent + uuid_of(n) + "/remove"));
  mtty.core.unload_module(*mtty.core.find_module("mtty"));
  REQUIRE(kernel.echo("1", "bus/mdev/drivers_autoprobe"));  // answered behind what was published before
  const auto known = kernel.known_names();
  unsigned invalidated = 0;
  for (const Heard& h : kernel.heard()) {
    if (h.code != FUSE_NOTIFY_INVAL_ENTRY) continue;
    INFO(h.name << " in " << h.inode);
    CHECK(known.contains({h.inode, h.name}));
    ++invalidated;
  }
  // Ten devices and their `remove`, and the way to them: mtty, mtty, mdev_supported_types, mtty-1, create.
  CHECK(invalidated == 25);
}

TEST_CASE("a uevent is sent when the kernel knows what is gone, and before the writer is answered") {
  using namespace std::chrono_literals;
  Mtty mtty;
  KernelSide* side = nullptr;
  std::atomic<std::uint64_t> writer{0};
  std::uint64_t parent = 0;
  std::vector<std::string> sent;
  bool told = false, answered = false;
  // What is queued behind this call comes only when it has returned: waiting for it is in vain.
  const auto send = [&](const model::Uevent& event) {
    sent.push_back(event.action);
    if (event.action != "remove" || event.subsystem != "mdev") return;
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (!told && std::chrono::steady_clock::now() < deadline) {
      const auto heard = side->heard();
      told = told_gone(heard, heard.size(), parent, kUuid);
    }
    answered = side->answered(writer);
  };
  KernelSide kernel(mtty.core, {.send_uevent = send});
  side = &kernel;
  REQUIRE(kernel.echo(kUuid, kTypes + "mtty-1/create"));
  CHECK(sent == std::vector<std::string>{"add", "add", "add", "bind"});
  parent = kernel.walk(kParent.substr(0, kParent.size() - 1));
  const auto remove = open_or_fail(kernel, kParent + kUuid + "/remove", O_WRONLY);
  writer = kernel.next_unique() + 2;  // the write's
  const auto unique = kernel.start_write(remove, "1");
  REQUIRE(unique == writer);
  REQUIRE(kernel.wait(unique).error == 0);
  CHECK(told);
  CHECK_FALSE(answered);
  CHECK(sent.size() == 8);
}

TEST_CASE("what is gone is told at once, though the remove is answered later") {
  Slow slow;
  KernelSide kernel(slow.core);
  REQUIRE(kernel.echo(kUuid, kSlowCreate));
  const auto device = kernel.walk(kSlow + "/" + kUuid);
  look_at_all(kernel, device);
  const auto link = kernel.walk("bus/mdev/devices");
  REQUIRE(kernel.lookup(link, kUuid));
  const auto remove = open_or_fail(kernel, kSlow + "/" + kUuid + "/remove", O_WRONLY);
  slow.driver.removes.close();
  const auto unique = kernel.start_write(remove, "1");
  REQUIRE(slow.driver.removes.wait_for(1));
  // Any other write is answered behind what has been published so far.
  REQUIRE(kernel.echo("1", "bus/mdev/drivers_autoprobe"));
  auto heard = kernel.heard();
  CHECK(told_gone(heard, heard.size(), link, kUuid));
  CHECK(told_gone(heard, heard.size(), device, "uevent"));
  CHECK(kernel.names_in(kSlow + "/" + kUuid).empty());
  CHECK(kernel.getattr(device)->nlink == 2);
  CHECK(kernel.echo(kUuid, kSlowCreate) == fail(EEXIST));
  CHECK_FALSE(kernel.answered(unique));
  slow.driver.removes.open();
  CHECK(kernel.wait(unique).error == 0);
  heard = kernel.heard();
  CHECK(told_gone(heard, place_of_answer(heard, unique), kernel.walk(kSlow), kUuid));
}

// The last invalidation of each name in a directory, by its flags.
std::map<std::string, std::uint32_t> flags_of_gone(KernelSide& kernel, std::uint64_t directory) {
  REQUIRE(kernel.echo("1", "bus/mdev/drivers_autoprobe"));  // answered behind what was published before
  std::map<std::string, std::uint32_t> flags;
  for (const Heard& h : kernel.heard())
    if (h.code == FUSE_NOTIFY_INVAL_ENTRY && h.inode == directory) flags[h.name] = h.flags;
  return flags;
}

TEST_CASE("what changes while something is being told of is told after it") {
  Mtty mtty;
  Turnstile uevents;
  KernelSide kernel(mtty.core, {.send_uevent = [&](const model::Uevent&) { uevents.pass(); }});
  const auto parent = kernel.walk(kParent);
  const auto told = [&] {  // before the answer to a read
    CHECK(kernel.cat("bus/mdev/drivers_autoprobe"));
    const auto heard = kernel.heard();
    return std::ranges::count_if(heard, [&](const Heard& h) { return h.unique == 0 && h.inode == parent; });
  };
  const auto first = open_or_fail(kernel, kTypes + "mtty-1/create", O_WRONLY);
  const auto second = open_or_fail(kernel, kTypes + "mtty-2/create", O_WRONLY);
  uevents.close();
  const auto held = kernel.start_write(first, uuid_of(1));
  REQUIRE(uevents.wait_for(1));
  const auto before = told();
  CHECK(before > 0);
  const auto waits = kernel.start_write(second, uuid_of(2));
  CHECK(told() == before);
  CHECK(kernel.find(kParent + uuid_of(2)));
  uevents.open();
  CHECK(kernel.wait(held).error == 0);
  CHECK(kernel.wait(waits).error == 0);
  CHECK(told() > before);
}

TEST_CASE("a name that is gone lingers, unless the kernel has asked for it twice") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  const auto parent = kernel.walk(kParent.substr(0, kParent.size() - 1));
  const auto links = kernel.walk("bus/mdev/devices");
  for (const unsigned n : {1U, 2U}) {
    REQUIRE(kernel.echo(uuid_of(n), kTypes + "mtty-1/create"));
    REQUIRE(kernel.lookup(links, uuid_of(n)));
  }
  const auto once = open_or_fail(kernel, kParent + uuid_of(1) + "/remove", O_WRONLY);
  const auto twice = open_or_fail(kernel, kParent + uuid_of(2) + "/remove", O_WRONLY);
  REQUIRE(kernel.lookup(parent, uuid_of(2)));
  REQUIRE(kernel.lookup(links, uuid_of(2)));
  REQUIRE(kernel.write(once, "1") == 1);
  REQUIRE(kernel.write(twice, "1") == 1);
  using Flags = std::map<std::string, std::uint32_t>;
  CHECK(flags_of_gone(kernel, parent) == Flags{{uuid_of(1), FUSE_EXPIRE_ONLY}, {uuid_of(2), 0}});
  CHECK(flags_of_gone(kernel, links) == Flags{{uuid_of(1), FUSE_EXPIRE_ONLY}, {uuid_of(2), 0}});
}

TEST_CASE("where uevent waits for a probe, poll waits for neither") {
  Slow slow({6, 1});
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  const auto unique = kernel.start_write(open_or_fail(kernel, kSlowCreate, O_WRONLY), kUuid);
  REQUIRE(slow.driver.probes.wait_for(1));
  const auto uevent = open_or_fail(kernel, kSlow + "/" + kUuid + "/uevent", O_RDONLY);
  const auto reading = kernel.start_read(uevent);
  CHECK(kernel.poll(uevent) == (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI | POLLERR));
  CHECK_FALSE(kernel.answered(reading));
  slow.driver.probes.open();
  CHECK(kernel.wait(reading).body == "DRIVER=slow\n");
  CHECK(kernel.wait(unique).error == 0);
}

TEST_CASE("while probe runs") {
  Slow slow;
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  const auto unique = kernel.start_write(open_or_fail(kernel, kSlowCreate, O_WRONLY), kUuid);
  REQUIRE(slow.driver.probes.wait_for(1));
  const std::string device = kSlow + "/" + kUuid + "/";

  SECTION("the device is half there, and its uevent answers at once") {
    CHECK(kernel.find(device + "driver"));
    CHECK(kernel.find(device + "mdev_type") == fail(ENOENT));
    CHECK(kernel.cat(kSlowType + "/available_instances") == "999\n");
    CHECK(kernel.echo(kUuid, kSlowCreate) == fail(EEXIST));
    CHECK(kernel.cat(device + "uevent") == "DRIVER=slow\n");
    slow.driver.probes.open();
    CHECK(kernel.wait(unique).error == 0);
  }
  SECTION("a remove takes its file away for good and the device stays") {
    const auto late = open_or_fail(kernel, device + "remove", O_WRONLY);
    CHECK(kernel.echo("1", device + "remove") == fail(EAGAIN));
    CHECK(kernel.find(device + "remove") == fail(ENOENT));
    slow.driver.probes.open();
    CHECK(kernel.wait(unique).error == 0);
    CHECK(kernel.write(late, "1") == fail(ENODEV));
    CHECK(kernel.find(device + "mdev_type"));
  }
  SECTION("a probe that fails leaves nothing, and its errno is the write's") {
    kernel.walk(device + "power/control");
    const int error = GENERATE(EDOM, 511, 512, 4095);
    slow.driver.probe_error = error;
    slow.driver.probes.open();
    // The kernel drops answers from 512 on, and the writer would wait for ever.
    CHECK(kernel.wait(unique).error == (error < 512 ? error : EIO));
    CHECK(kernel.find(kSlow + "/" + kUuid) == fail(ENOENT));
    CHECK(kernel.cat(kSlowType + "/available_instances") == "1000\n");
    CHECK(stale_names(kernel).size() == 3);  // UUID, power, control
    const auto heard = kernel.heard();
    for (const auto& [place, inode] : stale_names(kernel)) {
      CHECK(told_gone(heard, place_of_answer(heard, unique), place.first, place.second));
    }
  }
}

TEST_CASE("creates in slow probes hold up nobody") {
  constexpr unsigned kCreates = 100;
  Slow slow;
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  std::vector<std::uint64_t> creates;
  for (unsigned n = 0; n < kCreates; ++n) {
    creates.push_back(kernel.start_write(open_or_fail(kernel, kSlowCreate, O_WRONLY), uuid_of(n)));
  }
  REQUIRE(slow.driver.probes.wait_for(kCreates));
  CHECK(kernel.cat(kSlowType + "/name") == "Slow A\n");
  CHECK(kernel.cat(kSlowType + "/available_instances") == fmt::format("{}\n", 1000 - kCreates));
  CHECK(kernel.names_in("bus/mdev/devices").size() == kCreates);
  CHECK(kernel.names_in(kSlowType + "/devices").empty());
  CHECK(kernel.readlink(kernel.walk("bus/mdev/devices/" + uuid_of(7))));
  CHECK(std::ranges::none_of(creates, [&](auto unique) { return kernel.answered(unique); }));
  slow.driver.probes.open();
  for (const auto unique : creates) CHECK(KernelSide::written(kernel.wait(unique)) == 36);
  CHECK(kernel.names_in(kSlowType + "/devices").size() == kCreates);
}

TEST_CASE("one descriptor does one write at a time, and holds up no other") {
  Slow slow;
  KernelSide kernel(slow.core);
  slow.driver.probes.close();
  const auto one = open_or_fail(kernel, kSlowCreate, O_WRONLY);
  const auto other = open_or_fail(kernel, kSlowCreate, O_WRONLY);
  const auto first = kernel.start_write(one, uuid_of(1));
  REQUIRE(slow.driver.probes.wait_for(1));
  const auto second = kernel.start_write(one, uuid_of(2));
  const auto third = kernel.start_write(other, uuid_of(3));
  REQUIRE(slow.driver.probes.wait_for(2));
  CHECK(kernel.find(kSlow + "/" + uuid_of(3)));
  CHECK(kernel.find(kSlow + "/" + uuid_of(2)) == fail(ENOENT));
  slow.driver.probes.open();
  for (const auto unique : {first, second, third}) CHECK(kernel.wait(unique).error == 0);
}

TEST_CASE("there is always a worker left to read the next request") {
  Slow slow;
  KernelSide kernel(slow.core);
  slow.driver.probe_error = EIO;  // a failed create can be tried again for ever
  const auto create = [&](unsigned n) {
    return kernel.start_write(open_or_fail(kernel, kSlowCreate, O_WRONLY), uuid_of(n));
  };
  for (unsigned round = 0; round < 40; ++round) {
    // More workers than are kept become idle at once, and while they decide who leaves, others are taken up.
    slow.driver.probes.close();
    std::vector<std::uint64_t> requests;
    for (unsigned n = 0; n < 24; ++n) requests.push_back(create(n));
    REQUIRE(slow.driver.probes.wait_for(24));
    slow.driver.probes.open();
    for (unsigned n = 24; n < 48; ++n) requests.push_back(create(n));
    for (const auto unique : requests) REQUIRE(kernel.wait(unique).error == EIO);
  }
}

TEST_CASE("whatever a backend throws, its caller has one answer and others are not disturbed") {
  Slow slow;
  KernelSide kernel(slow.core);
  SECTION("from a file") {
    slow.driver.count_throws = true;
    CHECK(kernel.cat(kSlowType + "/available_instances") == fail(EIO));
    slow.driver.count_throws = false;
    CHECK(kernel.cat(kSlowType + "/available_instances") == "1000\n");
  }
  SECTION("from probe") {
    slow.driver.probe_throws = true;
    CHECK(kernel.echo(kUuid, kSlowCreate) == fail(EIO));
    slow.driver.probe_throws = false;
    CHECK(kernel.find(kSlow + "/" + kUuid) == fail(ENOENT));
    CHECK(kernel.cat(kSlowType + "/available_instances") == "1000\n");
    CHECK(kernel.echo(kUuid, kSlowCreate) == 36);
  }
  slow.core.unregister_parent(*slow.parent.parent);
  CHECK(kernel.find(kSlowType) == fail(ENOENT));
}

TEST_CASE("a file that is gone") {
  Slow slow;
  KernelSide kernel(slow.core);
  const std::string device = kSlow + "/" + kUuid;
  REQUIRE(kernel.echo(kUuid, kSlowCreate));
  const auto uevent = open_or_fail(kernel, device + "/uevent", O_RDWR);
  const auto number = open_or_fail(kernel, device + "/vendor/number", O_RDWR);
  const auto directory = kernel.walk(device);
  const auto vendor = kernel.walk(device + "/vendor");
  const auto power = kernel.walk(device + "/power");
  const auto listed = kernel.opendir(directory);
  REQUIRE(kernel.read(uevent) == "DRIVER=slow\n");
  REQUIRE(kernel.read(number) == "1\n");
  const auto before = kernel.getattr(number.inode);
  REQUIRE(kernel.echo("1", device + "/remove"));

  const auto dead = [&] {
    for (const auto& file : {uevent, number}) {
      CHECK(kernel.read(file) == fail(ENODEV));
      CHECK(kernel.read(file, 5, 5) == fail(ENODEV));
      CHECK(kernel.write(file, "1") == fail(ENODEV));
      CHECK(*kernel.poll(file) == (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI | POLLERR));
      CHECK(kernel.open(file.inode, O_RDONLY) == fail(ENODEV));
    }
    CHECK(kernel.getattr(uevent.inode)->mode == (S_IFREG | 0644));
    CHECK(kernel.getattr(number.inode)->mode == before->mode);
    CHECK(kernel.getattr(number.inode)->size == 4096);
    CHECK(kernel.lookup(directory, "uevent") == fail(ENOENT));
    const auto left = kernel.readdir(*listed);
    REQUIRE(left);
    CHECK(left->size() == 2);
  };
  dead();
  CHECK(kernel.echo(kUuid, kSlowCreate) == 36);
  dead();
  CHECK(kernel.walk(device) != directory);
  CHECK(kernel.find(device + "/uevent") != uevent.inode);

  // And when nobody holds it any more, as a working directory there does not: by its number alone.
  kernel.close(uevent);
  kernel.close(number);
  kernel.closedir(*listed);
  for (const auto inode : {directory, vendor, power}) {
    const auto attributes = kernel.getattr(inode);
    REQUIRE(attributes);
    CHECK(attributes->ino == inode);
    CHECK(attributes->mode == (S_IFDIR | 0755));
    CHECK(attributes->nlink == 2);
    CHECK(attributes->size == 0);
    CHECK(kernel.lookup(inode, "uevent") == fail(ENOENT));
  }
  CHECK(S_ISREG(kernel.getattr(number.inode)->mode));
  CHECK(kernel.getattr(uevent.inode)->mode == (S_IFREG | 0644));
  CHECK(kernel.getattr(uevent.inode)->nlink == 1);
  CHECK(kernel.open(uevent.inode, O_RDONLY) == fail(ENODEV));
}

TEST_CASE("a file goes when those inside have left") {
  Slow slow;
  KernelSide kernel(slow.core);
  REQUIRE(kernel.echo(kUuid, kSlowCreate));
  const auto number = open_or_fail(kernel, kSlow + "/" + kUuid + "/vendor/number", O_RDWR);
  const auto remove = open_or_fail(kernel, kSlow + "/" + kUuid + "/remove", O_WRONLY);
  slow.driver.shows.close();
  const auto store = kernel.start_write(number, "1");
  REQUIRE(slow.driver.shows.wait_for(1));
  const auto removal = kernel.start_write(remove, "1");
  while (kernel.find(kSlow + "/" + kUuid + "/vendor")) std::this_thread::yield();
  CHECK_FALSE(kernel.answered(removal));
  slow.driver.shows.open();
  CHECK(kernel.wait(store).error == 0);
  CHECK(kernel.wait(removal).error == 0);
}

TEST_CASE("an unregistration refuses what comes and waits for what is there") {
  Slow slow;
  KernelSide kernel(slow.core);
  REQUIRE(kernel.echo(uuid_of(1), kSlowCreate));
  const auto create = open_or_fail(kernel, kSlowCreate, O_WRONLY);
  const auto late = open_or_fail(kernel, kSlowCreate, O_WRONLY);
  const auto remove = open_or_fail(kernel, kSlow + "/" + uuid_of(1) + "/remove", O_WRONLY);
  slow.driver.probes.close();
  const auto creating = kernel.start_write(create, kUuid);
  REQUIRE(slow.driver.probes.wait_for(1));
  std::jthread unregistration([&] { slow.core.unregister_parent(*slow.parent.parent); });
  // Until it has begun, more creates begin to be probed; the one that is refused shows that it has.
  std::vector<std::uint64_t> more;
  for (unsigned n = 2; !std::ranges::any_of(more, [&](auto unique) { return kernel.answered(unique); });
       ++n) {
    more.push_back(kernel.start_write(open_or_fail(kernel, kSlowCreate, O_WRONLY), uuid_of(n)));
    std::this_thread::yield();
  }
  CHECK(kernel.write(late, uuid_of(100'000)) == fail(ENODEV));
  CHECK(kernel.write(late, kUuid) == fail(EEXIST));
  CHECK(kernel.write(remove, "1") == fail(ENODEV));
  CHECK(kernel.find("class/mdev_bus/slow"));  // all is there while it waits
  CHECK_FALSE(kernel.answered(creating));
  slow.driver.probes.open();
  CHECK(kernel.wait(creating).error == 0);
  unregistration.join();
  for (const auto unique : more) {
    const int error = kernel.wait(unique).error;
    CHECK((error == 0 || error == ENODEV));
  }
  CHECK(kernel.find(kSlowType) == fail(ENOENT));
  CHECK(kernel.find(kSlow + "/" + kUuid) == fail(ENOENT));
  CHECK(kernel.write(late, kUuid) == fail(ENODEV));
}

namespace {

// Counts down when its thread begins its second wait, or has come to its end without. Thread-safety: none.
class SecondWait final : public model::WaitListener {
 public:
  explicit SecondWait(std::latch& begun) : begun_(begun) { model::listen_to_waits(this); }
  ~SecondWait() override {
    model::listen_to_waits(nullptr);
    if (waits_ < 2) begun_.count_down();
  }
  SecondWait(const SecondWait&) = delete;
  SecondWait& operator=(const SecondWait&) = delete;
  void before_wait() noexcept override {
    if (++waits_ == 2) begun_.count_down();
  }

 private:
  std::latch& begun_;
  unsigned waits_ = 0;
};

}  // namespace

TEST_CASE("who takes very many devices away leaves no other writer behind all of them") {
  constexpr unsigned kDevices = 1000;
  const std::string many = "devices/virtual/mdpy/mdpy";
  Mtty mtty;
  REQUIRE(backends::find("mdpy")->load(mtty.core, {"mdpy", {{"count", "1000"}}}));
  std::latch first_gone(1);
  std::latch waits(1);
  std::latch go_on(1);
  bool is_first = true;
  // Holds what tells the kernel, at the first device.
  KernelSide kernel(mtty.core, {.send_uevent = [&](const model::Uevent& event) {
                      if (event.action != "remove" || !std::exchange(is_first, false)) return;
                      first_gone.count_down();
                      go_on.wait();
                    }});
  const auto create = open_or_fail(kernel, many + "/mdev_supported_types/mdpy-vga/create", O_WRONLY);
  for (unsigned n = 0; n < kDevices; ++n) {
    REQUIRE(kernel.write(create, uuid_of(n)));
    kernel.walk(many + "/" + uuid_of(n));
  }
  const auto directory = kernel.walk(many);
  const auto create_other = open_or_fail(kernel, kTypes + "mtty-1/create", O_WRONLY);
  std::jthread unregister([&] {
    const SecondWait listener(waits);
    mtty.core.unload_module(*mtty.core.find_module("mdpy"));
  });
  first_gone.wait();
  waits.wait();
  const auto unique = kernel.start_write(create_other, kUuid);
  CHECK(kernel.cat("bus/mdev/drivers_autoprobe"));  // so the write has been read
  go_on.count_down();
  CHECK(kernel.wait(unique).error == 0);
  unregister.join();
  REQUIRE(kernel.echo("1", "bus/mdev/drivers_autoprobe"));  // answered behind what was published before

  const auto heard = kernel.heard();
  const auto tells_of_device = [&](const Heard& h) {
    return h.code == FUSE_NOTIFY_INVAL_ENTRY && h.inode == directory;
  };
  const auto answer = heard.begin() + static_cast<std::ptrdiff_t>(place_of_answer(heard, unique));
  CHECK(std::count_if(answer, heard.end(), tells_of_device) > kDevices / 2);
  for (unsigned n = 0; n < kDevices; ++n) CHECK(told_gone(heard, heard.size(), directory, uuid_of(n)));
}
