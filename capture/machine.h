// SPDX-License-Identifier: Apache-2.0
//
// What a sysfs shows of mediated devices, before anybody makes anything of it.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sysfs.h"

namespace mdevfs::capture {

struct SeenType {
  std::string directory = {};   // in mdev_supported_types
  std::string sysfs_name = {};  // that, without what the kernel puts before it
  std::optional<std::string> name = {};
  std::optional<std::string> description = {};
  std::string device_api = {};
  unsigned available = 0;
  std::vector<std::string> devices = {};
};

struct SeenFile {
  std::string group = {};  // the directory that it is in; empty: the device's own
  std::string name = {};
  mode_t mode = 0;
  std::string text = {};
};

struct SeenDevice {
  std::string uuid = {};
  std::string type = {};  // its sysfs_name
  std::string driver = {};
  bool has_iommu_group = false;
  std::vector<SeenFile> files = {};
};

struct SeenParent {
  std::string name = {};
  std::string path = {};          // below the root
  std::string bus = {};           // "virtual" of one in a class
  std::string device_class = {};  // of such a one
  std::string driver = {};        // empty: none
  std::vector<SeenType> types = {};
  std::vector<SeenDevice> devices = {};
};

// A virtual function with a vendor's own files instead of mdevs.
struct SeenVendorFunction {
  std::string path = {};
  std::string physical = {};  // the path of the function that it is of; empty: none
  std::string creatable = {};
  std::string current = {};
};

struct Machine {
  std::vector<SeenParent> parents = {};
  std::vector<SeenVendorFunction> vendor_functions = {};
  std::map<std::string, std::string> mdev_drivers = {};  // their modules, by name; empty: unknown
};

// What is read on the way, and what could not be. Thread-safety: none.
class Observer {
 public:
  explicit Observer(const Sysfs& its_sysfs) : sysfs(its_sysfs) {}

  // Without the newline at its end. Nothing: it is not there, or cannot be read, which is noted.
  std::optional<std::string> line(const std::string& path);
  std::vector<Entry> entries(const std::string& path);
  void could_not_read(const std::string& path, const std::string& reason);
  // The plain files in a device's directory and in those below it that are no devices, but for those that
  // are named.
  std::vector<SeenFile> files(const std::string& path, const std::vector<std::string_view>& but);
  std::vector<std::string> take_comments() { return std::move(comments_); }

  const Sysfs& sysfs;

 private:
  void add_file(const std::string& path, const std::string& group, const Entry& entry,
                std::vector<SeenFile>& files);

  std::vector<std::string> comments_;
};

// The error is a sentence: there is nothing of the kind.
std::expected<Machine, std::string> observe(Observer& observer);

}  // namespace mdevfs::capture
