// SPDX-License-Identifier: Apache-2.0
//
// The child that scenarios run in: what it gives back, what it does with a hang, that nothing stays behind.
#include "sandbox.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "catch.h"

using namespace mdevfs::conformance;
using namespace std::chrono_literals;

TEST_CASE("a child's lines are the transcript") {
  const auto ran = run_in_child([](const Print& print) { print("a"), print("b => ok"); }, 10s);
  CHECK(ran.transcript == "a\nb => ok\n");
  CHECK(ran.failure.empty());
  CHECK(ran.skipped.empty());
}

TEST_CASE("a reason to skip is told apart from a failure") {
  CHECK(run_in_child([](const Print&) { throw Unavailable("no such thing"); }, 10s).skipped ==
        "no such thing");
  CHECK(run_in_child([](const Print&) { throw std::runtime_error("broken"); }, 10s).failure == "broken");
  CHECK(run_in_child([](const Print&) { ::_exit(3); }, 10s).failure == "the scenario's process ended with 3");
}

TEST_CASE("a hang is ended, told with the last line and where the threads stand, and its children die") {
  const auto start = std::chrono::steady_clock::now();
  const auto ran = run_in_child(
      [](const Print& print) {
        print("first => ok");
        print("write /a => never");
        if (::fork() == 0) std::this_thread::sleep_for(1h);
        std::this_thread::sleep_for(1h);
      },
      1s);
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  CHECK(ran.transcript == "first => ok\nwrite /a => never\n");
  CHECK_THAT(ran.failure, mdevfs::test::has_text("within 1 s; the last line was: write /a => never"));
  CHECK_THAT(ran.failure, mdevfs::test::has_text("nanosleep"));
}

TEST_CASE("the scenario's view of the machine is private") {
  struct stat before{};
  REQUIRE(::stat("/tmp", &before) == 0);
  const auto ran = run_in_child(
      [](const Print& print) {
        Namespaces namespaces;
        namespaces.enter_first();
        const auto tools = applets();
        namespaces.enter_second("");
        PlainMachine machine;
        Context context{.machine = machine, .applets = tools};
        Scenario(context, print)
            .run(
                "ls /tmp/nothere\nsh ls -l /etc/passwd | cut -c1-22\nsh ls -ln / | grep -c tmp\nsh cat "
                "/nothere\n"
                "sh (echo x > /nothere/x) 2>&1\nsh echo 1 > /proc/sys/kernel/printk\nsh type ls\n");
      },
      20s);
  if (!ran.skipped.empty()) {
    WARN("skipped: " << ran.skipped);
    return;
  }
  CHECK(ran.failure.empty());
  CHECK(ran.transcript ==
        "ls /tmp/nothere => open: ENOENT\n"
        "sh ls -l /etc/passwd | cut -c1-22 =>\n  crw-rw-rw-    1 0     \n  exit 0\n"
        "sh ls -ln / | grep -c tmp =>\n  1\n  exit 0\n"
        "sh cat /nothere =>\n  cat: can't open '/nothere': No such file or directory\n  exit 1\n"
        "sh (echo x > /nothere/x) 2>&1 =>\n  sh: can't create /nothere/x: nonexistent directory\n  exit 1\n"
        "sh echo 1 > /proc/sys/kernel/printk => exit 0\n"
        "sh type ls =>\n  ls is /tmp/.machine/applets/ls\n  exit 0\n");
  struct stat after{};
  REQUIRE(::stat("/tmp", &after) == 0);
  CHECK(after.st_dev == before.st_dev);
  CHECK_FALSE(std::filesystem::exists("/tmp/.machine"));
}
