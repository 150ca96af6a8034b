// SPDX-License-Identifier: Apache-2.0
//
// What the generator of scenarios believes to be there while it writes one: modules, parents, devices, and
// the many paths to each of them. It is only as right as it takes for most operations to meet something: what
// a kernel really answers is the kernel's business.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "random.h"

namespace mdevfs::conformance {

struct ImaginedParent {
  std::string module;
  std::string driver;
  std::string family;  // the class of the parent device, with which its types' names begin
  std::string name;
  std::vector<std::string> types;
  std::size_t room;  // for devices
  bool registered = true;

  std::string path() const { return "/sys/devices/virtual/" + family + '/' + name; }
};

struct ImaginedDevice {
  std::string uuid;  // `$U12`
  std::string parent;
  std::string type;
  std::string driver;
  std::string module;
  bool bound = true;
};

// Not thread-safe.
class ImaginedTree {
 public:
  void load(std::string_view module, std::size_t parents, std::size_t room);
  void unload(std::string_view module);
  bool loaded(std::string_view module) const;
  std::vector<std::string> loaded_modules() const;

  // A parent that is registered; null: there is none.
  ImaginedParent* some_parent(Random& random);
  ImaginedParent* parent(std::string_view module, std::size_t number);
  void unregister(ImaginedParent& parent);

  void create(const std::string& uuid, const ImaginedParent& parent, const std::string& type);
  void remove(const std::string& uuid);
  void unbind(const std::string& uuid);
  bool is_full(const ImaginedParent& parent) const;

  const std::vector<ImaginedDevice>& devices() const { return devices_; }
  const std::vector<ImaginedDevice>& gone() const { return gone_; }
  // Mostly one that is there, sometimes one that is gone; null: there has been none yet.
  const ImaginedDevice* some_device(Random& random) const;

  // Paths, by one of the ways that lead there.
  static std::string to(Random& random, const ImaginedDevice& device);
  std::string to_type(Random& random, const ImaginedParent& parent, const std::string& type) const;
  static std::string to_parent(Random& random, const ImaginedParent& parent);

  // Of anything; a directory, a link, or a file.
  std::string some_path(Random& random);
  std::string some_directory(Random& random);
  std::string some_file(Random& random);
  std::string some_link(Random& random);

 private:
  enum class Kind { kFile, kDirectory, kLink };
  std::string some(Random& random, Kind kind);

  std::vector<ImaginedParent> parents_;
  std::vector<ImaginedDevice> devices_;
  std::vector<ImaginedDevice> gone_;
};

}  // namespace mdevfs::conformance
