// SPDX-License-Identifier: Apache-2.0
#include "uevent.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "core.h"
#include "text.h"
#include "uuid.h"

namespace mdevfs::model {
namespace {

// The last two are those of binding.
constexpr std::array<std::string_view, 8> kActions = {"add",    "remove",  "change", "move",
                                                      "online", "offline", "bind",   "unbind"};

bool is_action(std::string_view word, const KernelAge& age) {
  const auto known = std::span(kActions).first(kActions.size() - (age.bind_uevents ? 0 : 2));
  return std::ranges::find(known, word) != known.end();
}

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
  std::string failed = "uevent: failed to send synthetic uevent";
  if (node.object->core.age().uevent_failure_has_errno) failed += fmt::format(": {}", -EINVAL);
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
  const std::string subsystem = entry.subsystem(*node.object);
  if (subsystem.empty()) return;  // dev_uevent_filter: a device without a bus and a class has no events
  if (entry.uevent_text != nullptr) append_lines(keys, entry.uevent_text(*node.object));
  // zap_modalias_env: udev would load the driver's module again.
  if (action == "unbind") std::erase_if(keys, [](const auto& key) { return key.starts_with("MODALIAS="); });
  listener->announce({std::string(action), Tree::path(node), subsystem, std::move(keys)});
}

void announce_binding(Node node, std::string_view action) {
  if (node.object->core.age().bind_uevents) announce(node, action);
}

std::expected<SyntheticUevent, std::string_view> parse_synthetic_uevent(std::string_view text,
                                                                        const KernelAge& age) {
  // kobject_action_type drops one newline or NUL at the end, then compares whole words.
  if (text.ends_with('\n') || text.ends_with('\0')) text.remove_suffix(1);
  SyntheticUevent event;
  const bool has_arguments = text.find(' ') != std::string_view::npos;
  event.action = age.uevent_arguments ? take_word(text) : text;
  if (!is_action(event.action, age)) return std::unexpected(kUnknownAction);
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
  const KernelAge& age = object.core.age();
  const auto event = parse_synthetic_uevent(text, age);
  if (!event) {
    complain(node, event.error(), file.show != nullptr);  // only devices' uevent files can be read
    return age.refuses_bad_uevents ? fail(EINVAL) : Result<void>{};
  }
  std::vector<std::string> keys;
  if (age.uevent_arguments) keys.push_back("SYNTH_UUID=" + event->uuid);
  for (const auto& [key, value] : event->arguments)
    keys.push_back(fmt::format("SYNTH_ARG_{}={}", key, value));
  announce(node, event->action, std::move(keys));
  return {};
}

}  // namespace mdevfs::model
