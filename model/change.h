// SPDX-License-Identifier: Apache-2.0
//
// What a change of the tree means to those who remember it: names that are gone and directories whose
// attributes are others now; and what the kernel announces of it, its uevents. The model gives both to one
// watcher, in the order in which things happen, after it has released the tree's lock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mdevfs::model {

struct GoneName {
  std::uint64_t directory = 0;  // inode number
  std::string name;
  // Who stands in it, or has it open, may keep the old path until somebody asks for the name. False: nobody
  // can, or must.
  bool may_linger = false;
};

struct Changes {
  std::vector<GoneName> gone;
  std::vector<std::uint64_t> attributes;  // inode numbers
  bool empty() const { return gone.empty() && attributes.empty(); }
};

// What udev and its like hear. The message is `action@devpath`, then ACTION, DEVPATH and SUBSYSTEM, then the
// keys as they stand here; who sends it adds SEQNUM.
struct Uevent {
  std::string action;
  std::string devpath;  // "/devices/virtual/mtty/mtty"
  std::string subsystem;
  std::vector<std::string> keys;  // "DRIVER=mtty"
};

// Thread-safety: publish and announce are called from any thread, with a device's lock held perhaps but none
// of the tree's, and must not call back.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void publish(Changes changes) noexcept = 0;
  // Called between the steps of a change that has very many: waits until few of those that were published are
  // still to be passed on, so that whoever changes something meanwhile is not behind all of them. False: they
  // are not passed on; there is no use in asking again. Called with no lock that a lookup or a listing takes.
  virtual bool keep_up() noexcept { return true; }
  // Asked once, when it begins to watch: one that does not hear uevents is given none, and none are made.
  virtual bool hears_uevents() const { return false; }
  virtual void announce(Uevent) noexcept {}
  // What poll(2) says of this file has changed.
  virtual void wake(std::uint64_t inode) noexcept = 0;
};

}  // namespace mdevfs::model
