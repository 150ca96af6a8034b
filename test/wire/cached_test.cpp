// SPDX-License-Identifier: Apache-2.0
//
// What the kernel may keep with `-o cached`, and what takes it away again: as it hears it, in order.
#include <fcntl.h>

#include <algorithm>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

constexpr double kForEver = 1e9;
const std::string kCount = kSlowType + "/available_instances";
const std::string kControl = kSlow + "/power/control";

// A parent of a driver that can be held. Files are read and written without an open.
struct Cached {
  model::Core core;
  SlowParent parent = load_slow(core);
  SlowDriver& driver = *parent.driver;
  KernelSide kernel{core, {.cached = true}};

  Result<std::string> read(std::uint64_t inode) { return kernel.read({inode, 0, 0}); }
  Result<std::string> cat(std::string_view path) { return read(kernel.walk(path)); }
  Result<std::size_t> write(std::string_view text, std::string_view path) {
    return kernel.write({kernel.walk(path), 0, 0}, text);
  }
  std::uint64_t start_write(std::string_view text, std::string_view path) {
    return kernel.start_write({kernel.walk(path), 0, 0}, text);
  }
  fuse_entry_out look_up(std::string_view directory, std::string_view name) {
    const auto found = kernel.lookup(kernel.walk(directory), name);
    REQUIRE(found);
    return *found;
  }
  std::uint64_t size(std::uint64_t inode) {
    const auto attributes = kernel.getattr(inode);
    REQUIRE(attributes);
    return attributes->size;
  }
  // What the kernel heard of an inode before this answer: "name" and "pages", in that order or another.
  std::vector<std::string> heard_of(std::uint64_t inode, std::string_view name, std::uint64_t answer) {
    const auto heard = kernel.heard();
    const auto end = std::ranges::find(heard, answer, &Heard::unique);
    REQUIRE(end != heard.end());
    std::vector<std::string> told;
    for (auto at = heard.begin(); at != end; ++at) {
      if (at->unique == 0 && at->code == FUSE_NOTIFY_INVAL_ENTRY && at->name == name) told.push_back("name");
      if (at->unique == 0 && at->code == FUSE_NOTIFY_INVAL_INODE && at->inode == inode)
        told.push_back("pages");
    }
    return told;
  }
};

}  // namespace

TEST_CASE("cached: opens are left to the kernel, and files are read and written without one") {
  Cached cached;
  CHECK(cached.kernel.open(cached.kernel.walk(kCount), O_RDONLY) == fail(ENOSYS));
  CHECK(cached.cat(kCount) == "1000\n");
  CHECK(cached.write(uuid_of(1), kSlowCreate) == uuid_of(1).size());
  CHECK(cached.cat(kCount) == "999\n");
  CHECK(cached.write("no uuid", kSlowCreate) == fail(EINVAL));
}

TEST_CASE("cached: who may not read or write hears it then") {
  Cached cached;
  CHECK(cached.cat(kSlowCreate) == fail(EACCES));
  CHECK(cached.write("1", kCount) == fail(EACCES));
  const auto inode = cached.kernel.walk(kCount);
  fuse_setattr_in wanted{};
  wanted.valid = FATTR_MODE;
  wanted.mode = 0666;
  REQUIRE(cached.kernel.setattr(inode, wanted));
  CHECK(cached.kernel.write({inode, 0, 0}, "1") == fail(EIO));
  CHECK(cached.cat(kCount) == "1000\n");
}

TEST_CASE("cached: what only writes change is kept for ever, each lookup is another inode") {
  Cached cached;
  const auto first = cached.look_up(kSlowType, "available_instances");
  const auto second = cached.look_up(kSlowType, "available_instances");
  CHECK(first.nodeid != second.nodeid);
  CHECK(first.attr.ino == second.attr.ino);
  CHECK(static_cast<double>(first.entry_valid) == kForEver);
  CHECK(static_cast<double>(first.attr_valid) == kForEver);
  CHECK(first.attr.size == 4096);
  const auto create = cached.look_up(kSlowType, "create");
  CHECK(create.entry_valid + create.attr_valid == 0);
  const auto control = cached.look_up(kSlow + "/power", "control");
  CHECK(control.entry_valid + control.attr_valid == 0);
}

TEST_CASE("cached: a write is answered when what was read before is gone") {
  Cached cached;
  const auto inode = cached.kernel.walk(kCount);
  const auto unread = cached.kernel.walk(kSlowType + "/name");
  REQUIRE(cached.read(inode) == "1000\n");
  const auto create = cached.start_write(uuid_of(1), kSlowCreate);
  REQUIRE(cached.kernel.wait(create).error == 0);
  CHECK(cached.heard_of(inode, "available_instances", create) == std::vector<std::string>{"name", "pages"});
  CHECK(cached.heard_of(unread, "name", create).empty());
  CHECK(cached.cat(kCount) == "999\n");
  // A second time only what has been read since; a write that fails may have changed something too.
  const auto fails = cached.start_write("no uuid", kSlowCreate);
  REQUIRE(cached.kernel.wait(fails).error == EINVAL);
  CHECK(cached.heard_of(inode, "", fails).size() == 1);
}

TEST_CASE("cached: a text that a change overtakes is rendered again") {
  Cached cached;
  cached.driver.count = 7;
  cached.driver.counts.close();
  const auto inode = cached.kernel.walk(kCount);
  const auto read = cached.kernel.start_read({inode, 0, 0});
  REQUIRE(cached.driver.counts.wait_for(1));
  cached.driver.count = 6;
  REQUIRE(cached.write(uuid_of(1), kSlowCreate));
  cached.driver.counts.open();
  CHECK(cached.kernel.wait(read).body == "6\n");
}

TEST_CASE("cached: an inode's text stays until its size is asked for") {
  Cached cached;
  const auto inode = cached.kernel.walk(kCount);
  CHECK(cached.size(inode) == 4096);
  REQUIRE(cached.read(inode) == "1000\n");
  CHECK(cached.size(inode) == 5);
  REQUIRE(cached.write(uuid_of(1), kSlowCreate));
  SECTION("not asked for: the old text, whose page is dropped at once") {
    CHECK(cached.read(inode) == "1000\n");
    CHECK(cached.size(inode) == 4);  // answered when the page has been dropped
    const auto later = cached.kernel.send(FUSE_GETATTR, kRoot, bytes(fuse_getattr_in{}));
    REQUIRE(cached.kernel.wait(later).error == 0);
    CHECK(cached.heard_of(inode, "", later) == std::vector<std::string>{"pages", "pages"});
  }
  SECTION("asked for") {
    CHECK(cached.size(inode) == 4);
    CHECK(cached.read(inode) == "999\n");
    REQUIRE(cached.write(uuid_of(2), kSlowCreate));
    CHECK(cached.size(inode) == 4);
    CHECK(cached.read(inode) == "998\n");
  }
}

TEST_CASE("cached: a file that can be written to is kept until its size is asked for after a change") {
  Cached cached;
  const auto inode = cached.kernel.walk(kControl);
  REQUIRE(cached.read(inode) == "auto\n");
  CHECK(cached.size(inode) == 5);
  REQUIRE(cached.kernel.write({inode, 0, 0}, "on") == 2);
  CHECK(cached.size(inode) == 4096);
  CHECK(cached.read(inode) == "on\n");
  const auto other = cached.kernel.walk(kControl);
  REQUIRE(cached.kernel.write({other, 0, 0}, "auto") == 4);
  CHECK(cached.read(inode) == "on\n");
  CHECK(cached.size(inode) == 4096);
  CHECK(cached.read(inode) == "auto\n");
}

TEST_CASE("cached: a write over the end of a page comes in two, and is one") {
  Cached cached;
  const auto create = cached.kernel.walk(kSlowCreate);
  const auto uuid = uuid_of(1);
  CHECK(cached.kernel.write({create, 0, 0}, uuid.substr(0, 6), 4090) == 6);
  CHECK(cached.kernel.write({create, 0, 0}, uuid.substr(6), 4096) == uuid.size() - 6);
  CHECK(cached.core.device_count() == 1);
  SECTION("what does not follow it is on its own") {
    CHECK(cached.kernel.write({create, 0, 0}, uuid_of(2).substr(0, 6), 4090) == 6);
    CHECK(cached.kernel.write({create, 0, 0}, uuid_of(2).substr(6), 8192) == fail(EINVAL));
    CHECK(cached.kernel.write({create, 0, 0}, uuid_of(2).substr(6), 4096) == fail(EINVAL));
  }
  SECTION("what ends elsewhere is refused") {
    CHECK(cached.kernel.write({create, 0, 0}, "abc", 4090) == fail(EINVAL));
    CHECK(cached.kernel.write({create, 0, 0}, uuid_of(1), 8192 - uuid.size()) == fail(EEXIST));
  }
}

TEST_CASE("cached: what is gone is neither read nor written") {
  Cached cached;
  REQUIRE(cached.write(uuid_of(1), kSlowCreate));
  const auto device = kSlow + "/" + uuid_of(1);
  const auto group = cached.kernel.walk(device + "/power/runtime_status");
  const auto remove = cached.kernel.walk(device + "/remove");
  REQUIRE(cached.read(group));
  REQUIRE(cached.kernel.write({remove, 0, 0}, "1"));
  CHECK(cached.size(group) == 4096);
  CHECK(cached.read(group) == fail(ENODEV));
  CHECK(cached.kernel.write({remove, 0, 0}, "1") == fail(ENODEV));
}

TEST_CASE("cached: a file whose opening means something is not to be had") {
  Cached cached;
  REQUIRE(backends::find("mtty")->load(cached.core, {}));
  REQUIRE(cached.write(uuid_of(1), "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create"));
  const auto directory = cached.kernel.walk("kernel/debug/mdevfs/vfio");
  CHECK(cached.kernel.lookup(directory, "0").error().value == EOPNOTSUPP);
}

TEST_CASE("cached: the log is as long as it is") {
  Cached cached;
  const auto inode = cached.kernel.walk("kernel/debug/mdevfs/log");
  for (int i = 0; i < 200; ++i) cached.core.log().print(model::Level::info, std::string(50, 'x'));
  const auto first = cached.read(inode);
  REQUIRE(first);
  CHECK(first->size() == 4096);
  const auto all = cached.kernel.read({inode, 0, 0}, 0, 1U << 17U);
  REQUIRE(all);
  CHECK(all->size() > std::size_t{200} * 50);
  CHECK(cached.size(inode) == all->size());
}

TEST_CASE("cached: what the kernel forgets is forgotten") {
  Cached cached;
  const auto inode = cached.kernel.walk(kCount);
  REQUIRE(cached.read(inode) == "1000\n");
  cached.kernel.send(FUSE_FORGET, inode, bytes(fuse_forget_in{1}));
  const auto create = cached.start_write(uuid_of(1), kSlowCreate);
  REQUIRE(cached.kernel.wait(create).error == 0);
  CHECK(cached.heard_of(inode, "available_instances", create).empty());
}
