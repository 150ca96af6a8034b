// SPDX-License-Identifier: Apache-2.0
//
// The comparison itself: what counts as equal, what an exception must say, what is reported.
#include "comparison.h"

#include "catch.h"
#include "transcript.h"

using namespace mdevfs::conformance;

namespace {

Report compared(std::string_view kernel, std::string_view here, const std::vector<Exception>& exceptions = {},
                std::string_view scenario = "s") {
  return compare(scenario, kernel, here, exceptions);
}

}  // namespace

TEST_CASE("equal transcripts are equal line by line, remarks are not counted") {
  const auto report = compared("# a\nls /a => 0:\ntree /a =>\n  /a dir\n  /a/b reg\n",
                               "# a\nls /a => 0:\ntree /a =>\n  /a dir\n  /a/b reg\n");
  CHECK(report.equal == 4);
  CHECK(report.compared() == 4);
  CHECK(report.passed());
}

TEST_CASE("a different outcome is one difference") {
  const auto report = compared("write /a x => ok 1\nread /a => ok 0 \"\"\n",
                               "write /a x => write: EIO\nread /a => ok 0 \"\"\n");
  REQUIRE(report.differences.size() == 1);
  CHECK(report.differences[0].kernel == "write /a x => ok 1");
  CHECK(report.differences[0].here == "write /a x => write: EIO");
  CHECK(report.equal == 1);
  CHECK_FALSE(report.passed());
}

TEST_CASE("one line too many or too few in a block is one difference") {
  const auto report = compared("tree /a =>\n  1\n  2\n  3\n  4\n", "tree /a =>\n  1\n  3\n  4\n  5\n");
  REQUIRE(report.differences.size() == 2);
  CHECK(report.differences[0].where == "tree /a");
  CHECK(report.differences[0].kernel == "2");
  CHECK(report.differences[0].here.empty());
  CHECK(report.differences[1].kernel.empty());
  CHECK(report.differences[1].here == "5");
  CHECK(report.equal == 4);
}

TEST_CASE("a transcript that ends early, or is of another scenario, is told once") {
  CHECK(compared("a => ok\nb => ok\nc => ok\n", "a => ok\n").differences.size() == 1);
  CHECK(compared("a => ok\nb => ok\n", "a => ok\n", {{{"s"}, "b => ok", "b => b", "why"}}).unused.empty());
  CHECK(compared("a => ok\nb => ok\nc => ok\n", "a => ok\nx => ok\ny => ok\n").differences.size() == 1);
}

TEST_CASE("times are compared roughly: a delay is there on both sides or on neither") {
  CHECK(equal_outcomes("ok 36 [from 0.0s to 3.2s]", "ok 36 [from 0.1s to 3.0s]"));
  CHECK(equal_outcomes("ok 36 [from 0.5s to 0.5s]", "ok 36 [from 0.7s to 0.8s]"));
  CHECK_FALSE(equal_outcomes("ok 36 [from 0.0s to 3.2s]", "ok 36 [from 0.0s to 0.0s]"));
  CHECK_FALSE(equal_outcomes("ok 36 [from 0.5s to 0.5s]", "ok 36 [from 0.5s to 3.5s]"));
  CHECK_FALSE(equal_outcomes("ok 36 [from 0.0s to 3.2s]", "ok 36 [from 0.0s to 7.0s]"));
  CHECK(equal_outcomes("ok 12 [0.2s]", "ok 12 [0.6s]"));  // a machine under load
  CHECK_FALSE(equal_outcomes("ok 12 [0.6s]", "ok 12 [0.2s]"));
  CHECK_FALSE(equal_outcomes("ok 12 [0.2s]", "ok 12 [0.8s]"));
  CHECK_FALSE(equal_outcomes("ok 36 [0.0s]", "ok 37 [0.0s]"));
  CHECK_FALSE(equal_outcomes("ok 36 [0.0s]", "ok 36"));
}

TEST_CASE("what is not fixed is not compared literally") {
  CHECK(by_rules("0..19: 1.16 ms each") == by_rules("0..19: 0.02 ms each"));
  CHECK(by_rules("atime=1000000 mtime=1795342624 ctime==mtime") ==
        by_rules("atime=1000000 mtime=1795349999 ctime==mtime"));
  CHECK(by_rules("atime=1000000 mtime=1") != by_rules("atime=1000001 mtime=1"));
  CHECK(by_rules("/vfio/0/dev reg 0444 nlink=1 size=4096 \"246:0\\n\"") ==
        by_rules("/vfio/0/dev reg 0444 nlink=1 size=4096 \"511:0\\n\""));
  CHECK(by_rules("/vfio/0/dev \"246:0\\n\"") != by_rules("/vfio/0/dev \"246:1\\n\""));
  CHECK(by_rules("6.12.95+deb12-amd64") == by_rules("6.19.0-rc1"));
  CHECK(by_rules("6.12.95+deb12-amd64") == by_rules("7.3-rc7"));
  CHECK(by_rules("0.02") != by_rules("0.03"));
}

TEST_CASE("of operations that compete, any may win, but as many as recorded") {
  const std::string kernel =
      "wait p1 => ok 36 [from 0.0s to 1.1s]\nwait p2 => write: EEXIST [from 0.0s to 0.0s]\n";
  const std::string other =
      "wait p1 => write: EEXIST [from 0.0s to 0.0s]\nwait p2 => ok 36 [from 0.0s to 1.0s]\n";
  const std::string both = "wait p1 => ok 36 [from 0.0s to 1.0s]\nwait p2 => ok 36 [from 0.0s to 1.0s]\n";
  CHECK(compare("e5-parallel", kernel, other, {}).passed());
  CHECK_FALSE(compare("e5-parallel", kernel, both, {}).passed());
  CHECK_FALSE(compare("another", kernel, other, {}).passed());
}

TEST_CASE("who won a competition is no matter in a listing, how many did is") {
  const std::string kernel =
      "ls /d => 2: 08d12dfd-0000-4000-8000-000000000013/lnk 0a1a7c86-0000-4000-8000-000000000102/lnk\n";
  const std::string other =
      "ls /d => 2: 08d12dfd-0000-4000-8000-000000000013/lnk 12ebaa83-0000-4000-8000-000000000115/lnk\n";
  CHECK(compare("e5-parallel", kernel, other, {}).passed());
  CHECK_FALSE(compare("another", kernel, other, {}).passed());
  CHECK_FALSE(
      compare("e5-parallel", kernel, "ls /d => 1: 08d12dfd-0000-4000-8000-000000000013/lnk\n", {}).passed());
}

TEST_CASE("uevents and the kernel log are counted apart where nobody can hear them") {
  const auto* kernel = "uevb 50 =>\n  add@/a\n  1 event\ndmesg => nothing\nuevdrop => dropped\n";
  const auto* here = "uevb 50 => not heard\ndmesg => not heard\nuevdrop => dropped\n";
  const auto without = compared(kernel, here);
  CHECK(without.not_compared == 4);
  CHECK(without.equal == 1);
  CHECK(without.passed());
  CHECK_FALSE(compared(kernel, "uevb 50 => 0 events\ndmesg => nothing\nuevdrop => dropped\n").passed());
}

TEST_CASE(
    "of devices that go side by side, each one's events are in order, and the group's number is no matter") {
  const std::string one = "9e3779b1-0000-4000-8000-000000000001";
  const std::string two = "3c6ef362-0000-4000-8000-000000000002";
  const auto events = [](const std::vector<std::string>& lines) {
    std::string text = "uevb =>\n";
    for (const auto& line : lines) text += "  " + line + "\n";
    return text;
  };
  const auto kernel =
      events({"unbind@/p/" + one, "unbind@/p/" + two, "remove@/p/" + one, "remove@/p/" + two});
  const auto other = events({"unbind@/p/" + two, "remove@/p/" + two, "unbind@/p/" + one, "remove@/p/" + one});
  const auto wrong = events({"unbind@/p/" + two, "remove@/p/" + two, "remove@/p/" + one, "unbind@/p/" + one});
  CHECK(compare("x3-duplicate", kernel, other, {}).passed());
  CHECK_FALSE(compare("x3-duplicate", kernel, wrong, {}).passed());
  CHECK_FALSE(compare("another", kernel, other, {}).passed());
  CHECK(compare("x3-duplicate", events({"add@/devices/virtual/vfio/1"}),
                events({"add@/devices/virtual/vfio/2"}), {})
            .passed());
}

TEST_CASE("what a shell wrote to stderr belongs to its line, before or below it") {
  CHECK(compared("cat: no\nsh cat x; echo 1\n  1\n  exit 0\n", "sh cat x; echo 1\n  cat: no\n  1\n  exit 0\n")
            .passed());
  CHECK_FALSE(compared("cat: no\nsh cat x\n  exit 0\n", "sh cat x\n  exit 0\n").passed());
}

TEST_CASE("nothing is known of what a recording lost behind a stack trace") {
  const std::string kernel = "dmesg =>\n  a\n  <4> (stack trace)\n";
  const auto lost = compared(kernel, "dmesg =>\n  a\n  <4> (stack trace)\n  b\n");
  CHECK(lost.passed());
  CHECK(lost.lost == 1);
  CHECK_FALSE(compared(kernel, "dmesg =>\n  a\n  b\n  <4> (stack trace)\n").passed());
  CHECK_FALSE(
      compared("dmesg =>\n  <4> (stack trace)\n  b\n", "dmesg =>\n  <4> (stack trace)\n  c\n").passed());
}

TEST_CASE("an exception asserts exactly what happens instead") {
  const std::vector<Exception> exceptions{
      {{"s"}, "open /a DIRECT => open: EINVAL", "open /a DIRECT => ok", "why"}};
  CHECK(compared("open /a DIRECT => open: EINVAL\n", "open /a DIRECT => ok\n", exceptions).excepted == 1);
  CHECK(compared("open /a DIRECT => open: EINVAL\n", "open /a DIRECT => ok\n", exceptions).passed());
  CHECK_FALSE(
      compared("open /a DIRECT => open: EINVAL\n", "open /a DIRECT => open: EIO\n", exceptions).passed());
}

TEST_CASE("an exception is good for one line") {
  const std::vector<Exception> exceptions{{{"s"}, "a => ok", "a => b", "why"}};
  CHECK(compared("a => ok\na => ok\n", "a => b\na => b\n", exceptions).differences.size() == 1);
  CHECK(compared("a => ok\na => ok\n", "a => b\na => b\n", {exceptions[0], exceptions[0]}).passed());
}

TEST_CASE("an exception that no line needs is told") {
  const std::vector<Exception> exceptions{{{"s"}, "a => ok", "a => b", "why"},
                                          {{"t"}, "a => ok", "a => b", "why"}};
  const auto report = compared("a => ok\n", "a => ok\n", exceptions);
  CHECK(report.unused.size() == 1);
  CHECK_FALSE(report.passed());
}

TEST_CASE("an exception of some hosts need not be needed") {
  const std::vector<Exception> exceptions{{{"s"}, "a => ok", "a => b", "why", "on old kernels"}};
  CHECK(compared("a => ok\n", "a => ok\n", exceptions).passed());
  CHECK(compared("a => ok\n", "a => b\n", exceptions).passed());
  CHECK_FALSE(compared("a => ok\n", "a => c\n", exceptions).passed());
}

TEST_CASE("an exception of what nobody could hear need not be needed") {
  const auto* kernel = "uevb 50 =>\n  add@/a\n  1 event\nread /a => ok\n";
  const auto* deaf = "uevb 50 => not heard\nread /a => ok\n";
  const std::vector<Exception> of_events{{{"s"}, "add@/a", "", "why"}, {{"s"}, "1 event", "0 events", "why"}};
  CHECK(compared(kernel, deaf, of_events).passed());
  CHECK(compared(kernel, kernel, of_events).unused.size() == 2);
  // Of a line that the kernel does not have nobody knows where it would have been.
  const std::vector<Exception> one_more{{{"s"}, "", "add@/b", "why"}};
  CHECK(compared(kernel, deaf, one_more).passed());
  CHECK(compared(kernel, kernel, one_more).unused.size() == 1);
  const std::vector<Exception> of_another{{{"s"}, "read /a => ok", "read /a => read: EIO", "why"}};
  CHECK(compared(kernel, deaf, of_another).unused.size() == 1);
  const std::vector<Exception> of_the_step{{{"s"}, "uev => nothing", "uev =>", "why"}};
  CHECK(compared("uev => nothing\n", "uev => not heard\n", of_the_step).passed());
}

TEST_CASE("exceptions of lines that only one side has") {
  const std::vector<Exception> exceptions{{{"s"}, "2", "", "why"}, {{"s"}, "", "9", "why"}};
  const auto report = compared("tree /a =>\n  1\n  2\n  3\n", "tree /a =>\n  1\n  3\n  9\n", exceptions);
  CHECK(report.excepted == 2);
  CHECK(report.passed());
}

TEST_CASE("the list of exceptions is read, and mistakes in it are told by line") {
  auto parsed = parse_exceptions(
      "# a remark\n\nscenario: a b\nkernel:   x => y\nhere:     (nothing)\nreason:   because\n\n"
      "age: 5.10 6.1\nscenario: c\nkernel: (nothing)\nhere: z\nreason: So.\nonly: there\n");
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->size() == 2);
  CHECK(exceptions_of(*parsed, "6.1").size() == 2);
  CHECK(exceptions_of(*parsed, "6.12").size() == 1);
  CHECK((*parsed)[0].scenarios == std::vector<std::string>{"a", "b"});
  CHECK((*parsed)[0].kernel == "x => y");
  CHECK((*parsed)[0].here.empty());
  CHECK((*parsed)[1].here == "z");
  CHECK(as_markdown(*parsed) ==
        "- because (a, b)\n  - kernel: `x => y`<br>here: (nothing)\n"
        "- So. Only there. (5.10, 6.1: c)\n  - kernel: (nothing)<br>here: `z`\n");
  parsed->push_back(parsed->back());
  CHECK_THAT(as_markdown(*parsed),
             Catch::Matchers::EndsWith("(5.10, 6.1: c)\n  - kernel: (nothing)<br>here: `z`\n"
                                       "  - kernel: (nothing)<br>here: `z`\n"));
  CHECK(parse_exceptions("scenario: a\nkernel: x\n\n").error() == "line 3: the entry above lacks a field");
  CHECK(parse_exceptions("kernal: x\n").error() ==
        "line 1: expected age:, scenario:, kernel:, here:, reason: or only:");
  CHECK(parse_exceptions("")->empty());
}
