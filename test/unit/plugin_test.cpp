// SPDX-License-Identifier: Apache-2.0
//
// What a backend must be to be added to the table, and what a plugin is looked for.
#include "backends/plugin.h"

#include <array>
#include <string>

#include "backends/values.h"
#include "catch.h"

using namespace mdevfs;
using backends::Backend;
using backends::Group;
using backends::Key;

namespace {

model::Result<std::shared_ptr<backends::Loaded>> load(model::Core&, const backends::Settings&) {
  return model::fail(ENOSYS);
}

Backend backend_named(std::string_view name) {
  return {.name = name, .summary = "", .keys = {}, .groups = {}, .complete = false, .load = load};
}

std::string refusal_of(const Backend& backend) {
  const auto added = backends::add_checked(backend);
  return added ? "" : added.error();
}

constexpr Key key_named(std::string_view name) {
  return {name, "", "", backends::check_text};
}

}  // namespace

TEST_CASE("a backend that is added is there like the others, and they stay where they are") {
  const Backend* const mtty = backends::find("mtty");
  const auto before = backends::all().size();
  for (const std::string_view name : {"added1", "added2", "added_3", "added-4", "Added5"}) {
    const auto added = backends::add_checked(backend_named(name));
    REQUIRE(added);
    CHECK(backends::find(name) == *added);
  }
  CHECK(backends::all().size() == before + 5);
  CHECK(backends::find("mtty") == mtty);
  CHECK(refusal_of(backend_named("added1")) == "there is a backend 'added1' already");
}

TEST_CASE("a backend without what the program calls is refused") {
  for (const std::string_view name : {"", ".", "..", "a/b", "a b", "a,b", "a\n"}) {
    CHECK(refusal_of(backend_named(name)) == "its name '" + std::string(name) + "' is no name");
  }
  CHECK(refusal_of(backend_named("sim")) == "there is a backend 'sim' already");
  Backend loadless = backend_named("loadless");
  loadless.load = nullptr;
  CHECK(refusal_of(loadless) == "it has no load");
  CHECK(backends::find("loadless") == nullptr);
}

TEST_CASE("keys and groups are files of one directory") {
  Backend backend = backend_named("keyed");
  const auto refusal_of_keys = [&](std::span<const Key> keys) {
    backend.keys = keys;
    return refusal_of(backend);
  };
  CHECK(refusal_of_keys(std::array{key_named("")}) == "the key '' is no name");
  CHECK(refusal_of_keys(std::array{key_named("a/b")}) == "the key 'a/b' is no name");
  CHECK(refusal_of_keys(std::array{key_named("live")}) == "the key 'live' is taken");
  CHECK(refusal_of_keys(std::array{key_named("a"), key_named("a")}) == "the key 'a' is taken");
  CHECK(refusal_of_keys(std::array{Key{"a", "", "", {}}}) == "the key 'a' has no check");

  static constexpr std::array keys = {key_named("a")};
  static constexpr std::array live = {key_named("live")};
  static constexpr std::array good = {Group{"b", "", live}, Group{"parents", "", keys}};
  backend.keys = keys;
  const auto refusal_of_groups = [&](std::span<const Group> groups) {
    backend.groups = groups;
    return refusal_of(backend);
  };
  CHECK(refusal_of_groups(std::array{Group{"a", "", keys}}) == "the group 'a' is taken");
  CHECK(refusal_of_groups(std::array{Group{"b", "", {}}}) == "the group 'b' has no keys");
  CHECK(refusal_of_groups(std::array{Group{"parents", "", live}}) == "the key 'live' is taken");
  CHECK(backends::find("keyed") == nullptr);
  CHECK(refusal_of_groups(good).empty());
}

TEST_CASE("a plugin that is not there, or none, is a sentence") {
  const auto error_of = [](const std::string& file) { return backends::load_plugin(file).error(); };
  CHECK(error_of("") == "the plugin's name is empty");
  CHECK(error_of("/none/x.so") == "the plugin /none/x.so is not there");
  CHECK(error_of("/etc/passwd") == "the plugin /etc/passwd is not a shared object");
  CHECK(error_of("none").starts_with("the plugin none is not there: there is neither /"));
}
