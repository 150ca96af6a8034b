// SPDX-License-Identifier: Apache-2.0
//
// Cards: what is wrong with a file of one, where it is found, what it makes of a unit's settings, and that
// those that are shipped are right.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "backends/types.h"
#include "backends/values.h"
#include "catch.h"
#include "config/cards.h"
#include "config/machine.h"
#include "control/control.h"
#include "probe_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

using Lines = std::vector<std::string>;
using backends::Items;

const std::string kSmall = R"(summary = "A small card"
backend = "nvidia"
[parent]
vendor = 0x10de
framebuffer = 8
[types]
7 = { name = "S-1", framebuffer = 1, max_instances = 8 }
3 = { name = "S-8", framebuffer = 8, sysfs_name = "33" }
)";

Lines card_errors(std::string_view text) {
  const auto card = config::parse_card(text);
  Lines lines;
  if (card) return lines;
  for (const auto& error : card.error())
    lines.push_back(fmt::format("{}:{}: {}", error.at.line, error.at.column, error.what));
  return lines;
}

// A directory of cards that goes with the test.
class CardDirectory {
 public:
  CardDirectory() {
    REQUIRE(mkdtemp(path_.data()) != nullptr);
    write("small", kSmall);
    write("other", "backend = \"nvidia\"\n[types.5]\n");
    write("gvt", "backend = \"i915\"\n[types.G]\n");
    write("wrong", "backend = \"nvidia\"\n[types.5]\nfrmebuffer = 1\n[parent]\ncard = \"x\"\n");
  }
  ~CardDirectory() { std::filesystem::remove_all(path_); }
  CardDirectory(const CardDirectory&) = delete;
  CardDirectory& operator=(const CardDirectory&) = delete;

  std::string in(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(in(name + ".toml")) << text;
  }
  config::Cards cards() const { return {{path_}, path_}; }

 private:
  std::string path_ = "/tmp/mdevfs-cards-XXXXXX";
};

const backends::Backend& nvidia() {
  return *backends::find("nvidia");
}

std::expected<backends::Settings, std::vector<backends::Complaint>> completed(const CardDirectory& directory,
                                                                              Items parents,
                                                                              Items types = {}) {
  return config::complete(nvidia(),
                          {.name = "gpu", .items = {{"parents", std::move(parents)}, {"types", types}}},
                          directory.cards());
}

Lines complaints_of(const CardDirectory& directory, Items parents, Items types = {}) {
  const auto settings = completed(directory, std::move(parents), std::move(types));
  Lines lines;
  if (settings) return lines;
  for (const auto& complaint : settings.error())
    lines.push_back(
        fmt::format("{} {} {}: {}", complaint.group, complaint.item, complaint.key, complaint.what));
  return lines;
}

Lines names_of(const Items& items) {
  Lines names;
  for (const auto& [name, values] : items) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("a card has a parent's values and types, in the order of its file") {
  const auto card = config::parse_card(kSmall);
  REQUIRE(card.has_value());
  CHECK(card->summary == "A small card");
  CHECK(card->backend == &nvidia());
  CHECK(card->parent == backends::Values{{"framebuffer", "8"}, {"vendor", "0x10de"}});
  CHECK(names_of(card->types) == Lines{"7", "3"});
  CHECK(card->types[0].second.at("max_instances") == "8");
}

TEST_CASE("all that is wrong with a card is said at once, where it stands") {
  CHECK(card_errors(R"(summary = "a\nb"
backend = "nvidia"
source = [5]
sources = "x"
[parent]
card = "T4"
types = ["7"]
vendor = "x"
[types."a b"]
[types.7]
framebuffer = 0
max_instance = 1
)") == Lines{
           "1:11: summary is \"a\\u000ab\", expected one line",
           "3:11: an element of source is 5, expected a text",
           "4:1: there is no key at the top of a card called sources, expected perhaps source",
           "6:1: card is for machine files, expected [types.ID]",
           "7:1: types is for machine files, expected [types.ID]",
           "8:10: vendor is \"x\", expected a number from 0 to 0xffff",
           "9:8: the type \"a b\" has a blank in its name, expected a word",
           "11:15: framebuffer is 0, expected a number from 1 to 16777216",
           "12:1: there is no key of types of nvidia called max_instance, expected perhaps max_instances",
       });
  CHECK(card_errors("") == Lines{"1:1: the card is for no backend, expected backend ="});
  CHECK(card_errors("backend = \"nvidia\"") == Lines{"1:1: the card has no types, expected [types.ID]"});
  CHECK(card_errors("backend = \"nvida\"\n[types.1]") ==
        Lines{"1:11: there is no backend nvida, expected perhaps nvidia"});
  CHECK(card_errors("backend = \"mtty\"\n[types.1]") ==
        Lines{"1:11: the parents of mtty have no cards, expected another backend"});
  CHECK(card_errors("backend = [").size() == 1);
}

TEST_CASE("a card completes what a parent does not say itself") {
  const CardDirectory directory;
  const auto settings = completed(
      directory,
      {{"a", {{"card", "small"}}}, {"b", {{"card", "small"}, {"framebuffer", "4"}, {"types", "33 3"}}}},
      {{"33", {}}});
  REQUIRE(settings.has_value());
  const Items& parents = settings->items.at("parents");
  CHECK(parents[0].second ==
        backends::Values{
            {"card", "small"}, {"framebuffer", "8"}, {"types", "small/7 small/3"}, {"vendor", "0x10de"}});
  CHECK(parents[1].second.at("framebuffer") == "4");
  CHECK(parents[1].second.at("types") == "33 small/3");
  const Items& types = settings->items.at("types");
  CHECK(names_of(types) == Lines{"33", "small/7", "small/3"});
  CHECK(types[1].second ==
        backends::Values{{"framebuffer", "1"}, {"max_instances", "8"}, {"name", "S-1"}, {"sysfs_name", "7"}});
  CHECK(types[2].second.at("sysfs_name") == "33");
}

TEST_CASE("a parent that says nothing has its backend's card where the unit has no types") {
  const CardDirectory directory;
  CHECK(complaints_of(directory, {{"a", {}}}) ==
        Lines{"parents a card: there is no card of nvidia called T4, expected one of other, small, wrong"});
  directory.write("T4", kSmall);
  CHECK(completed(directory, {{"a", {}}})->items.at("parents")[0].second.at("types") == "T4/7 T4/3");
  CHECK(names_of(completed(directory, {})->items.at("types")) == Lines{"T4/7", "T4/3"});
  CHECK(completed(directory, {}, {{"x", {}}})->items.at("types").size() == 1);
  CHECK(completed(directory, {{"a", {}}}, {{"x", {}}})->items.at("parents")[0].second.empty());
  CHECK(completed(directory, {{"a", {{"types", "x"}}}})->items.at("types").empty());
  CHECK(completed(directory, {{"a", {{"card", ""}}}})->items.at("types").empty());
}

TEST_CASE("a parent without a card has none of the others' types") {
  const CardDirectory directory;
  const backends::Values small{{"card", "small"}}, none{{"card", ""}};
  const auto settings = completed(directory, {{"a", small}, {"b", none}}, {{"x", {}}, {"y", {}}});
  REQUIRE(settings.has_value());
  CHECK(settings->items.at("parents")[1].second.at("types") == "x y");
  CHECK(complaints_of(directory, {{"a", small}, {"b", none}}) ==
        Lines{"parents b card: the parent has neither a card nor types"});
}

TEST_CASE("two cards are in one unit, each once") {
  const CardDirectory directory;
  const auto settings = completed(directory, {{"a", {{"card", "small"}}},
                                              {"b", {{"card", "other"}}},
                                              {"c", {{"card", directory.in("small.toml")}}},
                                              {"d", {{"card", "small"}}}});
  REQUIRE(settings.has_value());
  CHECK(names_of(settings->items.at("types")) == Lines{"small/7", "small/3", "other/5"});
  CHECK(settings->items.at("parents")[2].second.at("types") == "small/7 small/3");
  std::filesystem::create_directory(directory.in("sub"));
  directory.write("sub/small", kSmall);
  CHECK(complaints_of(directory, {{"a", {{"card", "small"}}}, {"b", {{"card", "sub/small.toml"}}}}) ==
        Lines{fmt::format("parents b card: {} and {} are both called small, expected different names",
                          directory.in("small.toml"), directory.in("sub/small.toml"))});
}

TEST_CASE("a card that cannot be used is said once, at the parent that names it") {
  const CardDirectory directory;
  CHECK(complaints_of(directory, {{"a", {{"card", "smal"}}}, {"b", {{"card", "smal"}}}}) ==
        Lines{"parents a card: there is no card of nvidia called smal, expected perhaps small"});
  CHECK(complaints_of(directory, {{"a", {{"card", "gvt"}}}}) ==
        Lines{"parents a card: the card gvt is for i915, expected one for nvidia: other, small, wrong"});
  const auto wrong = complaints_of(directory, {{"a", {{"card", "wrong"}}}, {"b", {{"card", "wrong"}}}});
  REQUIRE(wrong.size() == 2);
  CHECK(wrong[0] == fmt::format("parents a card: the card wrong is wrong: {}:3:1: there is no key of types "
                                "of nvidia called frmebuffer, expected perhaps framebuffer",
                                directory.in("wrong.toml")));
  CHECK(wrong[1] == fmt::format("parents a card: the card wrong is wrong: {}:5:1: card is for machine files, "
                                "expected [types.ID]",
                                directory.in("wrong.toml")));
  CHECK(complaints_of(directory, {{"a", {{"card", "small"}, {"types", "7 8"}}}}, {{"own", {}}}) ==
        Lines{"parents a types: there is no type of the card small called 8, expected one of 7, 3, own"});
}

TEST_CASE("a card's name is a name, or a path") {
  const CardDirectory directory;
  for (const auto* name : {"..", ".", "a b", ".small", "small\n"}) {
    directory.write(name, kSmall);
    const auto lines = complaints_of(directory, {{"a", {{"card", name}}}});
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("there is no card of nvidia called ") != std::string::npos);
  }
  CHECK(
      complaints_of(directory, {{"a", {{"card", "./a b.toml"}}}}) ==
      Lines{"parents a card: \"./a b.toml\" is no name for a card, expected letters, digits, _, -, + and ."});
  CHECK(complaints_of(directory, {{"a", {{"card", "none.toml"}}}}) ==
        Lines{fmt::format("parents a card: the card none.toml is wrong: {}: No such file or directory",
                          directory.in("none.toml"))});
  CHECK(complaints_of(directory, {{"a", {{"card", "small.toml"}}}}).empty());
  CHECK(complaints_of(directory, {{"a", {{"card", directory.in("small.toml")}}}}).empty());
}

TEST_CASE("of two cards of one name the first directory's is meant") {
  const CardDirectory first, second;
  second.write("small", "backend = \"nvidia\"\n[types.9]\n");
  second.write("late", kSmall);
  const config::Cards cards({first.in(""), second.in("")}, {});
  CHECK(cards.find("small", "nvidia") == first.in("small.toml"));
  CHECK(cards.find("late", "nvidia") == second.in("late.toml"));
  CHECK(cards.names_for("nvidia") == Lines{"late", "other", "small", "wrong"});
  CHECK(cards.names_for("i915") == Lines{"gvt"});
}

TEST_CASE("cards are looked for where the environment says, then the user, the machine, the installation") {
  setenv("MDEVFS_CARDS", "/one::/two", 1);
  setenv("XDG_CONFIG_HOME", "/config", 1);
  auto directories = config::card_directories();
  REQUIRE(directories.size() == 5);
  CHECK(Lines(directories.begin(), directories.begin() + 4) ==
        Lines{"/one", "/two", "/config/mdevfs/cards", "/etc/mdevfs/cards"});
  CHECK(directories[4].filename() == "cards");
  unsetenv("MDEVFS_CARDS");
  unsetenv("XDG_CONFIG_HOME");
  setenv("HOME", "/home/me", 1);
  directories = config::card_directories();
  REQUIRE(directories.size() == 3);
  CHECK(directories[0] == "/home/me/.config/mdevfs/cards");
}

TEST_CASE("a machine file's error about a card is at the key that names it") {
  const CardDirectory directory;
  const auto errors = [&](const std::string& parent) {
    const auto machine = config::parse_machine("[parents.\"0000:65:00.0\"]\nbackend = \"nvidia\"\n" + parent,
                                               {}, nullptr, directory.cards());
    return machine ? std::string()
                   : fmt::format("{}:{}: {}", machine.error()[0].at.line, machine.error()[0].at.column,
                                 machine.error()[0].what);
  };
  CHECK(errors("irq = 1\ncard = \"small\"\n").empty());
  CHECK(errors("irq = 1\ncard = \"smal\"\n") ==
        "4:1: there is no card of nvidia called smal, expected perhaps small");
  CHECK(
      errors("card = \"small\"\ntypes = [\"1\"]\n").starts_with("4:1: there is no type of the card small "));
  CHECK(errors("").starts_with("1:10: there is no card of nvidia called T4, "));
  const auto machine = config::parse_machine(
      "[units.nvidia]\n[parents.\"0000:65:00.0\"]\nunit = \"nvidia\"\n"
      "card = \"small\"\n",
      {}, nullptr, directory.cards());
  REQUIRE(machine.has_value());
  CHECK(machine->units[0].settings.items.at("parents")[0].second == backends::Values{{"card", "small"}});
}

namespace {

const std::string kUnit = "kernel/config/mdevfs/gpu/";

struct WithCards : Machine {
  CardDirectory directory;
  control::Control control{
      core,
      [this](const backends::Backend& backend,
             backends::Settings settings) -> std::expected<backends::Settings, std::string> {
        auto done = config::complete(backend, std::move(settings), directory.cards());
        if (done) return std::move(*done);
        return std::unexpected(done.error()[0].what + "\nand more");
      }};

  WithCards() {
    REQUIRE(make_directory("kernel/config/mdevfs/gpu") == 0);
    REQUIRE(store(kUnit + "backend", "nvidia") == 0);
  }
  void make_parent(const std::string& address, const std::string& card) {
    REQUIRE(make_directory(kUnit + "parents/" + address) == 0);
    REQUIRE(store(kUnit + "parents/" + address + "/card", card) == 0);
  }
  Lines last_lines(std::size_t count) {
    const auto lines = core.log().lines();
    return {lines.end() - static_cast<long>(count), lines.end()};
  }
};

}  // namespace

TEST_CASE("a unit of the control files is completed when it goes live, and shows what was written") {
  WithCards machine;
  machine.make_parent("0000:01:00.0", "small");
  REQUIRE(machine.store(kUnit + "live", "1") == 0);
  CHECK(machine.names("devices/pci0000:01/0000:01:00.0/mdev_supported_types") == "nvidia-7 nvidia-33");
  CHECK(machine.show("devices/pci0000:01/0000:01:00.0/vendor") == "0x10de\n");
  CHECK(machine.show(kUnit + "parents/0000:01:00.0/vendor") == "0x0000\n");
  CHECK(machine.show(kUnit + "parents/0000:01:00.0/types") == "\n");
  CHECK(machine.names(kUnit + "types").empty());
  // One that comes later.
  machine.make_parent("0000:02:00.0", "small");
  CHECK(machine.store(kUnit + "parents/0000:02:00.0/live", "1") == 0);
  CHECK(machine.show("devices/pci0000:02/0000:02:00.0/vendor") == "0x10de\n");
  // One of a card that none had before; and the first one's is still known.
  machine.make_parent("0000:03:00.0", "other");
  CHECK(machine.store(kUnit + "parents/0000:03:00.0/live", "1") == 0);
  CHECK(machine.names("devices/pci0000:03/0000:03:00.0/mdev_supported_types") == "nvidia-5");
  machine.make_parent("0000:04:00.0", "small");
  CHECK(machine.store(kUnit + "parents/0000:04:00.0/live", "1") == 0);
  CHECK(machine.names("devices/pci0000:04/0000:04:00.0/mdev_supported_types") == "nvidia-7 nvidia-33");
}

TEST_CASE("a unit that cannot be completed stays off, and the log says why") {
  WithCards machine;
  machine.make_parent("0000:01:00.0", "smal");
  CHECK(machine.store(kUnit + "live", "1") == EINVAL);
  CHECK(machine.last_lines(2) ==
        Lines{"<3> mdevfs: gpu: there is no card of nvidia called smal, expected perhaps small",
              "<3> mdevfs: gpu: and more"});
  CHECK(machine.show(kUnit + "live") == "0\n");
  CHECK(machine.store(kUnit + "parents/0000:01:00.0/card", "small") == 0);
  CHECK(machine.store(kUnit + "live", "1") == 0);
}

TEST_CASE("the shipped cards load, and their types fit into their memory") {
  const config::Cards cards({MDEVFS_SHIPPED_CARDS}, {});
  const auto list = cards.list();
  CHECK(list.size() >= 12);
  CHECK(cards.find("P400", "nvidia").error().ends_with("expected perhaps P40"));
  for (const auto& listed : list) {
    INFO(listed.name);
    const auto card = config::read_card(listed.file);
    if (!card) FAIL(card.error().front());
    CHECK_FALSE(card->summary.empty());
    model::Core core({0, 0});
    const auto settings = config::complete(
        *card->backend, {.name = "unit", .items = {{"parents", {{"0000:65:00.0", {{"card", listed.name}}}}}}},
        cards);
    REQUIRE(settings.has_value());
    CHECK(card->backend->check(*settings).empty());
    CHECK(card->backend->load(core, *settings).has_value());
    const auto whole = card->parent.find("framebuffer");
    for (const auto& [id, values] : card->types) {
      if (whole == card->parent.end() || !values.contains("framebuffer")) continue;
      INFO(id);
      CHECK(std::stoul(values.at("framebuffer")) * std::stoul(values.at("max_instances")) <=
            std::stoul(whole->second));
    }
  }
}
