// SPDX-License-Identifier: Apache-2.0
//
// Shorthands for the tables: files with a fixed text, and a store of nothing.
#pragma once

#include <string>
#include <string_view>

#include "entry.h"

namespace mdevfs::model {

inline constexpr mode_t kDirectoryMode = 0755;
inline constexpr mode_t kLinkMode = 0777;

template <std::size_t N>
struct FixedText {
  consteval FixedText(const char (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
  }
  char text[N];
};

template <FixedText kText>
Result<std::string> show_text(Object&, Slot) {
  return std::string(kText.text);
}

// SUBSYSTEM of directories that are all of one.
template <FixedText kText>
std::string always(const Object&) {
  return kText.text;
}

inline Entry directory(std::string name, Part part, Slot in) {
  return {.kind = Kind::directory,
          .mode = kDirectoryMode,
          .part = part,
          .directory = in,
          .name = std::move(name)};
}

inline Entry link(std::string name, Part part, Slot in, Node (*target)(Object&)) {
  return {.kind = Kind::link,
          .mode = kLinkMode,
          .part = part,
          .directory = in,
          .name = std::move(name),
          .target = target};
}

// A link in another object's directory, by the name of its own object unless name_of says otherwise.
inline Entry link_elsewhere(Part part, Node (*place)(Object&), Node (*target)(Object&),
                            std::string (*name_of)(const Object&) = nullptr) {
  return {.kind = Kind::link,
          .mode = kLinkMode,
          .part = part,
          .name_of = name_of,
          .place = place,
          .target = target};
}

// Has a driver's attribute a store: its own, or the one that keeps a text? Of a text that is only read there
// is none, whatever its mode becomes.
template <typename Attribute>
bool has_store(const Attribute& attribute) {
  return attribute.store != nullptr || (attribute.text && (attribute.mode & 0222) != 0);
}

inline Entry file(std::string name, mode_t mode, Part part, Slot in, decltype(Entry::show) show,
                  decltype(Entry::store) store = nullptr) {
  return {.kind = Kind::file,
          .mode = mode,
          .part = part,
          .directory = in,
          .name = std::move(name),
          .show = show,
          .store = store};
}

}  // namespace mdevfs::model
