// SPDX-License-Identifier: Apache-2.0
#include "slow_driver.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <unordered_map>

#include "model/members.h"

namespace mdevfs::test {
namespace {

SlowDriver& driver_of(model::Device& device) {
  return static_cast<SlowDriver&>(device.driver());
}

model::Result<std::string> show_number(model::Device& device) {
  SlowDriver& driver = driver_of(device);
  const unsigned number = ++driver.shown;
  driver.shows.pass();
  return fmt::format("{}\n", number);
}

model::Result<void> store_number(model::Device& device, std::string_view) {
  driver_of(device).shows.pass();
  return {};
}

}  // namespace

SlowDriver::SlowDriver(model::Core& owner, std::shared_ptr<model::Module> owner_module, std::string name,
                       unsigned max_instances)
    : Driver(owner, std::move(owner_module),
             {.name = std::move(name),
              .device_api = "slow",
              .uses_vfio = false,
              .max_instances = max_instances,
              .groups = {{"vendor",
                          {{.name = "number", .mode = 0644, .show = show_number, .store = store_number}}}}}) {
}

model::Result<void> SlowDriver::probe(model::Device&) {
  probes.pass();
  if (probe_throws) throw std::runtime_error("probe");
  if (const int error = probe_error; error != 0) return model::fail(error);
  return {};
}

void SlowDriver::begin_remove(model::Device&) noexcept {
  begins.pass();
}

void SlowDriver::remove(model::Device&) noexcept {
  removes.pass();
}

std::optional<unsigned> SlowDriver::get_available(const model::Type&) {
  const int seen = count;
  counts.pass();
  if (count_throws) throw std::runtime_error("count");
  return seen < 0 ? std::nullopt : std::optional<unsigned>(static_cast<unsigned>(seen));
}

SlowParent load_slow(model::Core& core, unsigned max_instances, const std::string& name) {
  const auto module = core.load_module({.name = name}).value();
  const auto driver = core.make<SlowDriver>(module, name, max_instances);
  core.add_driver(driver).value();
  const auto device = core.add_parent_device(*module, core.add_class(*module, name).value(), name).value();
  return {driver, device, core.register_parent(device, driver, {{"a", "Slow A"}}).value()};
}

std::string uuid_of(unsigned number) {
  return fmt::format("{:08x}-0000-4000-8000-{:012x}", number, number);
}

std::pair<unsigned, unsigned> colliding() {
  std::unordered_map<std::uint32_t, unsigned> seen;
  for (unsigned n = 0;; ++n) {
    const auto [at, fresh] = seen.try_emplace(model::name_hash(uuid_of(n)), n);
    if (!fresh) return {at->second, n};
  }
}

}  // namespace mdevfs::test
