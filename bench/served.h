// SPDX-License-Identifier: Apache-2.0
//
// A filesystem in a process of its own, mounted on a directory made for it, with what the kernel knows of
// that process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace mdevfs::bench {

// Thread-safety: none.
class Served {
 public:
  static constexpr const char* kMountpoint = "MOUNTPOINT";  // the argument in whose place that comes

  // Runs PROGRAM, a path from the directory of this program. Throws std::runtime_error where nothing gets
  // mounted.
  Served(const std::string& program, const std::vector<std::string>& arguments);
  ~Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  const std::string& mountpoint() const { return mountpoint_; }
  // How many reads it has done since it began: one for each request (/proc/PID/io, syscr).
  std::uint64_t requests() const { return number_in("io", "syscr:"); }
  std::uint64_t resident_bytes() const { return number_in("status", "VmRSS:") * 1024; }
  double processor_nanoseconds() const;  // of all its threads, also of those that have ended

 private:
  std::uint64_t number_in(const char* file, const std::string& key) const;
  void wait_until_mounted();

  std::string mountpoint_;
  pid_t pid_ = -1;
};

}  // namespace mdevfs::bench
