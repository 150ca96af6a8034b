// SPDX-License-Identifier: Apache-2.0
//
// One file as several inodes to the kernel: a number in the top bits of the model's inode number, which
// st_ino does not show. What the kernel has by inode - its lock, its pages - those who looked the file up at
// different times do not share.
#pragma once

#include <atomic>
#include <cstdint>

namespace mdevfs::fs {

inline constexpr unsigned kAliasShift = 48;

constexpr std::uint64_t without_alias(std::uint64_t inode) {
  return inode & ((std::uint64_t{1} << kAliasShift) - 1);
}

// After 65,535 others the same again, and never none.
inline std::uint64_t with_new_alias(std::uint64_t inode) {
  static std::atomic<std::uint64_t> next{0};
  constexpr std::uint64_t kAliases = (std::uint64_t{1} << (64 - kAliasShift)) - 1;
  return inode | (next.fetch_add(1, std::memory_order_relaxed) % kAliases + 1) << kAliasShift;
}

}  // namespace mdevfs::fs
