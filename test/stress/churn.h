// SPDX-License-Identifier: Apache-2.0
//
// The clients of the stress that the report in the kernel's commit 49550787 describes: one creates mtty
// devices without pause, some remove whatever is listed, some read. And the account of what they saw, in
// memory that processes can share.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>

#include "doors.h"

namespace mdevfs::test {

inline const std::string kMttyParent = "devices/virtual/mtty/mtty";

// How often a call ended with which errno. Thread-safety: all functions from any thread, and process.
class Account {
 public:
  void note(int error) { ++counts_[static_cast<std::size_t>(error) % counts_.size()]; }
  unsigned of(int error) const { return counts_[static_cast<std::size_t>(error)]; }
  std::map<int, unsigned> seen() const;

 private:
  std::array<std::atomic<unsigned>, 200> counts_{};
};

struct Accounts {
  Account creates;
  Account removes;
  Account reads;
  std::atomic<unsigned> wrong_counts{0};  // available_instances out of range, or no number
  std::atomic<bool> creating{true};       // until the creator has ended
  std::chrono::steady_clock::time_point end;
};

std::chrono::seconds stress_time();

// Each returns when time is up; removers and readers go on until the creator has ended.
void create_without_pause(Door& door, Accounts& accounts);
void remove_whatever_is_listed(Door& door, Accounts& accounts);
void read_and_list(Door& door, Accounts& accounts);

// The types alternate: even numbers are single ports, odd ones dual.
std::string mtty_type(unsigned number);
unsigned ports_of(const std::string& uuid);

// Unregisters mtty's parent and registers it again, with the same driver.
void register_anew(model::Core& core);

}  // namespace mdevfs::test
