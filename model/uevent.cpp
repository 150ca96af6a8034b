// SPDX-License-Identifier: Apache-2.0
#include "uevent.h"

#include <algorithm>
#include <array>

#include "text.h"
#include "uuid.h"

namespace mdevfs::model {
namespace {

constexpr std::array<std::string_view, 8> kActions = {"add",    "remove",  "change", "move",
                                                      "online", "offline", "bind",   "unbind"};

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

std::string_view take_word(std::string_view& text) {
  const auto end = std::min(text.find(' '), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

}  // namespace

Result<SyntheticUevent> parse_synthetic_uevent(std::string_view text) {
  // kobject_action_type drops one newline or NUL at the end, then compares whole words.
  if (text.ends_with('\n') || text.ends_with('\0')) text.remove_suffix(1);
  SyntheticUevent event;
  const bool has_arguments = text.find(' ') != std::string_view::npos;
  event.action = take_word(text);
  if (std::ranges::find(kActions, event.action) == kActions.end()) return fail(EINVAL);
  if (!has_arguments) return event;
  const auto uuid = take_word(text);
  if (uuid.size() != kUuidLength || !parse_create_text(uuid)) return fail(EINVAL);
  event.uuid = uuid;
  while (!text.empty()) {
    const auto argument = take_word(text);
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos) return fail(EINVAL);
    const auto key = argument.substr(0, equals);
    const auto value = argument.substr(equals + 1);
    if (!is_word(key) || !is_word(value)) return fail(EINVAL);
    event.arguments.emplace_back(key, value);
  }
  return event;
}

Result<void> store_uevent(Object&, Slot, std::string_view text) {
  const auto event = parse_synthetic_uevent(text);
  return event ? Result<void>{} : std::unexpected(event.error());
}

}  // namespace mdevfs::model
