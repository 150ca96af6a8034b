// SPDX-License-Identifier: Apache-2.0
//
// Open vfio descriptors: who releases a device's driver waits for them, others do not.
#include <poll.h>

#include <future>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kVfio = "kernel/debug/mdevfs/vfio/0";

// An open descriptor of kernel/debug/mdevfs/vfio/N.
class OpenVfio {
 public:
  explicit OpenVfio(Bench& bench, const std::string& path = kVfio) : node_(bench.find(path)) {
    error = node_.object ? result() : ENOENT;
  }
  ~OpenVfio() { close(); }
  OpenVfio(const OpenVfio&) = delete;
  OpenVfio& operator=(const OpenVfio&) = delete;
  void close() {
    if (error == 0) node_.entry->close(*node_.object, node_.slot);
    error = EBADF;
  }
  unsigned events() const { return node_.entry->poll(*node_.object, node_.slot); }
  bool asked_back() const { return (events() & POLLIN) != 0; }

  int error = 0;

 private:
  int result() {
    const auto opened = node_.entry->open(*node_.object, node_.slot);
    return opened ? 0 : opened.error().value;
  }
  model::HeldNode node_;
};

}  // namespace

TEST_CASE("a device in use is removed when it is no longer, and others are not held up") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  REQUIRE(bench.create(uuid(2)) == 0);
  OpenVfio open(bench);
  REQUIRE(open.error == 0);
  CHECK(bench.show(kVfio) == uuid(1) + "\n");
  CHECK_FALSE(open.asked_back());
  CHECK(bench.show("module/slowmdev/refcnt") == "1\n");
  auto removed = std::async(std::launch::async, [&] { return bench.remove(uuid(1)); });
  while (!open.asked_back()) std::this_thread::yield();
  CHECK(bench.show(kVfio) == uuid(1) + " requested\n");
  CHECK(bench.names(Bench::kParent + "/" + uuid(1)) == "iommu_group");
  CHECK_FALSE(bench.exists("bus/mdev/devices/" + uuid(1)));
  CHECK(OpenVfio(bench).error == ENODEV);
  CHECK(bench.create(uuid(1)) == EEXIST);
  CHECK(bench.remove(uuid(2)) == 0);
  CHECK(bench.create(uuid(3)) == 0);
  CHECK(bench.driver->removes == 1);
  open.close();
  CHECK(removed.get() == 0);
  CHECK(bench.driver->removes == 2);
  CHECK(bench.show("module/slowmdev/refcnt") == "0\n");
  CHECK_FALSE(bench.exists(kVfio));
  CHECK(bench.create(uuid(1)) == 0);
}

TEST_CASE("an unbind and an unregistration wait for a user too") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  OpenVfio open(bench);
  auto waiting = std::async(std::launch::async, [&] {
    if (bench.store("bus/mdev/drivers/slow/unbind", uuid(1)) != 0) return false;
    bench.core.unregister_parent(*bench.parent);
    return true;
  });
  while (!open.asked_back()) std::this_thread::yield();
  CHECK(bench.exists(Bench::kParent + "/" + uuid(1) + "/mdev_type"));
  CHECK_FALSE(bench.exists(Bench::kParent + "/" + uuid(1) + "/driver"));
  open.close();
  CHECK(waiting.get());
  CHECK(bench.names("kernel/debug/mdevfs/vfio").empty());
}

TEST_CASE("a module with a device in use cannot be stopped, and one that is stopped lets nobody in") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  {
    const OpenVfio open(bench);
    CHECK_FALSE(bench.core.try_stop_module(*bench.module));
  }
  CHECK(bench.core.try_stop_module(*bench.module));
  CHECK(OpenVfio(bench).error == ENODEV);
}

TEST_CASE("the end of the filesystem ends the wait for a user who does not let go") {
  Bench bench(3, true);
  REQUIRE(bench.create(uuid(1)) == 0);
  const OpenVfio open(bench);
  auto removed = std::async(std::launch::async, [&] { return bench.remove(uuid(1)); });
  while (!open.asked_back()) std::this_thread::yield();
  bench.core.end_waits();
  CHECK(removed.get() == 0);
}
