// SPDX-License-Identifier: Apache-2.0
//
// What a real kernel's log is made into for a transcript. The rest of that machine needs a real kernel:
// scripts/record-kernel is its test.
#include "kernel_machine.h"

#include "catch.h"

using namespace mdevfs::conformance;

TEST_CASE("a record of the kernel log has a level and a text") {
  CHECK(log_line("6,339,5140900,-;slow slow: MDEV: Registered\n SUBSYSTEM=slow\n DEVICE=+slow:slow\n") ==
        "<6> slow slow: MDEV: Registered");
  CHECK(log_line("12,1,2,-;from a user; with a semicolon\n") == "<4> from a user; with a semicolon");
}

TEST_CASE("stack traces are one line, and the virtual machine's own remarks none") {
  CHECK(without_noise({"<4> sysfs: cannot create duplicate filename '/class/mdev_bus/mtty'",
                       "<4> CPU: 0 PID: 66 Comm: scenario_kernel Tainted: G",
                       "<4> Call Trace:", "<4>  <TASK>", "<4>  dump_stack_lvl+0x44/0x5c", "<4>  </TASK>",
                       "<4> slow mtty: Failed to create compatibility class link",
                       "<6> clocksource: Switched to clocksource tsc"}) ==
        std::vector<std::string>{"<4> sysfs: cannot create duplicate filename '/class/mdev_bus/mtty'",
                                 "<4> (stack trace)",
                                 "<4> slow mtty: Failed to create compatibility class link"});
}
