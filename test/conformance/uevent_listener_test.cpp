// SPDX-License-Identifier: Apache-2.0
//
// How a uevent's message is taken apart.
#include "uevent_listener.h"

#include "catch.h"

using namespace mdevfs::conformance;

TEST_CASE("a uevent is its head and then its keys in the order in which they came") {
  using namespace std::string_view_literals;
  const auto event = parse_uevent("add@/a\0ACTION=add\0DEVPATH=/a\0SEQNUM=7\0"sv);
  CHECK(event.head == "add@/a");
  CHECK(event.keys == std::vector<std::string>{"ACTION=add", "DEVPATH=/a", "SEQNUM=7"});
  CHECK(parse_uevent("").head.empty());
  CHECK(parse_uevent("change@/b").head == "change@/b");
}
