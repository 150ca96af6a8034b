// SPDX-License-Identifier: Apache-2.0
//
// Listings: the order, the positions, and going on from one while members come and go.
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "catch.h"
#include "kernel_side.h"
#include "model/members.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

constexpr std::uint32_t kForOne = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + model::kUuidLength);

struct Listing {
  model::Core core;
  SlowParent slow = load_slow(core);
  KernelSide kernel{core};
  void create(const std::string& uuid) { REQUIRE(kernel.echo(uuid, kSlowCreate)); }
  void remove(const std::string& uuid) { REQUIRE(kernel.echo("1", kSlow + "/" + uuid + "/remove")); }
  Descriptor open(std::string_view path) {
    const auto directory = kernel.opendir(kernel.walk(path));
    REQUIRE(directory);
    return *directory;
  }
  std::vector<Listed> rest(const Descriptor& directory, std::uint64_t position, std::uint32_t size) {
    const auto all = kernel.rest(directory, position, size);
    REQUIRE(all);
    return *all;
  }
};

std::vector<std::string> names_of(const std::vector<Listed>& entries) {
  std::vector<std::string> names;
  for (const Listed& entry : entries) names.push_back(entry.name);
  return names;
}

}  // namespace

TEST_CASE_METHOD(Listing, "the order is the kernel's, and a position is the hash of the next name") {
  const auto entries = rest(open(kSlowType), 0, 4096);
  CHECK(names_of(entries) == std::vector<std::string>{".", "..", "device_api", "devices", "create",
                                                      "available_instances", "name"});
  CHECK(entries[0].next == 1);
  for (std::size_t n = 1; n + 1 < entries.size(); ++n) {
    CHECK(entries[n].next == model::name_hash(entries[n + 1].name));
  }
  CHECK(entries.back().next == 0x7fffffff);
  for (const Listed& entry : entries) {
    CHECK(entry.type == (entry.name == "devices" || entry.name.starts_with('.') ? DT_DIR : DT_REG));
    if (entry.name == "." || entry.name == "..") continue;
    const auto found = kernel.lookup(kernel.walk(kSlowType), entry.name);
    CHECK(found->attr.ino == entry.inode);
  }
}

TEST_CASE_METHOD(Listing, "a listing is the same whatever the size of the buffer") {
  for (unsigned n = 0; n < 300; ++n) create(uuid_of(n));
  for (const auto& path : {kSlow, std::string("bus/mdev/devices")}) {
    const auto directory = open(path);
    const auto whole = rest(directory, 0, 65536);
    CHECK(whole.size() >= 302);
    for (const std::uint32_t size : {kForOne, kForOne + 8, std::uint32_t{1000}}) {
      CHECK(rest(directory, 0, size) == whole);
    }
    CHECK(kernel.readdir(directory, whole.back().next)->empty());
  }
}

TEST_CASE_METHOD(Listing, "going on where members came and went") {
  constexpr unsigned kDevices = 200;
  for (unsigned n = 0; n < kDevices; ++n) create(uuid_of(n));
  const auto directory = open("bus/mdev/devices");
  const auto order = names_of(rest(directory, 0, 65536));
  std::map<std::string, unsigned> listed;
  std::set<std::string> removed;
  std::uint64_t position = 0;
  for (unsigned page_number = 0;; ++page_number) {
    const auto page = kernel.readdir(directory, position, 10 * kForOne);
    REQUIRE(page);
    if (page->empty()) break;
    for (const Listed& entry : *page) {
      ++listed[entry.name];
      CHECK_FALSE(removed.contains(entry.name));
    }
    position = page->back().next;
    // What was listed last, what comes next, and one far away; and a new one.
    for (const std::size_t at : {10 * page_number + 9, 10 * page_number + 12, 199 - 3 * page_number}) {
      if (at < 2 || at >= order.size() || !removed.insert(order[at]).second) continue;
      remove(order[at]);
    }
    create(uuid_of(1000 + page_number));
  }
  for (const std::string& name : order) {
    INFO(name);
    CHECK(listed[name] <= 1);
    if (!removed.contains(name)) CHECK(listed[name] == 1);
  }
}

TEST_CASE_METHOD(Listing, "names that hash alike are told apart") {
  const auto [first_number, second_number] = colliding();
  const auto first = uuid_of(first_number);
  const auto second = uuid_of(second_number);
  create(first);
  create(second);
  const std::vector<std::string> both{first, second};
  const auto directory = open("bus/mdev/devices");
  CHECK(names_of(rest(directory, 2, 4096)) == both);
  CHECK(names_of(rest(directory, 2, kForOne)) == both);
  CHECK(kernel.walk("bus/mdev/devices/" + first) != kernel.walk("bus/mdev/devices/" + second));

  const auto page = kernel.readdir(directory, 2, kForOne);
  REQUIRE(names_of(*page) == std::vector{first});
  SECTION("the first goes while the listing stands between them") {
    remove(first);
    CHECK(names_of(rest(directory, page->back().next, kForOne)) == std::vector{second});
  }
  SECTION("it comes again") {
    remove(first);
    create(first);
    CHECK(names_of(rest(directory, page->back().next, kForOne)) == std::vector{second, first});
  }
  SECTION("the second goes") {
    remove(second);
    CHECK(rest(directory, page->back().next, kForOne).empty());
  }
}
