// SPDX-License-Identifier: Apache-2.0
//
// Scenarios made up: the same everywhere for a seed, and nothing in them that FUSE cannot do.
#include "generator.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "catch.h"

using namespace mdevfs::conformance;

TEST_CASE("chance is SplitMix64") {
  Random random(1234567);
  CHECK(random.next() == 6457827717110365317U);
  CHECK(random.next() == 3203168211198807973U);
  CHECK(random.next() == 9817491932198370423U);
}

TEST_CASE("a seed is one scenario") {
  const auto first = Generator(7).scenario(300);
  CHECK(first == Generator(7).scenario(300));
  CHECK(first != Generator(8).scenario(300));
  CHECK(first.starts_with("# made up: seed 7\nmkdir /tmp/here\n"));
  CHECK(std::ranges::count(first, '\n') > 300);
}

TEST_CASE("what is made up can be asked of a FUSE file system") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    std::istringstream scenario(Generator(seed).scenario(300));
    for (std::string line; std::getline(scenario, line);) {
      CAPTURE(seed, line);
      for (const auto* impossible : {"statfs ", "mmap ", "sh "}) CHECK_FALSE(line.starts_with(impossible));
      for (const auto* impossible : {"probe_errno 512", "security.", "posix_acl"})
        CHECK(line.find(impossible) == std::string::npos);
      if (line.starts_with("hold")) CHECK(line.find("APPEND") == std::string::npos);
    }
  }
}
