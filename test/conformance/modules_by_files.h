// SPDX-License-Identifier: Apache-2.0
//
// insmod, rmmod and the files of slowmdev, the recordings' test driver with slow and failing probes, done on
// the emulated machine as any of its users can: by the control files of the mounted tree. slowmdev is an item
// with the backend sim, its slowness and its failures are the parents' fault injection.
#pragma once

#include <expected>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "model/kernel_age.h"

namespace mdevfs::conformance {

// Thread-safety: all functions from any thread, several at once.
class ModulesByFiles {
 public:
  explicit ModulesByFiles(const model::KernelAge& age) : age_(age) {}
  // The tree is at /sys. 0 or the errno of finit_module and delete_module.
  int insmod(const std::string& module, std::string_view parameters);
  int rmmod(const std::string& module);

  // What is written to slowmdev's control file: `register N`, `unregister N`, `device_add N`, `device_del N`,
  // `dup NAME`, `register_twice N`, `register_twins N`.
  int control(std::string_view text);
  // A write to one of its parameters, before it goes to the file itself.
  int set_parameter(const std::string& name, std::string_view text);

  // What the test driver itself has said in the log.
  std::vector<std::string> take_lines();

 private:
  struct Verb;
  int make_slowmdev(const std::map<std::string, std::string>& parameters);
  int set_live_parameters();
  std::string parent_of(std::string_view number) const;
  int register_parent(std::string_view number);
  int unregister_parent(std::string_view number);
  int add_device(std::string_view number);
  int delete_device(std::string_view number);
  int add_duplicate(std::string_view name);
  int register_twice(std::string_view number);
  int register_twins(std::string_view number);
  int say(std::string_view what, int error);

  bool has(const std::string& parameter) const;

  const model::KernelAge age_;
  mutable std::mutex lock_;  // a leaf
  std::map<std::string, std::string> parameters_;
  std::vector<std::string> lines_;
};

}  // namespace mdevfs::conformance
