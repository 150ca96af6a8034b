// SPDX-License-Identifier: Apache-2.0
//
// Machine files: what they become, and that all that is wrong with one is said, where it stands.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "catch.h"
#include "config/machine.h"

using namespace mdevfs;

namespace {

std::string backend_names() {
  std::string names;
  for (const auto& backend : backends::all()) names.append(names.empty() ? "" : ", ").append(backend.name);
  return names;
}

using Lines = std::vector<std::string>;
using Items = std::vector<std::pair<std::string, backends::Values>>;

config::Machine machine_of(std::string_view text) {
  const auto machine = config::parse_machine(text);
  if (!machine) FAIL(machine.error().front().what);
  return *machine;
}

Lines errors_of(std::string_view text) {
  const auto machine = config::parse_machine(text);
  Lines lines;
  if (machine) return lines;
  for (const auto& error : machine.error())
    lines.push_back(fmt::format("{}:{}: {}", error.at.line, error.at.column, error.what));
  return lines;
}

// The text is about a unit of sim; this one is right.
std::string unit(const std::string& text) {
  return "[units.card]\nbackend = \"sim\"\n[units.card.types.a]\n" + text;
}

Lines names_of(const Items& items) {
  Lines names;
  for (const auto& [name, values] : items) names.push_back(name);
  return names;
}

// A directory that goes with the test.
class Directory {
 public:
  Directory() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string in(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(in(name)) << text;
    return in(name);
  }

 private:
  std::string path_ = "/tmp/mdevfs-config-XXXXXX";
};

Lines reading_errors(const std::string& file) {
  const auto machine = config::read_machine(file);
  return machine ? Lines{} : machine.error();
}

}  // namespace

TEST_CASE("an empty machine file is an empty machine") {
  for (const auto* text : {"", "\n", "# nothing\n", "[units]\n[parents]\n", "\xef\xbb\xbf# with a mark\n"}) {
    CHECK(machine_of(text).units.empty());
    CHECK(machine_of(text).plugins.empty());
  }
}

TEST_CASE("a machine file describes units, their groups and their parents") {
  const auto machine = machine_of(R"(
[units.card]
backend = "sim"
counting = "pool"
pool = 8
[units.card.types.small]
name = "Small card"
weight = 1
[units.card.attributes.color]
value = "red"
mode = 0o644
[units.card.parameters.level]
value = 3
[parents.card0]
unit = "card"
types = ["small"]
)");
  REQUIRE(machine.units.size() == 1);
  const auto& [backend, settings, at] = machine.units[0];
  CHECK(backend == backends::find("sim"));
  CHECK(at == config::Position{2, 8});
  CHECK(settings.name == "card");
  CHECK(settings.values == backends::Values{{"counting", "pool"}, {"pool", "8"}});
  CHECK(settings.items.at("types") == Items{{"small", {{"name", "Small card"}, {"weight", "1"}}}});
  CHECK(settings.items.at("attributes") == Items{{"color", {{"mode", "0644"}, {"value", "red"}}}});
  CHECK(settings.items.at("parameters") == Items{{"level", {{"value", "3"}}}});
  CHECK(settings.items.at("parents") == Items{{"card0", {{"types", "small"}}}});
}

TEST_CASE("the order of a machine file is kept") {
  const auto machine = machine_of(R"(
[parents.zeta]
unit = "zoo"
[units.zoo]
backend = "sim"
[units.zoo.types]
zebra = {}
ape = {weight = 2}
[parents.alpha]
unit = "zoo"
[parents.mdpy]
backend = "mdpy"
[units.ark]
backend = "sim"
types.dove = {}
[parents.beta]
unit = "zoo"
[units.mtty]
)");
  Lines units;
  for (const auto& each : machine.units) units.push_back(each.settings.name);
  CHECK(units == Lines{"zoo", "mdpy", "ark", "mtty"});
  CHECK(names_of(machine.units[0].settings.items.at("parents")) == Lines{"zeta", "alpha", "beta"});
  CHECK(names_of(machine.units[0].settings.items.at("types")) == Lines{"zebra", "ape"});
}

TEST_CASE("a value is given in the form that suits it") {
  const auto value = [](const std::string& text, const std::string& key = "pool") {
    return machine_of("[units.card]\nbackend = \"sim\"\ntypes.a = {}\n" + key + " = " + text)
        .units[0]
        .settings.values.at(key);
  };
  CHECK(value("8") == "8");
  CHECK(value("\"8\"") == "8");
  CHECK(value("0x10de") == "4318");
  CHECK(value("0o17") == "15");
  CHECK(value("0b101") == "5");
  CHECK(value("4_294_967_295") == "4294967295");
  CHECK(value("true", "trace") == "1");
  CHECK(value("false", "vfio") == "0");
  CHECK(value("1", "trace") == "1");
  CHECK(value("\"on\"", "trace") == "1");
  CHECK(value("'pci'", "device_api") == "pci");
  CHECK(value("7", "device_api") == "7");
  CHECK(value("true", "device_api") == "true");
  CHECK(value("[\"a\", \"b\"]", "device_api") == "a b");
  CHECK(value("[]", "device_api").empty());
}

TEST_CASE("what is no value is refused with what was expected") {
  const auto error = [](const std::string& line) {
    const auto lines = errors_of("[units.card]\nbackend = \"sim\"\ntypes.a = {}\n" + line);
    return lines.size() == 1 ? lines[0] : fmt::format("{} errors", lines.size());
  };
  CHECK(error("pool = -1") == "4:8: pool is -1, expected a number from 0 to 4294967295");
  CHECK(error("pool =   0x1_0000_0000") ==
        "4:10: pool is 0x100000000, expected a number from 0 to 4294967295");
  CHECK(error("pool = \"many\"") == "4:8: pool is \"many\", expected a number from 0 to 4294967295");
  CHECK(error("pool = 1.0") ==
        "4:8: pool is a floating-point number, expected a number from 0 to 4294967295");
  CHECK(error("pool = 1979-05-27") == "4:8: pool is a date or time, expected a number from 0 to 4294967295");
  CHECK(error("pool = 07:32:00") == "4:8: pool is a date or time, expected a number from 0 to 4294967295");
  CHECK(error("pool = {}") == "4:8: pool is a table, expected a number from 0 to 4294967295");
  CHECK(error("pool = [\"1\", \"2\"]") == "4:8: pool is an array, expected a number from 0 to 4294967295");
  CHECK(error("pool = true") == "4:8: pool is true, expected a number from 0 to 4294967295");
  CHECK(error("[[units.card.pool]]") == "4:1: an element of pool is a table, expected a text");
  CHECK(error("device_api = [\"a\", 5]") == "4:20: an element of device_api is 5, expected a text");
  CHECK(error("device_api = [\"a b\"]") == "4:15: an element of device_api is \"a b\", expected a word");
  CHECK(error("device_api = 0x10de") == "4:14: device_api is 0x10de, expected a text");
  CHECK(error("device_api = \"a\\u0000\"") ==
        "4:14: device_api is \"a\\u0000\", expected a text without \\u0000");
  CHECK(error("vfio = 2") == "4:8: vfio is 2, expected 1 or 0");
  CHECK(error("class = \"a/b\"") == "4:9: class is \"a/b\", expected a name without /");
  CHECK(error("counting = \"all\"") == "4:12: counting is \"all\", expected one of parent, type, pool");
}

TEST_CASE("a mode is written in octal") {
  const auto errors = [](const std::string& mode) {
    return errors_of(unit("[units.card.attributes.x]\nmode = " + mode));
  };
  CHECK(errors("0o444").empty());
  CHECK(errors("\"0444\"").empty());
  CHECK(errors("444") == Lines{"5:8: mode is 444, expected an octal mode from 0 to 0777"});
  CHECK(errors("0o1777") == Lines{"5:8: mode is 0o1777, expected an octal mode from 0 to 0777"});
}

TEST_CASE("all errors are said at once, in the order of the file") {
  CHECK(errors_of(R"(colour = 1
[units.card]
backend = "sim"
pol = 8
pool = "x"
[units.card.types.small]
weigth = 1
weight = 0
[units.other]
backend = "smi"
[units.third]
[parents.card0]
unit = "crad"
[parents.card1]
unit = "card"
types = ["big"]
typess = "red"
[parents.card2]
)") == Lines{
           "1:1: there is no key at the top called colour, expected one of kernel, plugin, units, parents",
           "4:1: there is no key of a unit of sim called pol, expected perhaps pool",
           "5:8: pool is \"x\", expected a number from 0 to 4294967295",
           "7:1: there is no key of types of sim called weigth, expected perhaps weight",
           "8:10: weight is 0, expected a number from 1 to 4294967295",
           "10:11: there is no backend smi, expected perhaps sim",
           "11:8: the unit third has no backend and is not called as one, expected backend = one of " +
               backend_names(),
           "13:8: there is no unit crad, expected perhaps card",
           "16:1: there is no type big: there are small",
           "17:1: there is no key of parents of sim called typess, expected perhaps types",
           "18:10: the parent card2 is of no unit, expected unit = or backend =",
       });
}

TEST_CASE("a syntax error is said alone, where it is") {
  CHECK(errors_of("pol = 1\n[units.card\nbackend = 5\n").size() == 1);
  CHECK(errors_of("pol = 1\n[units.card\nbackend = 5\n")[0].starts_with("2:12: "));
  CHECK(errors_of("[units.card]\n[units.card]\n")[0].starts_with("2:"));
  CHECK(errors_of("a = \"\xff\"\n")[0].starts_with("1:"));
  CHECK(errors_of("a = 99999999999999999999\n")[0].starts_with("1:"));
}

TEST_CASE("what is no name is a syntax error as any other") {
  CHECK(errors_of("[=]")[0].starts_with("1:2: "));
  CHECK(errors_of("[\a]")[0].starts_with("1:2: "));
  CHECK(errors_of("a = {=}")[0].starts_with("1:6: "));
  CHECK(errors_of("ü = 1")[0].starts_with("1:1: "));
  CHECK(errors_of("a = ü")[0].starts_with("1:5: "));
  CHECK(errors_of("[aü]")[0].starts_with("1:3: "));
}

TEST_CASE("columns are those of characters") {
  CHECK(errors_of(unit("\"éé\" = 1")) ==
        Lines{"4:1: there is no key of types of sim called \"éé\", expected one of description, "
              "has_name, max_instances, name, sysfs_name, weight"});
  CHECK(errors_of("[units.card]\nbackend = \"sim\"\ntypes.\"éé\".weight = 0") ==
        Lines{"3:21: weight is 0, expected a number from 1 to 4294967295"});
}

TEST_CASE("tables are where tables belong, and nowhere else") {
  CHECK(errors_of("units = 1\nparents = [1]") ==
        Lines{"1:9: units is 1, expected a table", "2:11: parents is an array, expected a table"});
  CHECK(errors_of("[units]\ncard = 1.5\n[parents]\ncard0 = \"sim\"") ==
        Lines{"2:8: card is a floating-point number, expected a table",
              "4:9: card0 is \"sim\", expected a table"});
  CHECK(errors_of("[units.sim]\ntypes = [\"a\"]") ==
        Lines{"1:8: a sim needs at least one type", "2:9: types is an array, expected a table"});
  CHECK(errors_of("[units.sim.types]\na = 1") == Lines{"2:5: a is 1, expected a table"});
  CHECK(errors_of("[units.sim.types.a]\n[units.sim.parents.p]") ==
        Lines{"2:12: parents are not described in a unit, expected [parents.NAME] with unit = \"sim\""});
}

TEST_CASE("names become directories") {
  CHECK(errors_of("[units.\"a/b\"]\nbackend = \"mtty\"") ==
        Lines{"1:8: \"a/b\" is no name for a directory, expected at most 255 characters and no /"});
  for (const auto* name : {"\"\"", "\".\"", "\"..\"", "\"a\\n\"", "\"a\\u0000\""}) {
    CAPTURE(name);
    CHECK(errors_of(fmt::format("[units.{}]\nbackend = \"mtty\"", name)).size() == 1);
    CHECK(errors_of(fmt::format("[units.sim.types.{}]", name)).size() == 1);
    CHECK(errors_of(fmt::format("[units.sim.types.a]\n[parents.{}]\nunit = \"sim\"", name)).size() == 1);
  }
  CHECK(errors_of(fmt::format("[units.{}]\nbackend = \"mtty\"", std::string(255, 'x'))).empty());
  CHECK(errors_of(fmt::format("[units.{}]\nbackend = \"mtty\"", std::string(256, 'x'))).size() == 1);
}

TEST_CASE("a parent is of a unit, or of the unit that is called as its backend") {
  const auto machine = machine_of("[parents.p]\nbackend = \"sim\"\n[units.sim.types.a]\n");
  REQUIRE(machine.units.size() == 1);
  CHECK(machine.units[0].settings.name == "sim");
  CHECK(names_of(machine.units[0].settings.items.at("parents")) == Lines{"p"});
  CHECK(errors_of("[units.sim]\nbackend = \"mtty\"\n[parents.p]\nbackend = \"sim\"") ==
        Lines{"4:11: the unit sim is of the backend mtty, expected that, or unit = another"});
  CHECK(errors_of("[parents.p]\nbackend = \"mtty\"\nunit = \"mtty\"") ==
        Lines{"3:1: the parent p has both a unit and a backend, expected one"});
  CHECK(errors_of("[parents.p]\nunit = 5\n[parents.q]\nbackend = \"x\"") ==
        Lines{"2:8: unit is 5, expected a text",
              "4:11: there is no backend x, expected one of " + backend_names()});
  CHECK(errors_of("[parents.p]\nunit = \"x\"") == Lines{"2:8: there is no unit x, expected none"});
}

TEST_CASE("the parent of a backend that has one is described by the unit's keys") {
  const auto machine = machine_of("[parents.mdpy]\nbackend = \"mdpy\"\ncount = 0x10\n");
  REQUIRE(machine.units.size() == 1);
  CHECK(machine.units[0].settings.values == backends::Values{{"count", "16"}});
  CHECK(machine.units[0].settings.items.empty());
  CHECK(errors_of("[parents.card]\nbackend = \"mdpy\"\ncuont = 1") ==
        Lines{"1:10: the parent of mdpy is not called card, expected mdpy",
              "3:1: there is no key of the parent of mdpy called cuont, expected perhaps count"});
  CHECK(errors_of("[units.mdpy]\ncount = 1\n[parents.mdpy]\nunit = \"mdpy\"\ncount = 2") ==
        Lines{"5:1: count is set in line 2 already, expected it once"});
}

TEST_CASE("what only the backend can see is said where it stands") {
  CHECK(errors_of("[units.card]\nbackend = \"sim\"") == Lines{"1:8: a sim needs at least one type"});
  CHECK(errors_of("[units.card]\nbackend = \"sim\"\n[units.card.types]") ==
        Lines{"3:13: a sim needs at least one type"});
  CHECK(errors_of("[units.card]\nbackend = \"sim\"\nstart_empty = true").empty());
  CHECK(errors_of(unit("[units.card.types.b]\nsysfs_name = \"a\"")) ==
        Lines{"5:1: the types a and b of the parent card are both called a"});
  CHECK(errors_of(unit("sysfs_name = \"b\"\n[units.card.types.b]")) ==
        Lines{"5:19: the types a and b of the parent card are both called b"});
  CHECK(errors_of(unit("[parents.p]\nunit = \"card\"\ntypes = \"a a\"")) == Lines{"6:1: a is named twice"});
  CHECK(errors_of(unit("[parents.p]\nunit = \"card\"\n[parents.q]\nunit = \"card\"\ndevice_name = \"p\"")) ==
        Lines{"8:1: the parents p and q both have the device p"});
  const std::string apart = "[units.card.types.b]\nsysfs_name = \"a\"\n";
  CHECK(errors_of(unit(apart + "[parents.p]\nunit = \"card\"\ntypes = \"a\"\n" +
                       "[parents.q]\nunit = \"card\"\ntypes = \"b\""))
            .empty());
}

TEST_CASE("plugins are files of the machine file's directory, loaded before backends are looked for") {
  const auto machine = config::parse_machine("plugin = [\"a.so\", \"/lib/b.so\"]", "etc/mdevfs");
  REQUIRE(machine.has_value());
  REQUIRE(machine->plugins.size() == 2);
  CHECK(machine->plugins[0].path == "etc/mdevfs/a.so");
  CHECK(machine->plugins[0].at == config::Position{1, 11});
  CHECK(machine->plugins[1].path == "/lib/b.so");
  CHECK(machine_of("plugin = \"c.so\"").plugins[0].path == "c.so");
  CHECK(errors_of("plugin = 5") ==
        Lines{"1:10: plugin is 5, expected the name of a file, or an array of such"});
  CHECK(errors_of("plugin = [\"\", 5]") == Lines{"1:11: plugin is \"\", expected the name of a file",
                                                 "1:15: an element of plugin is 5, expected a text"});
  const auto refused = config::parse_machine("plugin = \"c.so\"", {}, [](const std::filesystem::path& path) {
    return std::unexpected(path.string() + " is none");
  });
  REQUIRE(refused.error().size() == 1);
  CHECK(refused.error()[0].what == "c.so is none");
}

TEST_CASE("errors are lines, whatever stands in the file") {
  const auto lines = errors_of("\"a\\nb\\u001b\" = 1\n[units.sim.types.a]\nname = 1.0\n");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].starts_with("1:1: there is no key at the top called \"a\\u000ab\\u001b\", "));
  CHECK(errors_of("a = fa\x03lse")[0].find('\x03') == std::string::npos);
  CHECK(errors_of("\"" + std::string(100000, 'y') + "\" = 1")[0].size() < 300);
  CHECK(errors_of("[" + std::string(100, 'a') + "]")[0].size() < 300);
}

TEST_CASE("a name of very many parts is refused before it takes the stack") {
  std::string text = "[a";
  for (int i = 0; i < 1000000; ++i) text += ".a";
  CHECK(errors_of(text + "]") == Lines{"1:1: a name of more than 256 parts, expected few"});
  CHECK(errors_of("a = " + std::string(100000, '[')).size() == 1);
  CHECK(errors_of("# " + std::string(1000, '.') + "\n").empty());
  CHECK(errors_of("[units.sim.types.a]\nname = \"" + text + "\"").empty());
}

TEST_CASE("a machine file is read from a regular file") {
  const Directory directory;
  const auto good = directory.write("good.toml", "plugin = \"x.so\"\n[parents.mtty]\nbackend = \"mtty\"\n");
  const auto machine = config::read_machine(good);
  REQUIRE(machine.has_value());
  CHECK(machine->file == good);
  CHECK(machine->plugins[0].path == directory.in("x.so"));
  CHECK(machine->units[0].settings.name == "mtty");
  const auto bad = directory.write("bad.toml", "a = 1\nb = 2\n");
  CHECK(
      reading_errors(bad) ==
      Lines{
          bad + ":1:1: there is no key at the top called a, expected one of kernel, plugin, units, parents",
          bad + ":2:1: there is no key at the top called b, expected one of kernel, plugin, units, parents"});
  CHECK(reading_errors(directory.in("none")) == Lines{directory.in("none") + ": No such file or directory"});
  CHECK(reading_errors(directory.in("")) == Lines{directory.in("") + ": it is a directory, expected a file"});
  REQUIRE(mkfifo(directory.in("fifo").c_str(), 0600) == 0);
  CHECK(reading_errors(directory.in("fifo")) == Lines{directory.in("fifo") + ": expected a regular file"});
  const auto large = directory.write("large.toml", "");
  REQUIRE(truncate(large.c_str(), (16 << 20) + 1) == 0);
  CHECK(reading_errors(large) == Lines{large + ": it is larger than 16 MiB"});
}
