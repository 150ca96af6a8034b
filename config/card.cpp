// SPDX-License-Identifier: Apache-2.0
#include "card.h"

#include <fmt/format.h>

#include <algorithm>

#include "file.h"
#include "sentences.h"
#include "value_reader.h"

namespace mdevfs::config {
namespace {

using backends::Backend;
using backends::Values;
using Kind = Value::Kind;

constexpr std::string_view kMembers[] = {"summary", "backend", "source", "parent", kTypes};

// Thread-safety: none; one reader reads one document.
class CardReader : ValueReader {
 public:
  std::expected<Card, std::vector<Problem>> read(const Value& document);
  std::expected<CardHeading, std::vector<Problem>> read_heading(const Value& document);

 private:
  std::optional<std::string> backend_name(const Value& document);
  const Backend* backend_in(const Value& document);
  std::string summary_in(const Value& document);
  void read_source(const Member& member);
  Values read_values(const Member& member, std::span<const backends::Key> keys, std::string_view what);
  void read_parent(const Member& member);
  void read_types(const Member& member);

  Card card_;
};

std::string CardReader::summary_in(const Value& document) {
  const Member* const member = member_of(document, "summary");
  if (member == nullptr) return {};
  auto text = text_in(member->value, "summary").value_or("");
  if (text.find('\n') != std::string::npos)
    complain(member->value.at, fmt::format("summary is {}, expected one line", shown(member->value)));
  return text;
}

std::optional<std::string> CardReader::backend_name(const Value& document) {
  const Member* const member = member_of(document, "backend");
  if (member != nullptr) return text_in(member->value, "backend");
  complain({}, "the card is for no backend, expected backend =");
  return std::nullopt;
}

// One whose parents can name a card.
const Backend* CardReader::backend_in(const Value& document) {
  const auto name = backend_name(document);
  if (!name) return nullptr;
  const Position at = member_of(document, "backend")->value.at;
  const Backend* const backend = backends::find(*name);
  if (backend == nullptr) complain(at, unknown("backend", *name, backend_names()));
  if (backend == nullptr || takes_cards(*backend)) return backend;
  complain(at, fmt::format("the parents of {} have no cards, expected another backend", *name));
  return nullptr;
}

// Where it is all from is for who reads the file.
void CardReader::read_source(const Member& member) {
  const bool one = member.value.kind == Kind::text;
  if (!one && member.value.kind != Kind::array) {
    complain(member.value.at, fmt::format("source is {}, expected a text or an array", shown(member.value)));
    return;
  }
  for (const Value& value : one ? std::span(&member.value, 1) : std::span(member.value.elements))
    text_in(value, one ? "source" : "an element of source");
}

Values CardReader::read_values(const Member& member, std::span<const backends::Key> keys,
                               std::string_view what) {
  Values values;
  if (!expect_table(member)) return values;
  for (const Member& each : member.value.members) {
    if (const backends::Key* const key = find_key(keys, each.name)) {
      if (auto text = value_text(each, key->check)) values.emplace(each.name, std::move(*text));
      continue;
    }
    Names names;
    for (const auto& known : keys) names.push_back(known.name);
    complain(each.at,
             unknown(fmt::format("key of {} of {} called", what, card_.backend->name), each.name, names));
  }
  return values;
}

void CardReader::read_parent(const Member& member) {
  card_.parent =
      read_values(member, find_group(*card_.backend, backends::kParents)->keys, backends::kParents);
  for (const std::string_view key : {backends::kCard, kTypes}) {
    if (const Member* const own = member_of(member.value, key))
      complain(own->at, fmt::format("{} is for machine files, expected [types.ID]", key));
  }
}

// A type's id is a word of a parent's list of types.
void CardReader::read_types(const Member& member) {
  if (!expect_table(member)) return;
  for (const Member& type : member.value.members) {
    expect_name(type);
    if (type.name.find_first_of(" \t\n") != std::string::npos)
      complain(type.at,
               fmt::format("the type {} has a blank in its name, expected a word", shown(type.name)));
    card_.types.emplace_back(type.name, read_values(type, find_group(*card_.backend, kTypes)->keys, kTypes));
  }
}

std::expected<Card, std::vector<Problem>> CardReader::read(const Value& document) {
  card_.summary = summary_in(document);
  card_.backend = backend_in(document);
  for (const Member& member : document.members) {
    if (std::ranges::find(kMembers, member.name) == std::end(kMembers))
      complain(member.at, unknown("key at the top of a card called", member.name, kMembers));
    if (member.name == "source") read_source(member);
    if (card_.backend == nullptr) continue;
    if (member.name == "parent") read_parent(member);
    if (member.name == kTypes) read_types(member);
  }
  if (card_.backend != nullptr && card_.types.empty())
    complain({}, "the card has no types, expected [types.ID]");
  std::ranges::sort(problems_);
  if (!problems_.empty()) return std::unexpected(std::move(problems_));
  return std::move(card_);
}

std::expected<CardHeading, std::vector<Problem>> CardReader::read_heading(const Value& document) {
  CardHeading heading{.summary = summary_in(document), .backend = backend_name(document).value_or("")};
  if (!problems_.empty()) return std::unexpected(std::move(problems_));
  return heading;
}

template <typename Read>
auto read_file(const std::filesystem::path& file, Read read)
    -> std::expected<typename decltype(read(Value(Kind::table, {})))::value_type, std::vector<std::string>> {
  const auto text = text_of_file(file);
  if (!text) return std::unexpected(std::vector{fmt::format("{}: {}", file.string(), text.error())});
  const auto document = parse_document(*text);
  if (!document) return std::unexpected(lines_of(file, std::span(&document.error(), 1)));
  auto card = read(*document);
  if (!card) return std::unexpected(lines_of(file, card.error()));
  return std::move(*card);
}

}  // namespace

bool takes_cards(const backends::Backend& backend) {
  const auto* const parents = find_group(backend, backends::kParents);
  return parents != nullptr && find_key(parents->keys, backends::kCard) != nullptr &&
         find_key(parents->keys, kTypes) != nullptr && find_group(backend, kTypes) != nullptr;
}

std::expected<Card, std::vector<Problem>> parse_card(std::string_view text) {
  const auto document = parse_document(text);
  if (!document) return std::unexpected(std::vector{document.error()});
  return CardReader().read(*document);
}

std::expected<Card, std::vector<std::string>> read_card(const std::filesystem::path& file) {
  return read_file(file, [](const Value& document) { return CardReader().read(document); });
}

std::expected<CardHeading, std::vector<std::string>> read_card_heading(const std::filesystem::path& file) {
  return read_file(file, [](const Value& document) { return CardReader().read_heading(document); });
}

}  // namespace mdevfs::config
