// SPDX-License-Identifier: Apache-2.0
#include "uevent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core.h"
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

constexpr std::string_view kUnknownAction = "unknown uevent action string";
constexpr std::string_view kBadArguments = "incorrect uevent action arguments";

const Entry& entry_of(Node node) {
  return node.object->entry(node.slot);
}

void append_lines(std::vector<std::string>& keys, std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    keys.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end, text.size() - 1) + 1);
  }
}

// Of a device the device core complains as well, under its name.
void complain(Node node, std::string_view remark, bool is_device) {
  Log& log = node.object->core.log();
  log.print(Level::warning, fmt::format("synth uevent: {}: {}", Tree::path(node), remark));
  const auto failed = fmt::format("uevent: failed to send synthetic uevent: {}", -EINVAL);
  if (node.slot == Slot::device_directory) {
    static_cast<Device*>(node.object)->print(Level::error, failed);
  } else if (is_device) {
    log.print(Level::error,
              fmt::format("{} {}: {}", entry_of(node).subsystem(*node.object), Tree::name_of(node), failed));
  }
}

}  // namespace

void announce(Node node, std::string_view action, std::vector<std::string> keys) {
  Watcher* const listener = node.object->core.tree().listener();
  if (listener == nullptr) return;
  const Entry& entry = entry_of(node);
  if (entry.uevent_text != nullptr) append_lines(keys, entry.uevent_text(*node.object));
  listener->announce({std::string(action), Tree::path(node), entry.subsystem(*node.object), std::move(keys)});
}

std::expected<SyntheticUevent, std::string_view> parse_synthetic_uevent(std::string_view text) {
  // kobject_action_type drops one newline or NUL at the end, then compares whole words.
  if (text.ends_with('\n') || text.ends_with('\0')) text.remove_suffix(1);
  SyntheticUevent event;
  const bool has_arguments = text.find(' ') != std::string_view::npos;
  event.action = take_word(text);
  if (std::ranges::find(kActions, event.action) == kActions.end()) return std::unexpected(kUnknownAction);
  if (!has_arguments) return event;
  const auto uuid = take_word(text);
  if (uuid.size() != kUuidLength || !parse_create_text(uuid)) return std::unexpected(kBadArguments);
  event.uuid = uuid;
  while (!text.empty()) {
    const auto argument = take_word(text);
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos) return std::unexpected(kBadArguments);
    const auto key = argument.substr(0, equals);
    const auto value = argument.substr(equals + 1);
    if (!is_word(key) || !is_word(value)) return std::unexpected(kBadArguments);
    event.arguments.emplace_back(key, value);
  }
  return event;
}

Result<void> store_uevent(Object& object, Slot slot, std::string_view text) {
  const Entry& file = object.entry(slot);
  const Node node{&object, file.directory};
  const auto event = parse_synthetic_uevent(text);
  if (!event) {
    complain(node, event.error(), file.show != nullptr);  // only devices' uevent files can be read
    return fail(EINVAL);
  }
  std::vector<std::string> keys{"SYNTH_UUID=" + event->uuid};
  for (const auto& [key, value] : event->arguments)
    keys.push_back(fmt::format("SYNTH_ARG_{}={}", key, value));
  announce(node, event->action, std::move(keys));
  return {};
}

}  // namespace mdevfs::model
