// SPDX-License-Identifier: Apache-2.0
//
// What cards make of a unit's settings.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "backends/types.h"
#include "cards.h"
#include "sentences.h"
#include "value_reader.h"

namespace mdevfs::config {
namespace {

using backends::Backend;
using backends::Items;
using backends::Settings;
using backends::Values;
using backends::words_of;

// Thread-safety: none; one completes one unit's settings.
class Completion {
 public:
  Completion(const Backend& backend, Settings settings, const Cards& cards)
      : backend_(backend), cards_(cards), settings_(std::move(settings)) {
    for (const auto& [type, values] : settings_.items[std::string(kTypes)]) own_types_.push_back(type);
  }

  std::expected<Settings, std::vector<backends::Complaint>> complete();

 private:
  struct Used {
    std::string name;
    std::filesystem::path file;
    Card card;
  };

  void complain(const std::string& parent, std::string_view key, std::string what) {
    complaints_.push_back({std::string(backends::kParents), parent, std::string(key), std::move(what)});
  }
  std::string default_card() const;
  std::string card_of(const Values& values) const;
  const Used* use(const std::string& name, const std::string& parent);
  std::optional<Used> read(const std::string& name, const std::string& parent);
  void add_types(const Used& used);
  void complete_parent(const std::string& parent, Values& values, const Used& used);
  std::string types_of(const std::string& parent, const Values& values, const Used& used);
  std::string type_called(const std::string& parent, const std::string& word, const Used& used);
  void give_own_types(const std::string& parent, Values& values);

  const Backend& backend_;
  const Cards& cards_;
  Settings settings_;
  std::vector<std::string> own_types_;
  std::map<std::string, std::optional<Used>> used_;  // by what parents call them; those that are wrong too
  std::vector<backends::Complaint> complaints_;
};

std::string Completion::default_card() const {
  return std::string(find_key(find_group(backend_, backends::kParents)->keys, backends::kCard)->otherwise);
}

// Empty: none.
std::string Completion::card_of(const Values& values) const {
  const auto named = values.find(backends::kCard);
  if (named != values.end()) return named->second;
  return values.contains(kTypes) || !own_types_.empty() ? "" : default_card();
}

std::optional<Completion::Used> Completion::read(const std::string& name, const std::string& parent) {
  auto file = cards_.find(name, backend_.name);
  if (!file) {
    complain(parent, backends::kCard, file.error());
    return std::nullopt;
  }
  auto card = read_card(*file);
  if (!card) {
    for (const std::string& line : card.error())
      complain(parent, backends::kCard, fmt::format("the card {} is wrong: {}", shown(name), line));
    return std::nullopt;
  }
  if (card->backend == &backend_) return Used{file->stem().string(), *file, std::move(*card)};
  complain(parent, backends::kCard,
           fmt::format("the card {} is for {}, expected one for {}: {}", shown(name), card->backend->name,
                       backend_.name, fmt::join(cards_.names_for(backend_.name), ", ")));
  return std::nullopt;
}

// Null: it is wrong, and that has been said.
const Completion::Used* Completion::use(const std::string& name, const std::string& parent) {
  const auto [at, fresh] = used_.try_emplace(name);
  if (!fresh) return at->second ? &*at->second : nullptr;
  auto used = read(name, parent);
  if (!used) return nullptr;
  for (const auto& [other_name, other] : used_) {
    if (!other || other->name != used->name) continue;
    if (other->file != used->file) {
      complain(parent, backends::kCard,
               fmt::format("{} and {} are both called {}, expected different names", other->file.string(),
                           used->file.string(), used->name));
      return nullptr;
    }
    at->second = other;  // another way to write the same path
    return &*at->second;
  }
  add_types(*used);
  at->second = std::move(used);
  return &*at->second;
}

void Completion::add_types(const Used& used) {
  auto& items = settings_.items[std::string(kTypes)];
  for (const auto& [id, values] : used.card.types) {
    Values& item = items.emplace_back(fmt::format("{}/{}", used.name, id), values).second;
    for (const backends::Key& key : find_group(backend_, kTypes)->keys) {
      if (key.otherwise == backends::kItemName) item.try_emplace(std::string(key.name), id);
    }
  }
}

std::string Completion::type_called(const std::string& parent, const std::string& word, const Used& used) {
  if (std::ranges::find(own_types_, word) != own_types_.end()) return word;
  const auto& types = used.card.types;
  if (std::ranges::find(types, word, &Items::value_type::first) != types.end())
    return fmt::format("{}/{}", used.name, word);
  Names known;
  for (const auto& [id, values] : types) known.push_back(id);
  known.insert(known.end(), own_types_.begin(), own_types_.end());
  complain(parent, kTypes, unknown(fmt::format("type of the card {} called", used.name), word, known));
  return {};
}

std::string Completion::types_of(const std::string& parent, const Values& values, const Used& used) {
  const auto named = values.find(kTypes);
  std::vector<std::string> types;
  for (const std::string& word : words_of(named != values.end() ? named->second : ""))
    types.push_back(type_called(parent, word, used));
  if (types.empty()) {
    for (const auto& [id, its_values] : used.card.types) types.push_back(fmt::format("{}/{}", used.name, id));
  }
  return fmt::format("{}", fmt::join(types, " "));
}

void Completion::complete_parent(const std::string& parent, Values& values, const Used& used) {
  for (const auto& [key, value] : used.card.parent) values.try_emplace(key, value);
  values.insert_or_assign(std::string(kTypes), types_of(parent, values, used));
}

// A parent that names no types has all that there are: of the unit's own.
void Completion::give_own_types(const std::string& parent, Values& values) {
  const auto named = values.find(kTypes);
  if (named != values.end() && !words_of(named->second).empty()) return;
  if (own_types_.empty()) complain(parent, backends::kCard, "the parent has neither a card nor types");
  values.insert_or_assign(std::string(kTypes), fmt::format("{}", fmt::join(own_types_, " ")));
}

std::expected<Settings, std::vector<backends::Complaint>> Completion::complete() {
  auto& parents = settings_.items[std::string(backends::kParents)];
  std::vector<std::pair<const std::string*, Values*>> without;
  for (auto& [parent, values] : parents) {
    const std::string name = card_of(values);
    if (name.empty()) {
      without.emplace_back(&parent, &values);
    } else if (const Used* const used = use(name, parent)) {
      complete_parent(parent, values, *used);
    }
  }
  // For the parent that comes when the unit is live.
  if (const std::string name = card_of({}); parents.empty() && !name.empty()) use(name, "");
  if (!used_.empty()) {
    for (const auto& [parent, values] : without) give_own_types(*parent, *values);
  }
  if (!complaints_.empty()) return std::unexpected(std::move(complaints_));
  return std::move(settings_);
}

}  // namespace

std::expected<Settings, std::vector<backends::Complaint>> complete(const Backend& backend, Settings settings,
                                                                   const Cards& cards) {
  if (!takes_cards(backend)) return settings;
  return Completion(backend, std::move(settings), cards).complete();
}

}  // namespace mdevfs::config
