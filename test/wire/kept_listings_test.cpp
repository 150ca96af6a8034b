// SPDX-License-Identifier: Apache-2.0
//
// Listings with `-o cached`: which of them the kernel may keep, and what it hears before a change of one is
// answered. That the kernel takes it as meant is for the stress tests, on a real mount.
#include <algorithm>
#include <set>

#include "catch.h"
#include "kernel_side.h"
#include "model/configfs.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

const std::string kDevices = "bus/mdev/devices";
constexpr std::uint32_t kForOne = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + model::kUuidLength);
constexpr std::uint32_t kForThree = 2 * kForOne;  // `.` and `..` are half as long

// One directory, bus/mdev/devices, as several readers see it.
struct Listings {
  model::Core core;
  SlowParent parent = load_slow(core);
  Turnstile uevents;  // closed: holds what tells the kernel of changes
  KernelSide kernel{core, {.send_uevent = [this](const model::Uevent&) { uevents.pass(); }, .cached = true}};
  const std::uint64_t directory = kernel.walk(kDevices);

  std::uint64_t start_create(unsigned number) {
    return kernel.start_write({kernel.walk(kSlowCreate), 0, 0}, uuid_of(number));
  }
  std::uint64_t start_remove(unsigned number) {
    return kernel.start_write({kernel.walk(kSlow + "/" + uuid_of(number) + "/remove"), 0, 0}, "1");
  }
  void create(unsigned number) { REQUIRE(kernel.wait(start_create(number)).error == 0); }

  // The unique of the last READDIR.
  std::uint64_t start_page(std::uint64_t position, std::uint32_t size = 4096) {
    fuse_read_in in{};
    in.offset = position;
    in.size = size;
    return kernel.send(FUSE_READDIR, directory, bytes(in));
  }
  std::vector<Listed> page(std::uint64_t position, std::uint32_t size = 4096) {
    const auto entries = kernel.readdir({directory, 0, 0}, position, size);
    REQUIRE(entries);
    return *entries;
  }
  // From a position to the end, whose empty page is asked for too.
  std::vector<Listed> rest(std::uint64_t position, std::uint32_t size = 4096) {
    const auto all = kernel.rest({directory, 0, 0}, position, size);
    REQUIRE(all);
    return *all;
  }
  // How often the kernel has heard that it must drop the directory's pages, before this answer.
  std::ptrdiff_t drops_before(std::uint64_t answer, int error = 0) {
    REQUIRE(kernel.wait(answer).error == error);
    const auto heard = kernel.heard();
    return std::count_if(
        heard.begin(), std::ranges::find(heard, answer, &Heard::unique), [&](const Heard& h) {
          return h.unique == 0 && h.code == FUSE_NOTIFY_INVAL_INODE && h.inode == directory && h.pages;
        });
  }
  std::ptrdiff_t drops() {  // so far
    return drops_before(kernel.send(FUSE_GETATTR, kRoot, bytes(fuse_getattr_in{})));
  }
};

std::set<std::string> names_of(const std::vector<Listed>& entries) {
  std::set<std::string> names;
  for (const Listed& entry : entries) {
    if (entry.name != "." && entry.name != "..") names.insert(entry.name);
  }
  return names;
}
std::set<std::uint64_t> positions_of(const std::vector<Listed>& entries) {
  std::set<std::uint64_t> positions;
  for (const Listed& entry : entries) positions.insert(entry.next);
  return positions;
}
std::vector<Listed> without_positions(std::vector<Listed> entries) {
  for (Listed& entry : entries) entry.next = 0;
  return entries;
}
bool disjoint(const std::set<std::uint64_t>& a, const std::set<std::uint64_t>& b) {
  return std::ranges::none_of(a, [&](std::uint64_t position) { return b.contains(position); });
}

}  // namespace

TEST_CASE_METHOD(Listings, "cached: directories are opened by the kernel, and listed") {
  create(1);
  create(2);
  CHECK(kernel.opendir(directory) == fail(ENOSYS));
  const auto whole = rest(0);
  CHECK(names_of(whole) == std::set{uuid_of(1), uuid_of(2)});
  CHECK(without_positions(rest(0, kForOne)) == without_positions(whole));
  CHECK(whole[0].inode == directory);
  CHECK(whole[1].inode == kernel.walk("bus/mdev"));
}

TEST_CASE("cached: a kernel that does not open directories is answered, and lists") {
  model::Core core;
  const auto parent = load_slow(core);
  KernelSide kernel(core, {.cached = true}, kOffers & ~std::uint32_t{FUSE_NO_OPENDIR_SUPPORT});
  CHECK(kernel.opendir(kernel.walk(kSlow)));
  const auto names = kernel.names_in(kSlow);
  CHECK(std::ranges::count(names, "mdev_supported_types") == 1);
}

TEST_CASE_METHOD(Listings, "cached: a listing that may be kept is dropped before its change is answered") {
  CHECK(drops_before(start_create(1)) == 0);
  rest(0);
  CHECK(drops() == 0);
  CHECK(drops_before(start_create(2)) == 1);
  CHECK(drops_before(start_create(3)) == 1);  // nobody has read it since
  rest(0);
  CHECK(drops_before(start_remove(3)) == 2);
  rest(0);
  REQUIRE(kernel.write({kernel.walk(kSlow + "/power/control"), 0, 0}, "on"));
  CHECK(drops() == 2);
}

TEST_CASE_METHOD(Listings,
                 "cached: what changes while it is read is dropped when the kernel takes it for whole") {
  create(1);
  create(2);
  const auto first = page(0, kForThree);
  REQUIRE(first.size() == 3);
  CHECK(drops_before(start_create(3)) == 0);  // or the kernel would never complete it
  const auto others = page(first.back().next);
  CHECK(drops() == 0);
  const auto at_end = start_page(others.empty() ? first.back().next : others.back().next);
  CHECK(drops_before(at_end) == 1);
  CHECK(names_of(rest(0)).size() == 3);
  CHECK(drops() == 1);
}

TEST_CASE_METHOD(Listings, "cached: names of before a change never make one listing with names of after it") {
  create(1);
  create(2);
  const auto slow = page(0, kForThree);
  rest(0);
  CHECK(drops_before(start_create(3)) == 1);
  const auto later = rest(0);
  CHECK(disjoint(positions_of(slow), positions_of(later)));
  CHECK(drops() == 1);
  const auto others = page(slow.back().next);
  CHECK(disjoint(positions_of(others), positions_of(later)));
  auto seen = names_of(slow);
  seen.merge(names_of(others));
  CHECK((seen.contains(uuid_of(1)) && seen.contains(uuid_of(2))));
  CHECK(drops_before(start_page(others.back().next)) == 2);
  CHECK(drops_before(start_create(4)) == 3);  // the later one may still be kept
}

TEST_CASE_METHOD(Listings, "cached: each who begins has a listing of his own") {
  create(1);
  const auto left_off = page(0);
  const auto next = rest(0);
  CHECK(disjoint(positions_of(left_off), positions_of(next)));
  CHECK(drops_before(start_create(2)) == 1);  // the next one's
  CHECK(drops_before(start_page(next.back().next)) == 2);
  CHECK(drops_before(start_page(left_off.back().next)) == 3);
}

TEST_CASE_METHOD(Listings, "cached: where names hash alike the listing is whole, and not kept") {
  const auto [first, second] = colliding();
  create(first);
  create(second);
  const std::set both{uuid_of(first), uuid_of(second)};
  const auto whole = rest(0);
  CHECK(names_of(whole) == both);
  CHECK(positions_of(whole).size() == 4);
  const auto again = rest(0);
  CHECK((again.back().next != whole.back().next && drops() == 2));
  CHECK(without_positions(rest(0, kForOne)) == without_positions(whole));
  CHECK(drops() == 3);
}

TEST_CASE_METHOD(Listings, "cached: a listing is remembered as long as its directory is there") {
  rest(0);
  kernel.send(FUSE_FORGET, directory, bytes(fuse_forget_in{1}));
  CHECK(drops_before(start_create(1)) == 1);
}

namespace {

// mkdir in it makes a device.
class DeviceMaker final : public model::ConfigItem {
 public:
  DeviceMaker(model::Core& owner, model::Type& type)
      : ConfigItem(owner, owner.root().shared_from_this(), model::Slot::kernel_config, "maker", kNone),
        type_(type) {}
  Result<void> make_item(std::string_view name) override {
    return core.create(type_, *model::parse_create_text(name));
  }

 private:
  static inline const model::ExtraEntries kNone;
  model::Type& type_;
};

}  // namespace

TEST_CASE_METHOD(Listings,
                 "cached: mkdir is answered behind no other change, but when the listings are dropped") {
  const auto maker = core.make<DeviceMaker>(parent.type());
  core.tree().appear(*maker, {model::kSelf});
  const auto in = kernel.walk("kernel/config/maker");
  uevents.close();
  const auto held = start_create(1);
  REQUIRE(uevents.wait_for(1));
  rest(0);
  const auto before = drops();
  const auto made = kernel.send(FUSE_MKDIR, in, bytes(fuse_mkdir_in{0755, 0}) + uuid_of(2) + '\0');
  CHECK(drops_before(made, ENOENT) == before + 1);  // it makes no directory of that name
  CHECK_FALSE(kernel.answered(held));
  uevents.open();
  CHECK(kernel.wait(held).error == 0);
}
