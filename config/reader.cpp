// SPDX-License-Identifier: Apache-2.0
//
// From values to units: which names there may be and what may stand behind them.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

#include "backends/values.h"
#include "machine.h"
#include "sentences.h"
#include "value_reader.h"

namespace mdevfs::config {
namespace {

using backends::Backend;
using Kind = Value::Kind;

// Where something of a unit stands; what it is not below is empty.
struct Place {
  std::string group = {};
  std::string item = {};
  std::string key = {};
  friend auto operator<=>(const Place&, const Place&) = default;
};

// A unit while it is read. One without a backend has an error already.
struct Draft {
  Unit unit;
  std::map<Place, Position> places = {};
};

// Thread-safety: none; one reader reads one document.
class Reader : ValueReader {
 public:
  std::expected<Machine, std::vector<Problem>> read(const Value& document,
                                                    const std::filesystem::path& directory,
                                                    const LoadPlugin& load_plugin, const Cards& cards);

 private:
  void read_plugins(const Member& member, const std::filesystem::path& directory, const LoadPlugin& load);
  void read_kernel(const Member& member);
  void read_unit(const Member& member);
  void read_unit_member(Draft& draft, const Member& member);
  void read_group(Draft& draft, const Member& member, const backends::Group& group);
  void read_value(Draft& draft, Place place, const Member& member, const backends::Check& check,
                  backends::Values& values);
  void read_item(Draft& draft, const backends::Group& group, const Member& member, const Names& besides);
  void read_parent(const Member& member);
  void read_only_parent(Draft& draft, const Member& member);

  const Backend* backend_in(const Value& value, std::string_view of);
  Draft& add_draft(const std::string& name, const Backend* backend, Position at);
  Draft* find_draft(std::string_view name);
  Draft* draft_of_parent(const Member& member);
  Draft* draft_by_unit(const Value& value);
  Draft* draft_by_backend(const Value& value, Position at);
  void check_settings(const Draft& draft, const Cards& cards);
  void complain_of(const Draft& draft, const backends::Complaint& complaint);

  std::deque<Draft> drafts_;  // they stay where they are
  std::map<std::string, Draft*, std::less<>> drafts_by_name_;
  Machine machine_;
};

// --- values

void Reader::read_value(Draft& draft, Place place, const Member& member, const backends::Check& check,
                        backends::Values& values) {
  const auto [at, fresh] = draft.places.try_emplace(std::move(place), member.at);
  if (!fresh) {
    complain(member.at, fmt::format("{} is set in line {} already, expected it once", shown(member.name),
                                    at->second.line));
    return;
  }
  if (auto text = value_text(member, check)) values.insert_or_assign(member.name, std::move(*text));
}

// --- plugins

void Reader::read_plugins(const Member& member, const std::filesystem::path& directory,
                          const LoadPlugin& load) {
  const bool one = member.value.kind == Kind::text;
  if (!one && member.value.kind != Kind::array) {
    complain(member.value.at, fmt::format("plugin is {}, expected the name of a file, or an array of such",
                                          shown(member.value)));
    return;
  }
  for (const Value& value : one ? std::span(&member.value, 1) : std::span(member.value.elements)) {
    const auto text = text_in(value, one ? "plugin" : "an element of plugin");
    if (!text) continue;
    if (text->empty()) {
      complain(value.at, "plugin is \"\", expected the name of a file");
      continue;
    }
    machine_.plugins.push_back({directory / *text, value.at});
    if (!load) continue;
    if (const auto loaded = load(machine_.plugins.back().path); !loaded) complain(value.at, loaded.error());
  }
}

// --- the kernel

void Reader::read_kernel(const Member& member) {
  const auto text = text_in(member.value, "kernel");
  if (!text) return;
  const auto version = model::parse_kernel_version(*text);
  if (version) {
    machine_.kernel = *version;
  } else {
    complain(member.value.at, version.error());
  }
}

// --- units

const Backend* Reader::backend_in(const Value& value, std::string_view of) {
  const auto name = text_in(value, of);
  if (!name) return nullptr;
  const Backend* const backend = backends::find(*name);
  if (backend == nullptr) complain(value.at, unknown("backend", *name, backend_names()));
  return backend;
}

Draft& Reader::add_draft(const std::string& name, const Backend* backend, Position at) {
  drafts_.push_back({.unit = {.backend = backend, .settings = {.name = name}, .at = at}});
  drafts_.back().places.emplace(Place{}, at);
  drafts_by_name_.emplace(name, &drafts_.back());
  return drafts_.back();
}

Draft* Reader::find_draft(std::string_view name) {
  const auto found = drafts_by_name_.find(name);
  return found == drafts_by_name_.end() ? nullptr : found->second;
}

void Reader::read_unit(const Member& member) {
  expect_name(member);
  Draft& draft = add_draft(member.name, nullptr, member.at);
  if (!expect_table(member)) return;
  if (const Member* const named = member_of(member.value, "backend")) {
    draft.unit.backend = backend_in(named->value, "backend");
  } else {
    draft.unit.backend = backends::find(member.name);
    if (draft.unit.backend == nullptr) {
      complain(member.at, fmt::format("the unit {} has no backend and is not called as one, expected "
                                      "backend = one of {}",
                                      shown(member.name), fmt::join(backend_names(), ", ")));
    }
  }
  if (draft.unit.backend == nullptr) return;
  for (const Member& each : member.value.members) read_unit_member(draft, each);
}

void Reader::read_unit_member(Draft& draft, const Member& member) {
  const Backend& backend = *draft.unit.backend;
  if (member.name == "backend") return;
  if (member.name == backends::kParents) {
    complain(member.at,
             fmt::format("parents are not described in a unit, expected [parents.NAME] with unit = "
                         "{}",
                         in_quotes(draft.unit.settings.name)));
  } else if (const backends::Key* const key = find_key(backend.keys, member.name)) {
    read_value(draft, {.key = member.name}, member, key->check, draft.unit.settings.values);
  } else if (const backends::Group* const group = find_group(backend, member.name)) {
    read_group(draft, member, *group);
  } else {
    Names names = {"backend"};
    for (const auto& known : backend.keys) names.push_back(known.name);
    for (const auto& known : backend.groups) {
      if (known.name != backends::kParents) names.push_back(known.name);
    }
    complain(member.at, unknown(fmt::format("key of a unit of {} called", backend.name), member.name, names));
  }
}

void Reader::read_group(Draft& draft, const Member& member, const backends::Group& group) {
  if (!expect_table(member)) return;
  draft.places.emplace(Place{.group = member.name}, member.at);
  for (const Member& item : member.value.members) read_item(draft, group, item, {});
}

// It is there, whatever is wrong with it: what names it is right.
void Reader::read_item(Draft& draft, const backends::Group& group, const Member& member,
                       const Names& besides) {
  expect_name(member);
  auto& items = draft.unit.settings.items[std::string(group.name)];
  backends::Values& values = items.emplace_back(member.name, backends::Values{}).second;
  const Place place{.group = std::string(group.name), .item = member.name};
  draft.places.emplace(place, member.at);
  if (!expect_table(member)) return;
  for (const Member& each : member.value.members) {
    if (std::ranges::find(besides, each.name) != besides.end()) continue;
    if (const backends::Key* const key = find_key(group.keys, each.name)) {
      read_value(draft, {place.group, place.item, each.name}, each, key->check, values);
      continue;
    }
    Names names = besides;
    for (const auto& known : group.keys) names.push_back(known.name);
    complain(each.at, unknown(fmt::format("key of {} of {} called", group.name, draft.unit.backend->name),
                              each.name, names));
  }
}

// --- parents

Draft* Reader::draft_by_unit(const Value& value) {
  const auto name = text_in(value, "unit");
  if (!name) return nullptr;
  Draft* const draft = find_draft(*name);
  if (draft != nullptr) return draft;
  Names names;
  for (const auto& [known, its_draft] : drafts_by_name_) names.push_back(known);
  complain(value.at, unknown("unit", *name, names));
  return nullptr;
}

// The unit that is called as the backend, made where nothing says what it is.
Draft* Reader::draft_by_backend(const Value& value, Position at) {
  const Backend* const backend = backend_in(value, "backend");
  if (backend == nullptr) return nullptr;
  Draft* const draft = find_draft(backend->name);
  if (draft == nullptr) return &add_draft(std::string(backend->name), backend, at);
  if (draft->unit.backend == backend || draft->unit.backend == nullptr) return draft;
  complain(value.at, fmt::format("the unit {} is of the backend {}, expected that, or unit = another",
                                 backend->name, draft->unit.backend->name));
  return nullptr;
}

Draft* Reader::draft_of_parent(const Member& member) {
  const Member* const unit = member_of(member.value, "unit");
  const Member* const backend = member_of(member.value, "backend");
  if (unit != nullptr && backend != nullptr) {
    complain(std::max(unit->at, backend->at),
             fmt::format("the parent {} has both a unit and a backend, expected one", shown(member.name)));
    return nullptr;
  }
  if (unit != nullptr) return draft_by_unit(unit->value);
  if (backend != nullptr) return draft_by_backend(backend->value, member.at);
  complain(member.at,
           fmt::format("the parent {} is of no unit, expected unit = or backend =", shown(member.name)));
  return nullptr;
}

void Reader::read_parent(const Member& member) {
  if (!expect_table(member)) return;
  Draft* const draft = draft_of_parent(member);
  if (draft == nullptr || draft->unit.backend == nullptr) {
    expect_name(member);
  } else if (const auto* const group = find_group(*draft->unit.backend, backends::kParents)) {
    read_item(*draft, *group, member, {"unit", "backend"});
  } else {
    read_only_parent(*draft, member);
  }
}

// Of a backend that has one parent, by its own name: it is described by the unit's keys.
void Reader::read_only_parent(Draft& draft, const Member& member) {
  const Backend& backend = *draft.unit.backend;
  if (member.name != backend.name) {
    complain(member.at, fmt::format("the parent of {} is not called {}, expected {}", backend.name,
                                    shown(member.name), backend.name));
  }
  Names names = {"unit", "backend"};
  for (const auto& known : backend.keys) names.push_back(known.name);
  for (const Member& each : member.value.members) {
    if (each.name == "unit" || each.name == "backend") continue;
    if (const backends::Key* const key = find_key(backend.keys, each.name)) {
      read_value(draft, {.key = each.name}, each, key->check, draft.unit.settings.values);
    } else {
      complain(each.at,
               unknown(fmt::format("key of the parent of {} called", backend.name), each.name, names));
    }
  }
}

// --- all of it

// Where what somebody complains of stands, or the nearest above it that does.
void Reader::complain_of(const Draft& draft, const backends::Complaint& complaint) {
  for (const Place& place :
       {Place{complaint.group, complaint.item, complaint.key}, Place{complaint.group, complaint.item, ""},
        Place{complaint.group, "", ""}, Place{}}) {
    const auto found = draft.places.find(place);
    if (found == draft.places.end()) continue;
    complain(found->second, complaint.what);
    return;
  }
}

// A backend sees what cards have completed; without them it would complain of what is not missing.
void Reader::check_settings(const Draft& draft, const Cards& cards) {
  const Backend* const backend = draft.unit.backend;
  if (backend == nullptr) return;
  const auto completed = complete(*backend, draft.unit.settings, cards);
  if (!completed) {
    for (const backends::Complaint& complaint : completed.error()) complain_of(draft, complaint);
  } else if (backend->check != nullptr) {
    for (const backends::Complaint& complaint : backend->check(*completed)) complain_of(draft, complaint);
  }
}

std::expected<Machine, std::vector<Problem>> Reader::read(const Value& document,
                                                          const std::filesystem::path& directory,
                                                          const LoadPlugin& load_plugin, const Cards& cards) {
  constexpr std::string_view kMembers[] = {"kernel", "plugin", "units", "parents"};
  const auto each_of = [&](std::string_view name, void (Reader::*read_one)(const Member&)) {
    const Member* const table = member_of(document, name);
    if (table == nullptr || !expect_table(*table)) return;
    for (const Member& member : table->value.members) (this->*read_one)(member);
  };
  if (const Member* const plugins = member_of(document, "plugin"))
    read_plugins(*plugins, directory, load_plugin);
  if (const Member* const kernel = member_of(document, "kernel")) read_kernel(*kernel);
  each_of("units", &Reader::read_unit);
  each_of("parents", &Reader::read_parent);
  for (const Member& member : document.members) {
    if (std::ranges::find(kMembers, member.name) == std::end(kMembers))
      complain(member.at, unknown("key at the top called", member.name, kMembers));
  }
  for (const Draft& draft : drafts_) check_settings(draft, cards);
  std::ranges::sort(problems_);
  if (!problems_.empty()) return std::unexpected(std::move(problems_));
  for (Draft& draft : drafts_) machine_.units.push_back(std::move(draft.unit));
  std::ranges::sort(machine_.units, {}, &Unit::at);
  return std::move(machine_);
}

}  // namespace

std::expected<Machine, std::vector<Problem>> parse_machine(std::string_view text,
                                                           const std::filesystem::path& directory,
                                                           const LoadPlugin& load_plugin,
                                                           const Cards& cards) {
  const auto document = parse_document(text);
  if (!document) return std::unexpected(std::vector{document.error()});
  return Reader().read(*document, directory, load_plugin, cards);
}

}  // namespace mdevfs::config
