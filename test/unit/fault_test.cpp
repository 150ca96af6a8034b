// SPDX-License-Identifier: Apache-2.0
//
// Fault injection: the knobs under kernel/debug/mdevfs/PARENT mean what the kernel's mean.
#include <future>

#include "catch.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

const std::string kDebug = "kernel/debug/mdevfs/slow";
const std::string kFail = kDebug + "/fail_probe/";

// What 20 creates one after another answer: `.` for a success, `x` for a fault.
std::string creates(Bench& bench, int fault) {
  std::string outcomes;
  for (unsigned n = 1; n <= 20; ++n) {
    const int error = bench.create(uuid(n));
    if (error != 0 && error != fault) return "errno " + std::to_string(error);
    outcomes += error == 0 ? '.' : 'x';
  }
  return outcomes;
}

}  // namespace

TEST_CASE("nothing fails until somebody asks for it") {
  Bench bench(20);
  CHECK(bench.show(kFail + "probability") == "0\n");
  CHECK(bench.show(kFail + "interval") == "1\n");
  CHECK(bench.show(kFail + "times") == "1\n");
  CHECK(bench.show(kFail + "space") == "0\n");
  CHECK(creates(bench, 0) == "....................");
}

TEST_CASE("so many probes fail, with the errno that was asked for, and leave nothing") {
  Bench bench(20);
  REQUIRE(bench.store(kFail + "errno", "12\n") == 0);
  REQUIRE(bench.store(kFail + "times", "3") == 0);
  REQUIRE(bench.store(kFail + "probability", "100") == 0);
  CHECK(creates(bench, 12) == "xxx.................");
  CHECK(bench.show(kFail + "times") == "0\n");
  CHECK_FALSE(bench.exists("bus/mdev/devices/" + uuid(3)));
  CHECK(bench.create(uuid(3)) == 0);
}

TEST_CASE("every so many-th probe fails, after so many that are let through") {
  Bench bench(20);
  REQUIRE(bench.store(kFail + "times", "-1") == 0);
  REQUIRE(bench.store(kFail + "interval", "4") == 0);
  REQUIRE(bench.store(kFail + "space", "5") == 0);
  REQUIRE(bench.store(kFail + "probability", "100") == 0);
  CHECK(creates(bench, EIO) == ".......x...x...x...x");
  CHECK(bench.show(kFail + "times") == "-1\n");
}

TEST_CASE("a probability is a share") {
  Bench bench(2000);
  REQUIRE(bench.store(kFail + "times", "-1") == 0);
  REQUIRE(bench.store(kFail + "probability", "50") == 0);
  int failed = 0;
  for (unsigned n = 1; n <= 1000; ++n) failed += bench.create(uuid(n)) != 0 ? 1 : 0;
  CHECK(failed > 350);
  CHECK(failed < 650);
}

TEST_CASE("the knobs refuse nonsense and stay as they are") {
  Bench bench;
  for (const auto* text : {"", "x", "-2", "1.5", "99999999999999999999", "1 2"}) {
    CHECK(bench.store(kFail + "times", text) == EINVAL);
    CHECK(bench.store(kFail + "probability", text) == EINVAL);
    CHECK(bench.store(kDebug + "/probe_delay_ms", text) == EINVAL);
  }
  CHECK(bench.store(kFail + "errno", "0") == EINVAL);
  CHECK(bench.store(kFail + "errno", "4096") == EINVAL);
  CHECK(bench.store(kDebug + "/probe_delay_ms", "4294967296") == EINVAL);
  CHECK(bench.show(kFail + "times") == "1\n");
  CHECK(bench.show(kFail + "errno") == "5\n");
}

TEST_CASE("a delayed probe ends at once when the filesystem goes") {
  Bench bench;
  REQUIRE(bench.store(kDebug + "/probe_delay_ms", "4000000000") == 0);
  auto created = std::async(std::launch::async, [&] { return bench.create(uuid(1)); });
  while (!bench.exists("bus/mdev/devices/" + uuid(1))) std::this_thread::yield();
  CHECK(bench.driver->probes == 0);
  bench.core.end_waits();
  CHECK(created.get() == 0);
}

TEST_CASE("a second parent of one name has no debug directory, as in debugfs") {
  Bench bench;
  const auto other_class = bench.core.add_class(*bench.module, "other").value();
  const auto second = *bench.core.add_parent_device(*bench.module, other_class, "slow");
  CHECK(bench.names("kernel/debug/mdevfs").find("slow slow") == std::string::npos);
  bench.core.remove_parent_device(*second);
  CHECK(bench.exists(kFail + "times"));
}
