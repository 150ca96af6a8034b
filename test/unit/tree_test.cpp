// SPDX-License-Identifier: Apache-2.0
//
// What the tree says of nodes: names, links, attributes, listings. (That it is all there is compared with the
// recordings in test/conformance.)
#include <algorithm>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

std::vector<model::DirectoryEntry> list(Bench& bench, const model::HeldNode& directory, std::uint64_t from) {
  std::vector<model::DirectoryEntry> entries;
  bench.core.tree().list(directory, from, [&](const auto& entry) {
    entries.push_back(entry);
    return true;
  });
  return entries;
}

struct Recorder final : model::Watcher {
  void publish(model::Changes changes) noexcept override {
    for (auto& gone : changes.gone) names.push_back(gone.name);
    for (const auto inode : changes.attributes) attributes.push_back(inode);
  }
  std::vector<std::string> names;
  std::vector<std::uint64_t> attributes;
  void wake(std::uint64_t) noexcept override {}
};

}  // namespace

TEST_CASE("links are relative as sysfs writes them") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  const auto target = [&](const std::string& path) {
    return bench.core.tree().readlink(bench.find(path)).value_or("?");
  };
  const std::string device = Bench::kParent + "/" + uuid(1);
  CHECK(target("bus/mdev/devices/" + uuid(1)) == "../../../" + device);
  CHECK(target(device + "/mdev_type") == "../mdev_supported_types/slow-a");
  CHECK(target(device + "/vfio-dev/vfio0/device") == "../../../" + uuid(1));
  CHECK(target(Bench::kParent + "/mdev_supported_types/slow-a/devices/" + uuid(1)) == "../../../" + uuid(1));
  CHECK(target("module/mdev/holders/slowmdev") == "../../slowmdev");
  CHECK(target("module/slowmdev/drivers/mdev:slow") == "../../../bus/mdev/drivers/slow");
}

TEST_CASE("a directory's link count is two and one for each directory in it") {
  Bench bench(3, true);
  const auto links = [&](const std::string& path) { return bench.core.tree().stat(bench.find(path)).nlink; };
  CHECK(links(Bench::kParent) == 4);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(links(Bench::kParent) == 5);
  CHECK(links(Bench::kParent + "/" + uuid(1)) == 5);  // power, vendor, vfio-dev
  CHECK(links("bus/mdev/devices") == 2);
  CHECK(links("kernel/iommu_groups") == 3);
  REQUIRE(bench.remove(uuid(1)) == 0);
  CHECK(links("kernel/iommu_groups") == 2);
}

TEST_CASE("an entry's position is the hash of the next, and listing resumes there whatever comes and goes") {
  Bench bench(2000);
  for (unsigned n = 0; n < 1000; ++n) REQUIRE(bench.create(uuid(n)) == 0);
  const auto directory = bench.find("bus/mdev/devices");
  const auto whole = list(bench, directory, 0);
  REQUIRE(whole.size() == 1002);
  CHECK(whole[0].name == ".");
  CHECK(whole[0].next == 1);
  CHECK(whole.back().next == model::kEndOfDirectory);
  for (std::size_t i = 1; i + 1 < whole.size(); ++i)
    CHECK(whole[i].next == model::name_hash(whole[i + 1].name));
  // In pieces of 7, while others come and go: those who stay are seen once each.
  std::vector<std::string> seen;
  std::uint64_t position = 0;
  for (unsigned round = 0; position != model::kEndOfDirectory; ++round) {
    REQUIRE(bench.create(uuid(1000 + round)) == 0);
    int left = 7;
    bench.core.tree().list(directory, position, [&](const auto& entry) {
      seen.push_back(entry.name);
      position = entry.next;
      return --left > 0;
    });
    REQUIRE(bench.remove(uuid(1000 + round)) == 0);
  }
  for (const auto& entry : whole) CHECK(std::ranges::count(seen, entry.name) == 1);
}

TEST_CASE("set attributes stay with the node and die with it") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  auto& tree = bench.core.tree();
  const std::string path = Bench::kParent + "/" + uuid(1) + "/remove";
  const mode_t mode = 0666;
  const uid_t owner = 65534;
  tree.set_attributes(bench.find(path), {.mode = &mode, .uid = &owner});
  CHECK(tree.stat(bench.find(path)).mode == 0666);
  CHECK(tree.stat(bench.find(path)).uid == 65534);
  REQUIRE(bench.remove(uuid(1)) == 0);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(tree.stat(bench.find(path)).mode == 0200);
  CHECK(tree.stat(bench.find(path)).uid == 0);
}

TEST_CASE("a link takes over the owner that its target has when it is made") {
  Bench bench;
  auto& tree = bench.core.tree();
  REQUIRE(bench.create(uuid(1)) == 0);
  const uid_t owner = 65534;
  tree.set_attributes(bench.find(Bench::kParent + "/mdev_supported_types/slow-a"), {.uid = &owner});
  REQUIRE(bench.create(uuid(2)) == 0);
  CHECK(tree.stat(bench.find(Bench::kParent + "/" + uuid(1) + "/mdev_type")).uid == 0);
  CHECK(tree.stat(bench.find(Bench::kParent + "/" + uuid(2) + "/mdev_type")).uid == 65534);
}

TEST_CASE("only a directory whose attributes were set notes its children's coming and going") {
  Bench bench;
  auto& tree = bench.core.tree();
  const std::string path = Bench::kParent + "/mdev_supported_types/slow-a/devices";
  const timespec old{.tv_sec = 1000000, .tv_nsec = 0};
  const auto before = tree.stat(bench.find(path)).mtime;
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(tree.stat(bench.find(path)).mtime.tv_nsec == before.tv_nsec);
  tree.set_attributes(bench.find(path), {.atime = &old, .mtime = &old});
  CHECK(tree.stat(bench.find(path)).mtime.tv_sec == 1000000);
  REQUIRE(bench.create(uuid(2)) == 0);
  CHECK(tree.stat(bench.find(path)).mtime.tv_sec > 1000000);
}

TEST_CASE("of what has gone, what it was is known while somebody holds it, and its kind for ever") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  auto& tree = bench.core.tree();
  auto held = bench.find(Bench::kParent + "/" + uuid(1));
  const auto inode = tree.stat(held).inode;
  REQUIRE(bench.remove(uuid(1)) == 0);
  CHECK_FALSE(tree.alive(held));
  CHECK(tree.stat(held).nlink == 2);
  CHECK(list(bench, held, 0).size() == 2);
  CHECK_FALSE(tree.lookup(held, "uevent").has_value());
  held = {};
  const auto nothing = tree.resolve(inode);
  CHECK(nothing.object == nullptr);
  CHECK(tree.stat(nothing).kind == model::Kind::directory);
  CHECK(tree.stat(nothing).nlink == 2);
  REQUIRE(bench.create(uuid(1)) == 0);
  CHECK(tree.resolve(inode).object == nullptr);  // a number is never used again
}

TEST_CASE("the watcher hears of what the kernel was told of, and of nothing else") {
  Bench bench;
  REQUIRE(bench.create(uuid(1)) == 0);
  REQUIRE(bench.create(uuid(2)) == 0);
  REQUIRE(bench.exists("bus/mdev/devices/" + uuid(1)));
  Recorder recorder;
  bench.core.tree().set_watcher(&recorder);
  const auto parent = bench.core.tree().stat(bench.find(Bench::kParent)).inode;
  bench.core.remove(
      *std::static_pointer_cast<model::Device>(bench.find("bus/mdev/devices/" + uuid(1)).object));
  CHECK(recorder.names == std::vector<std::string>{uuid(1)});
  CHECK(std::ranges::count(recorder.attributes, parent) == 1);  // its link count has changed
  bench.core.tree().set_watcher(nullptr);
}

TEST_CASE("an inode number of nothing resolves to nothing") {
  Bench bench;
  auto& tree = bench.core.tree();
  for (const std::uint64_t inode :
       {std::uint64_t{0}, std::uint64_t{4095}, std::uint64_t{1} << 40U, ~std::uint64_t{0}}) {
    const auto node = tree.resolve(inode);
    REQUIRE(node.entry != nullptr);
    CHECK_FALSE(tree.lookup(node, "x").has_value());
    tree.stat(node);
  }
}
