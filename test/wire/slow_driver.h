// SPDX-License-Identifier: Apache-2.0
//
// A driver that does what a test tells it: its probe, remove and files can be held until they are let go, can
// fail with any errno, and can throw. It offers one type, `slow-a`, counted by the core.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "model/core.h"
#include "test/turnstile.h"

namespace mdevfs::test {

// Thread-safety: as Driver; the public members from any thread.
class SlowDriver final : public model::Driver {
 public:
  SlowDriver(model::Core& owner, std::shared_ptr<model::Module> owner_module, std::string name,
             unsigned max_instances);
  model::Result<void> probe(model::Device& device) override;
  void begin_remove(model::Device& device) noexcept override;
  void remove(model::Device& device) noexcept override;
  std::optional<unsigned> get_available(const model::Type& type) override;

  Turnstile probes;
  Turnstile begins;  // of removes
  Turnstile removes;
  Turnstile counts;                 // of available_instances
  Turnstile shows;                  // of the device's file `vendor/number`, and stores
  std::atomic<int> probe_error{0};  // what probe answers
  std::atomic<bool> probe_throws{false};
  std::atomic<bool> count_throws{false};  // available_instances
  std::atomic<int> count{-1};             // what that is when one begins to look; negative: the core counts
  std::atomic<unsigned> shown{0};         // how often `vendor/number` was rendered: its text is the number
};

struct SlowParent {
  std::shared_ptr<SlowDriver> driver;
  std::shared_ptr<model::HostDevice> device;
  std::shared_ptr<model::Parent> parent;
  model::Type& type() const { return *parent->types.front(); }
};

// Loads a module `name` with one parent of that name, of class `slow`.
SlowParent load_slow(model::Core& core, unsigned max_instances = 1000, const std::string& name = "slow");

// A UUID that is `number`, for a test to tell devices apart by.
std::string uuid_of(unsigned number);

// Two whose names hash alike, the one that is listed first being the first that is made.
std::pair<unsigned, unsigned> colliding();

// Where load_slow's parent is, and what it offers.
inline const std::string kSlow = "devices/virtual/slow/slow";
inline const std::string kSlowType = kSlow + "/mdev_supported_types/slow-a";
inline const std::string kSlowCreate = kSlowType + "/create";

}  // namespace mdevfs::test
