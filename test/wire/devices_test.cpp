// SPDX-License-Identifier: Apache-2.0
//
// Devices coming and going through the wire: what write(2) answers, what the kernel is told, in which order,
// and what descriptors on the dead give.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::Errno;

namespace {

const std::string kUuid = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";
const std::string kTypes = "devices/virtual/mtty/mtty/mdev_supported_types/";

struct Mtty {
  model::Core core;
  Mtty() { REQUIRE(backends::find("mtty")->load(core, {})); }
};

}  // namespace

TEST_CASE("a device comes and goes with a write") {
  Mtty mtty;
  KernelSide kernel(mtty.core);
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "24\n");
  CHECK(kernel.echo(kUuid + "\n", kTypes + "mtty-1/create") == 37);
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "23\n");
  CHECK(kernel.readlink(kernel.walk("bus/mdev/devices/" + kUuid)) ==
        "../../../devices/virtual/mtty/mtty/" + kUuid);
  CHECK(kernel.echo("1\n", "devices/virtual/mtty/mtty/" + kUuid + "/remove") == 2);
  CHECK(kernel.find("devices/virtual/mtty/mtty/" + kUuid) == model::fail(ENOENT));
  CHECK(kernel.find("bus/mdev/devices/" + kUuid) == model::fail(ENOENT));
  CHECK(kernel.cat(kTypes + "mtty-1/available_instances") == "24\n");
}
