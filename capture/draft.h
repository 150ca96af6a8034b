// SPDX-License-Identifier: Apache-2.0
//
// A machine file in the making. What is set is looked up among a backend's keys and passes its check, or
// becomes a comment: whatever a machine shows, the file can be read.
//
// Thread-safety: none; one thread makes one file.
#pragma once

#include <deque>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/backends.h"

namespace mdevfs::capture {

// A thing with keys: a unit, or an item of a group of it.
class Table {
 public:
  Table(std::string name, std::span<const backends::Key> keys) : name_(std::move(name)), keys_(keys) {}

  // Nothing is written of what a key is anyway. The guess, if it is one, is said in the line before.
  void set(std::string_view key, std::string value, std::string_view guess = {});
  void set(std::string_view key, std::int64_t value, std::string_view guess = {}) {
    set(key, std::to_string(value), guess);
  }
  // For what is only known later; its values are the same.
  void rename(std::string name);
  // A comment.
  void say(std::string text) { comments_.push_back(std::move(text)); }
  void guessed(std::string_view what);
  bool has_key(std::string_view key) const;

  const std::string& name() const { return name_; }
  const backends::Values& values() const { return values_; }
  // Comments, then a line for each key.
  std::string lines() const;
  // Comments, then `name = { key = value, ... }`.
  std::string line() const;
  // Whether both are the same but for their names.
  bool same_values(const Table& other) const { return values_ == other.values_; }

 private:
  struct Setting {
    std::string key;
    std::string in_line;
    std::string in_lines;
    std::string guess;
  };
  std::string comment_lines() const;

  std::string name_;
  std::span<const backends::Key> keys_;
  std::vector<std::string> comments_;
  std::vector<Setting> settings_;
  backends::Values values_;
};

// Names of which each is given once, and can be one in a machine file.
class Names {
 public:
  // The same, or one like it.
  std::string give(std::string_view wanted);

 private:
  std::set<std::string, std::less<>> taken_;
};

struct UnitDraft {
  UnitDraft(const backends::Backend& its_backend, std::string name)
      : backend(&its_backend), table(std::move(name), its_backend.keys) {}

  // The keys of the group; none where the backend has no such group.
  std::span<const backends::Key> keys_of(std::string_view group) const;
  Table& add(std::string_view group, std::string name);
  Table& add_parent(std::string name);

  const backends::Backend* backend;
  Table table;
  std::deque<std::pair<std::string, Table>> items;  // by group, other than parents; they stay where they are
  std::deque<Table> parents;
  unsigned place = 0;  // units are in the order of these, then of their names
};

std::string text_of(const UnitDraft& unit);
std::string parents_text_of(const UnitDraft& unit);

}  // namespace mdevfs::capture
