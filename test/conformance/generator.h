// SPDX-License-Identifier: Apache-2.0
//
// Makes scenarios up: long ones, of operations that a person would not think of in this order, for a
// comparison of two kernels. The same seed is the same scenario everywhere. Only operations whose outcome is
// determined: no times of their own, no inode numbers, nothing that races; and, as one of the kernels is
// behind FUSE, nothing that is known to be impossible there.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "imagined_tree.h"
#include "random.h"

namespace mdevfs::conformance {

// Not thread-safe.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : seed_(seed), random_(seed) {}

  // At least so many lines: an operation can be several.
  std::string scenario(std::size_t operations);

 private:
  using Write = void (Generator::*)();
  struct Choice {
    unsigned weight;
    Write write;
  };
  static const std::vector<Choice>& choices();

  void begin();
  void say(const std::string& line);
  void say_as_somebody(const std::string& operation);
  std::string new_uuid();
  ImaginedParent* parent_to_fill();
  std::string hold_name();
  std::string some_held();

  void create();
  void create_duplicate();
  void create_badly();
  void create_many();
  void create_while_probe_fails();
  void remove();
  void remove_badly();
  void remove_before_probe_has_ended();
  void look_while_removing();
  void unregister_while_creating();
  void read();
  void list();
  void look();
  void follow();
  void grow();
  void write_anything();
  void write_uevent();
  void write_power();
  void bind();
  void hold();
  void hold_at();
  void use_held();
  void close_held();
  void change_directory();
  void use_directory();
  void change_attributes();
  void use_extended_attributes();
  void be_refused();
  void use_descriptor();
  void change_modules();
  void control();
  void look_at_events();
  void watch();

  const std::uint64_t seed_;
  Random random_;
  std::string text_;
  std::size_t lines_ = 0;
  ImaginedTree tree_;
  unsigned last_uuid_ = 0;
  unsigned last_hold_ = 0;
  std::vector<std::string> held_;
  std::map<std::string, std::string> removes_;  // held `remove` files: their device
  std::set<std::string> inner_;                 // held directories of devices
};

}  // namespace mdevfs::conformance
