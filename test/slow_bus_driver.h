// SPDX-License-Identifier: Apache-2.0
//
// A driver of a bus that takes every device, and whose probe and remove stand still until the test lets them
// go on.
#pragma once

#include <memory>

#include "model/core.h"
#include "turnstile.h"

namespace mdevfs::test {

// Thread-safety: as BusDriver.
class SlowBusDriver final : public model::BusDriver {
 public:
  SlowBusDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus)
      : BusDriver(owner, std::move(its_bus), nullptr, "slow") {}
  bool matches(const model::HostDevice&) const override { return true; }
  model::Result<void> probe(model::HostDevice&) override {
    probes.pass();
    return {};
  }
  void remove(model::HostDevice&) noexcept override { removes.pass(); }

  Turnstile probes;
  Turnstile removes;
};

}  // namespace mdevfs::test
