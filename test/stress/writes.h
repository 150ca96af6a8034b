// SPDX-License-Identifier: Apache-2.0
//
// Creates and removes on a mount, one after another, so that what a reader may see follows from how many of
// them had returned when it began, and how many had begun when it was done.
#pragma once

#include <atomic>
#include <string>

#include "doors.h"
#include "test/wire/mounted_daemon.h"

namespace mdevfs::test {

// Of mdpy, below a mount.
inline const std::string kMdpy = "/devices/virtual/mdpy/mdpy";
inline const std::string kMdpyType = kMdpy + "/mdev_supported_types/mdpy-vga";

// Puts mdpy on a machine, with so many places.
MountedDaemon::Setup mdpy_with(long places);

// Thread-safety: go_on() from one thread, the others from any.
class Writes {
 public:
  static constexpr long kMost = 3;  // devices at once, uuid_of(1) and on

  // `places`: of the parent.
  Writes(const std::string& mount, long places) : door_(mount), places_(places) {}

  void go_on();  // one more: so many creates, so many removes, and again
  long begun() const { return begun_; }
  long done() const { return done_; }

  // Is this what available_instances may say to somebody who began after `first` writes and was done before
  // the end of write `last`?
  bool count_may_be(long count, long first, long last) const;
  // The same of a device that is listed, or is not.
  static bool may_be_listed(long device, bool listed, long first, long last);

 private:
  void write(const std::string& path, const std::string& text);

  MountDoor door_;
  const long places_;
  std::atomic<long> begun_{0};
  std::atomic<long> done_{0};
};

}  // namespace mdevfs::test
