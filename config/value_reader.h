// SPDX-License-Identifier: Apache-2.0
//
// What all files of this folder have in common: values of a document as the texts that keys keep, by the
// tables of keys that backends have, and the problems found on the way.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backends.h"
#include "document.h"

namespace mdevfs::config {

using Names = std::vector<std::string_view>;

// Null: there is none of that name.
const Member* member_of(const Value& table, std::string_view name);
const backends::Key* find_key(std::span<const backends::Key> keys, std::string_view name);
const backends::Group* find_group(const backends::Backend& backend, std::string_view name);
Names backend_names();

// Thread-safety: none; one reader reads one document.
class ValueReader {
 protected:
  void complain(Position at, std::string what) { problems_.push_back({at, std::move(what)}); }
  bool expect_table(const Member& member);
  void expect_name(const Member& member);  // of a directory
  std::optional<std::string> text_in(const Value& value, std::string_view of);
  // The value as the key keeps it.
  std::optional<std::string> value_text(const Member& member, const backends::Check& check);

  std::vector<Problem> problems_;

 private:
  std::optional<std::string> words_in(const Value& value, std::string_view of);
};

}  // namespace mdevfs::config
