// SPDX-License-Identifier: Apache-2.0
//
// What `mdevfs capture` writes is what config reads, and a rule that is derived from counts has those counts.
#include <fmt/format.h>

#include <algorithm>

#include "backends/backends.h"
#include "capture/counting.h"
#include "capture/draft.h"
#include "capture/order.h"
#include "capture/toml_text.h"
#include "catch.h"
#include "config/document.h"
#include "config/machine.h"

using namespace mdevfs;
using capture::Counting;
using capture::ParentCounts;
using Parents = std::vector<ParentCounts>;

namespace {

std::string in_utf8(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value & 0xffU); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | code >> 6U), byte(0x80 | (code & 0x3fU))};
  if (code < 0x10000)
    return {byte(0xe0 | code >> 12U), byte(0x80 | (code >> 6U & 0x3fU)), byte(0x80 | (code & 0x3fU))};
  return {byte(0xf0 | code >> 18U), byte(0x80 | (code >> 12U & 0x3fU)), byte(0x80 | (code >> 6U & 0x3fU)),
          byte(0x80 | (code & 0x3fU))};
}

// The name and the text of the only member of the document, or what is wrong with it.
std::pair<std::string, std::string> read_back(const std::string& document) {
  const auto parsed = config::parse_document(document);
  if (!parsed) return {"wrong", parsed.error().what};
  if (parsed->members.size() != 1) return {"wrong", "not one member"};
  return {parsed->members[0].name, parsed->members[0].value.text};
}

void check_text(const std::string& text) {
  INFO(capture::as_comment(text));
  const auto quoted = capture::in_quotes(text), lines = capture::in_lines(text), key = capture::as_key(text);
  REQUIRE(quoted);
  REQUIRE(lines);
  REQUIRE(key);
  CHECK(read_back("a = " + *quoted) == std::pair<std::string, std::string>("a", text));
  CHECK(read_back("a = " + *lines) == std::pair<std::string, std::string>("a", text));
  CHECK(read_back(*key + " = \"value\"").first == text);
  CHECK(config::parse_document(capture::as_comment(text)).has_value());
}

const std::string kTexts[] = {
    "",
    " ",
    "plain",
    "two words",
    "\"quoted\" and 'quoted' and \"\"\"",
    "\"\"\"\"\"\"",
    "'''",
    "back\\slash \\n \\",
    "\\",
    "first\nsecond\n",
    "\n",
    "\n\n\n",
    "\nlast \"\"\"",
    "line \\\n  next",
    "carriage\r\nreturn\r",
    "\t tab \v \f \b \x1b[31m \x7f",
    "# no comment",
    "a.b = [c]",
    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x92\xbe",
};

}  // namespace

TEST_CASE("a text that is written is the same when it is read") {
  for (const std::string& text : kTexts) check_text(text);
  check_text("\n" + fmt::format("{:.>400}", "a"));
  for (std::string dots = "\n"; dots.size() < 1200; dots += "a.") check_text(dots);
}

TEST_CASE("every character can be written, in one piece and among others") {
  for (std::uint32_t from = 1; from < 0x110000; from += 0x100) {
    std::string text = "x\n";
    for (std::uint32_t code = from; code < std::min(from + 0x100, 0x110000U); ++code) {
      if (code < 0xd800 || code > 0xdfff) text += in_utf8(code);
    }
    if (from > 0x3000 && from % 0x1000 != 1) continue;  // the rest is in the same blocks
    check_text(text);
  }
}

TEST_CASE("what TOML cannot carry is not written") {
  const std::string wrong[] = {
      std::string(1, '\0'),
      std::string("a\0b", 3),
      "\xff",
      "\xc3",
      "a\x80",
      "\xc0\x80",
      "\xed\xa0\x80",
      "\xf4\x90\x80\x80",
      "\xe2\x82",
      "\xf8\x88\x80\x80\x80",
  };
  for (const std::string& text : wrong) {
    INFO(capture::as_comment(text));
    CHECK_FALSE(capture::in_quotes(text));
    CHECK_FALSE(capture::in_lines(text));
    CHECK_FALSE(capture::as_key(text));
    CHECK(config::parse_document(capture::as_comment(text)).has_value());
  }
}

TEST_CASE("a draft is a machine file, whatever is set") {
  const backends::Backend& sim = *backends::find("sim");
  capture::UnitDraft unit(sim, "a \"unit\"");
  unit.table.set("pool", "8");
  unit.table.set("counting", "pool", "nobody\nknows");
  unit.table.set("counted", "no such key");
  unit.table.set("max_instances", "-1");
  unit.table.set("device_api", "\xff");
  capture::Names names;
  for (const std::string& text : kTexts) {
    capture::Table& type = unit.add("types", names.give(text));
    type.set("name", text);
    type.set("description", text);
  }
  unit.add("attributes", "color").set("mode", "0644");
  unit.add_parent("0.0.0313").set("types", unit.items.front().second.name() + " plain");
  const std::string text = text_of(unit) + parents_text_of(unit);
  INFO(text);
  const auto machine = config::parse_machine(text);
  REQUIRE(machine.has_value());
  REQUIRE(machine->units.size() == 1);
  const backends::Settings& settings = machine->units[0].settings;
  CHECK(settings.name == "a \"unit\"");
  CHECK(settings.values == backends::Values{{"pool", "8"}, {"counting", "pool"}});
  CHECK(text.find("# guessed: nobody\\x0aknows\ncounting") != std::string::npos);
  CHECK(text.find("# left out, as there is no such key: counted is no such key") != std::string::npos);
  CHECK(text.find("# left out, as a machine file cannot say it: max_instances is -1") != std::string::npos);
  CHECK(text.find("device_api is \\xff") != std::string::npos);
  const auto& types = settings.items.at("types");
  REQUIRE(types.size() == std::size(kTexts));
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto name = types[i].second.find("name");
    CHECK((name == types[i].second.end() ? "" : name->second) == kTexts[i]);
  }
  CHECK(settings.items.at("attributes")[0].second.at("mode") == "0644");
}

TEST_CASE("names are given once") {
  capture::Names names;
  CHECK(names.give("a") == "a");
  CHECK(names.give("a") == "a-2");
  CHECK(names.give("a-2") == "a-2-2");
  CHECK(names.give("") == "_");
  CHECK(names.give("..") == ".._");
  CHECK(names.give("a b/c\n") == "a_b_c_");
  CHECK(names.give(std::string(300, 'x')).size() == 200);
}

TEST_CASE("names with numbers are in the order of the numbers") {
  std::vector<std::string> names = {"b",   "a-10", "a-9", "a-09",         "a-1x",
                                    "a-1", "",     "a",   "0000:0b:00.0", "0000:0a:00.0"};
  std::ranges::sort(names, capture::naturally_before);
  CHECK(names == std::vector<std::string>{"", "0000:0a:00.0", "0000:0b:00.0", "a", "a-1", "a-1x", "a-09",
                                          "a-9", "a-10", "b"});
}

TEST_CASE("equal counts are a count of devices") {
  const ParentCounts one = {{"a", 4, 0}, {"b", 4, 0}}, other = {{"a", 3, 0}, {"b", 3, 1}};
  CHECK(capture::derive_counting(Parents{one}).rule == Counting::Rule::parent);
  const auto both = capture::derive_counting(Parents{one, other});
  CHECK(both.rule == Counting::Rule::parent);
  CHECK(both.max_instances == 4);
  const auto all = capture::derive_counting(Parents{ParentCounts{{"a", 4294967295, 0}}});
  CHECK(all.max_instances == 4294967295);
}

TEST_CASE("counts that divide evenly are a pool") {
  const auto mtty = capture::derive_counting(Parents{ParentCounts{{"1", 24, 0}, {"2", 12, 0}}});
  CHECK(mtty.rule == Counting::Rule::pool);
  CHECK(mtty.pool == 24);
  CHECK(mtty.weights == std::map<std::string, unsigned>{{"1", 1}, {"2", 2}});
  CHECK_FALSE(mtty.pool_of_all);
  const auto uneven = capture::derive_counting(Parents{ParentCounts{{"1", 5, 0}, {"2", 3, 0}}});
  CHECK(uneven.rule == Counting::Rule::type);
  CHECK(uneven.capacities[0] == std::map<std::string, unsigned>{{"1", 5}, {"2", 3}});
  const auto none = capture::derive_counting(Parents{ParentCounts{{"1", 24, 0}, {"2", 0, 0}}});
  CHECK(none.rule == Counting::Rule::type);
}

TEST_CASE("a pool is found by what lives in it") {
  const auto alone = capture::derive_counting(Parents{ParentCounts{{"1", 21, 1}, {"2", 10, 1}}});
  CHECK(alone.rule == Counting::Rule::pool);
  CHECK(alone.pool == 24);
  CHECK(alone.weights.at("2") == 2);
  const ParentCounts idle = {{"1", 8, 0}, {"2", 4, 0}}, busy = {{"1", 5, 1}, {"2", 2, 1}};
  const auto each = capture::derive_counting(Parents{idle, busy});
  CHECK(each.rule == Counting::Rule::pool);
  CHECK(each.pool == 8);
  CHECK_FALSE(each.pool_of_all);
  const auto all = capture::derive_counting(Parents{busy, ParentCounts{{"1", 5, 0}, {"2", 2, 0}}});
  CHECK(all.rule == Counting::Rule::pool);
  CHECK(all.pool == 8);
  CHECK(all.pool_of_all);
}

TEST_CASE("types that exclude one another are counted by type") {
  const ParentCounts idle = {{"1", 16, 0}, {"2", 7, 0}}, busy = {{"1", 0, 0}, {"2", 4, 3}};
  const auto counting = capture::derive_counting(Parents{idle, busy});
  CHECK(counting.rule == Counting::Rule::type);
  CHECK(counting.homogeneous);
  CHECK(counting.capacities[1] == std::map<std::string, unsigned>{{"1", 16}, {"2", 7}});
}

TEST_CASE("counts that are no end of work are given up") {
  ParentCounts wide;
  for (int i = 0; i < 40; ++i) wide.push_back({fmt::format("{}", i), 1, 1});
  wide.push_back({"all", 4294967295, 1});
  CHECK(capture::derive_counting(Parents{wide}).rule == Counting::Rule::type);
  CHECK(capture::derive_counting({}).rule == Counting::Rule::type);
  CHECK(capture::derive_counting(Parents{ParentCounts{}}).capacities.size() == 1);
}
