// SPDX-License-Identifier: Apache-2.0
//
// What is there without any hardware: the skeleton of /sys as far as mdev has a part in it, and the mdev bus.
// Also the placeholders, names without content of their own, over which a caller binds what the host has
// there.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "object.h"

namespace mdevfs::model {

class Schema;
void define_root(Schema& schema);

// Thread-safety: as Object.
class Root final : public Object {
 public:
  static constexpr Part kMdev = 1;     // bus/mdev, while the module mdev is loaded
  static constexpr Part kMdevBus = 2;  // class/mdev_bus, likewise, or from the first parent on

  explicit Root(Core& owner) : Object(owner) {}
  Slot self() const override { return Slot::root; }
  std::string name() const override { return {}; }
  Members* members(Slot slot) override;

  std::atomic<bool> drivers_autoprobe{true};

 private:
  std::array<Members, index(Slot::placeholder_directory)> members_;
};

enum class PlaceholderKind { directory, file, link };

// Thread-safety: as Object.
class Placeholder final : public Object {
 public:
  Placeholder(Core& owner, Slot in, std::string name, PlaceholderKind kind, std::string target);
  Slot self() const override { return self_; }
  std::string name() const override { return name_; }
  const std::string& target() const { return target_; }
  Slot in() const { return in_; }

 private:
  const Slot in_;  // the directory of the root that shows it
  const Slot self_;
  const std::string name_;
  const std::string target_;
};

}  // namespace mdevfs::model
