// SPDX-License-Identifier: Apache-2.0
//
// The scenario language's text, against examples out of the recordings.
#include "text.h"

#include "catch.h"

using namespace mdevfs::conformance;

TEST_CASE("escapes stand for one byte each") {
  CHECK(unescape("a\\n") == "a\n");
  CHECK(unescape("\\t\\r\\s\\\\") == "\t\r \\");
  CHECK(unescape("8d9a-\\000000000000") == std::string("8d9a-\0", 6) + "00000000000");
  CHECK(unescape("6\\xff") == "6\xff");
  CHECK(unescape("\\q\\x1") == "\\q\\x1");
  CHECK(unescape("").empty());
}

TEST_CASE("a repetition repeats one character or one escape") {
  CHECK(unescape("@4096*0") == std::string(4096, '0'));
  CHECK(unescape("1@3*\\n") == "1\n\n\n");
  CHECK(unescape("@5*01") == "000001");
  CHECK(unescape("/a/@2*n/b") == "/a/nn/b");
  CHECK(unescape("slow@devices @x*1 @3*") == "slow@devices @x*1 @3*");
}

TEST_CASE("what was read is quoted") {
  CHECK(quote("Slow A\n") == "\"Slow A\\n\"");
  CHECK(quote(std::string("trusted.a\0", 10)) == "\"trusted.a\\x00\"");
  CHECK(quote("\"\\\xff") == "\"\\\"\\\\\\xff\"");
}

TEST_CASE("errno has a name or a number") {
  CHECK(errno_name(13) == "EACCES");
  CHECK(errno_name(11) == "EAGAIN");
  CHECK(errno_name(95) == "EOPNOTSUPP");
  CHECK(errno_name(512) == "errno512");
  CHECK(errno_name(4095) == "errno4095");
}

TEST_CASE("made-up UUIDs are those of the recordings") {
  CHECK(made_up_uuid(1) == "9e3779b1-0000-4000-8000-000000000001");
  CHECK(made_up_uuid(11) == "cc623a9b-0000-4000-8000-000000000011");
  CHECK(made_up_uuid(122) == "666ffe5a-0000-4000-8000-000000000122");
}

TEST_CASE("variables are expanded, unknown ones left to the shell") {
  Variables variables;
  variables.set("V", "/sys/slow");
  variables.set("SA", "$V");
  CHECK(variables.expand("ls $V/$U1") == "ls /sys/slow/9e3779b1-0000-4000-8000-000000000001");
  CHECK(variables.expand("${V}x $SA") == "/sys/slowx $V");
  CHECK(variables.expand("for f in a; do echo $f $(cat $f) ${f} ${V; done $") ==
        "for f in a; do echo $f $(cat $f) ${f} ${V; done $");
  CHECK(variables.expand("$Ux $U") == "$Ux $U");
}
