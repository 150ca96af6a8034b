// SPDX-License-Identifier: Apache-2.0
//
// What is measured, beside what: mdevfs with so many devices, and its peers: a null filesystem on libfuse,
// the machine's own sysfs, and a tmpfs. Each says where on it is what an operation wants.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "served.h"

namespace mdevfs::bench {

struct Places {
  std::vector<std::string> attributes;  // some of which a manager of devices reads
  std::vector<std::string> links;
  std::string small_directory;          // as a type's: half a dozen entries
  std::string large_directory;          // as bus/mdev/devices
  std::function<void()> create_remove;  // or what comes nearest; empty: nothing does
};

struct System {
  std::string name;
  const Served* served;  // none: it is the kernel's
  Places places;
};

// Thread-safety: none.
class Mdevfs {
 public:
  // `arguments` are bench_daemon's, behind the mountpoint.
  Mdevfs(const std::vector<std::string>& arguments, std::size_t live);
  // None where there is no such mode.
  static std::unique_ptr<Mdevfs> cached(std::size_t live);

  System system(const std::string& name) const { return {name, &served_, places()}; }
  const Served& served() const { return served_; }
  std::string parent() const;
  std::string type() const;
  std::string debug() const;  // the parent's faults and delays
  std::string bus() const { return served_.mountpoint() + "/bus/mdev/devices"; }
  double bytes_per_device() const;  // by which the daemon has grown since there were none

 private:
  Places places() const;

  Served served_;
  std::size_t live_;
  std::string first_;  // UUID
  double empty_bytes_;
};

// Thread-safety: none.
class Peers {
 public:
  // With directories of so many entries.
  explicit Peers(const std::vector<std::size_t>& counts);
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  const Served& null() const { return null_; }
  System null_fs(std::size_t count) const {
    return {"null_fs", &null_, places_below(null_.mountpoint(), count)};
  }
  System sysfs() const;
  // null_fs, sysfs, and tmpfs where there is one.
  std::vector<System> all(std::size_t count) const;

 private:
  static Places places_below(const std::string& top, std::size_t count);

  Served null_;
  std::string tmpfs_;  // a directory there; empty: there is none
};

}  // namespace mdevfs::bench
