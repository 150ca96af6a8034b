// SPDX-License-Identifier: Apache-2.0
//
// What texts `create`, `remove` and `uevent` take: each row as it was seen on a real kernel 6.1.
#include "model/text.h"

#include "catch.h"
#include "model/number.h"
#include "model/uevent.h"
#include "model/uuid.h"

using namespace mdevfs::model;
using std::string;
using namespace std::string_literals;

TEST_CASE("create takes 36 bytes of UUID and any 37th") {
  const string uuid = "9e3779b1-0000-4000-8000-000000000001";
  for (const string& text : {uuid, uuid + "\n", uuid + "\0"s, uuid + " ", uuid + "\r", uuid + "x",
                             uuid + "\xff", uuid + "0", "9E3779B1-0000-4000-8000-000000000001"s}) {
    CAPTURE(text);
    const auto parsed = parse_create_text(text);
    REQUIRE(parsed.has_value());
    CHECK(to_string(*parsed) == uuid);
  }
  CHECK(parse_create_text("00000000-0000-0000-0000-000000000000").has_value());
  CHECK(parse_create_text("ffffffff-ffff-ffff-ffff-ffffffffffff").has_value());
}

TEST_CASE("create refuses every other form") {
  const string uuid = "9e3779b1-0000-4000-8000-000000000001";
  for (const string& text :
       {""s, "1"s, uuid.substr(0, 35), uuid + "\n\n", " "s + uuid, "\n"s + uuid, "{"s + uuid + "}",
        "9e3779b100004000800000000000000001"s, "9e3779b1-00004-000-8000-000000000001"s,
        "9e3779b1_0000_4000_8000_000000000001"s, "0x3779b1-0000-4000-8000-000000000001"s,
        "+e3779b1-0000-4000-8000-000000000001"s, "9e3779b1-0000-4000-8000-00000000000g"s,
        "9e3779b1-0000-4000-8000-0000\0000001"s, uuid + uuid, string(4096, 'a'), string(5000, '0')}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_create_text(text).has_value());
    CHECK(parse_create_text(text).error() == Errno{EINVAL});
  }
}

TEST_CASE("remove takes the numbers that the kernel's kstrtoul takes") {
  const string big = "18446744073709551615";
  for (const string& text : {"1"s, "1\n"s, "01"s, "0x1"s, "0X1"s, "+1"s, "+0x1"s, "1\0"s, "1\0garbage"s,
                             "1\n\0more"s, string(31, '0') + "1", string(4095, '0') + "1"}) {
    CAPTURE(text);
    CHECK(parse_unsigned(text) == 1UL);
  }
  CHECK(parse_unsigned("2") == 2UL);
  CHECK(parse_unsigned("010") == 8UL);
  CHECK(parse_unsigned("0X1F") == 31UL);
  for (const string& text : {big, "0xffffffffffffffff"s, "01777777777777777777777"s}) {
    CAPTURE(text);
    CHECK(parse_unsigned(text) == ~0UL);
  }
  for (const string& text : {"0"s, "0\n"s, "00"s, "0x0"s, string(4096, '0')}) {
    CAPTURE(text.size());
    CHECK(parse_unsigned(text) == 0UL);
  }
}

TEST_CASE("everything else is no number") {
  for (const string& text :
       {""s,    "\n"s,  "\0"s,   "-1"s,    "-0"s,           "abc"s, "0x"s,  "08"s,  "09\n"s,
        "1 "s,  " 1"s,  "\t1"s,  "1\n\n"s, "1\r\n"s,        "1x"s,  "1 1"s, "++1"s, "+-1"s,
        "1.0"s, "0b1"s, "true"s, "y"s,     string(10, ' '), "+"s,   "+\n"s, "0x\n"s}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_unsigned(text).has_value());
    CHECK(parse_unsigned(text).error() == Errno{EINVAL});
  }
  for (const string& text : {"18446744073709551616"s, "0x10000000000000000"s, "02000000000000000000000"s,
                             "18446744073709551616x"s}) {
    CAPTURE(text);
    CHECK(parse_unsigned(text).error() == Errno{ERANGE});
  }
}

TEST_CASE("uevent takes an action, a UUID and arguments of letters and digits") {
  const string uuid = "9e3779b1-0000-4000-8000-000000000001";
  for (const string& text :
       {"add"s, "add\n"s, "add\0"s, "change"s, "remove"s, "move"s, "online"s, "offline"s, "bind"s, "unbind"s,
        "add " + uuid, "add " + uuid + " A=1 B=abc", "add " + uuid + " A=1\n"}) {
    CAPTURE(text);
    CHECK(parse_synthetic_uevent(text, age_of(kDefaultKernel)).has_value());
  }
  const auto event = parse_synthetic_uevent("add " + uuid + " A=1 B=abc\n", age_of(kDefaultKernel));
  CHECK(event->uuid == uuid);
  CHECK(event->arguments == std::vector<std::pair<string, string>>{{"A", "1"}, {"B", "abc"}});
  for (const string& text : {"bogus"s, "\n"s, "ADD"s, "add\n\n"s, " add"s, "addx"s, "ad"s, "add x"s,
                             "add zzz"s, "add " + uuid + " A_B=1", "add " + uuid + " =1",
                             "add " + uuid + " A", "add " + uuid + " A=", "add" + string(5000, ' ')}) {
    CAPTURE(text);
    CHECK_FALSE(parse_synthetic_uevent(text, age_of(kDefaultKernel)).has_value());
  }
}

TEST_CASE("a line is compared without its one newline and up to a NUL") {
  CHECK(equals_line("auto", "auto"));
  CHECK(equals_line("auto\n", "auto"));
  CHECK(equals_line("auto\0x"s, "auto"));
  CHECK_FALSE(equals_line("auto\n\n", "auto"));
  CHECK_FALSE(equals_line("auto ", "auto"));
}
