// SPDX-License-Identifier: Apache-2.0
//
// slowmdev, the test driver of the recordings, as a backend of the tests: its probe and remove can take their
// time and fail, and its parents are added, registered and unregistered by a control file. The recordings'
// scenarios use it for everything that the sample drivers are too quick or too good-natured to show.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <vector>

#include "backends/backends.h"
#include "model/core.h"

namespace mdevfs::conformance {

// What can be set while it is loaded.
struct SlowParameters {
  std::atomic<long> probe_delay_ms{0};
  std::atomic<long> remove_delay_ms{0};
  std::atomic<long> probe_errno{0};  // 19: probe fails with ENODEV
};

// Thread-safety: control() and set() from any thread, several at once, as writes to the control file may.
class Slowmdev {
 public:
  // Loads the module with its parents registered. EINVAL: a parameter. EEXIST: it is loaded already.
  static model::Result<std::unique_ptr<Slowmdev>> load(model::Core& core, const backends::Values& given);
  void unload();

  // `register N`, `unregister N`, `device_add N`, `device_del N`, `dup NAME`, `register_twice N`,
  // `register_twins N`
  model::Result<void> control(std::string_view text);
  // A parameter's file: ENOENT, EACCES or EINVAL as the kernel's would.
  model::Result<void> set(std::string_view parameter, std::string_view text);

 private:
  struct Place {
    std::shared_ptr<model::ParentDevice> device;
    std::shared_ptr<model::Parent> parent;
  };
  struct Command;

  explicit Slowmdev(model::Core& core) : core_(core) {}
  model::Result<void> set_up(const backends::Values& given);
  model::Result<Place> at(std::string_view number);
  void keep(std::string_view number, Place place);
  template <typename T>
  model::Result<void> said(const char* what, const model::Result<T>& result);

  model::Result<void> add_device(std::string_view number);
  model::Result<void> delete_device(std::string_view number);
  model::Result<void> register_parent(std::string_view number);
  model::Result<void> unregister_parent(std::string_view number);
  model::Result<void> add_duplicate(std::string_view name);
  model::Result<void> register_twice(std::string_view number);
  model::Result<void> register_twins(std::string_view number);

  model::Core& core_;
  const std::shared_ptr<SlowParameters> parameters_ = std::make_shared<SlowParameters>();
  std::string device_name_;
  std::shared_ptr<model::Module> module_;
  std::shared_ptr<model::DeviceClass> class_;
  std::shared_ptr<model::Driver> driver_;
  std::mutex lock_;  // a leaf: never held over a call of the core's
  std::vector<Place> places_;
};

}  // namespace mdevfs::conformance
