// SPDX-License-Identifier: Apache-2.0
#include "bed.h"

#include <fmt/format.h>

#include <cstdlib>

namespace mdevfs::bench {
namespace {

using model::Device;
using model::Slot;

model::DriverInfo driver_info(bool vfio) {
  return {.name = "bed",
          .device_api = "vfio-pci",
          .uses_vfio = vfio,
          .max_instances = 1U << 30U,
          .waits = false,
          .groups = {{"vendor", {{.name = "resolution"}}}}};
}

// What write(2) does, between an open and its close.
model::Result<void> store(model::Object& object, Slot slot, std::string_view text) {
  const model::Entry& entry = object.entry(slot);
  model::Gate& gate = object.gate(entry.part);
  if (!gate.try_enter()) return model::fail(ENODEV);
  auto result = entry.store(object, slot, text);
  gate.leave();
  return result;
}

void must(const model::Result<void>& result) {
  if (result) return;
  fmt::print(stderr, "the model refused: errno {}\n", result.error().value);
  std::abort();
}

}  // namespace

// Thread-safety: as Driver; `last` is for one thread.
class BedDriver final : public model::Driver {
 public:
  BedDriver(model::Core& owner, std::shared_ptr<model::Module> owner_module, bool vfio)
      : Driver(owner, std::move(owner_module), driver_info(vfio)) {}
  model::Result<void> probe(Device& device) override {
    last = &device;
    return {};
  }
  void remove(Device&) noexcept override {}

  Device* last = nullptr;
};

std::string unique_uuid_text() {
  static std::mt19937_64 random{1};
  const std::uint64_t high = random();
  const std::uint64_t low = random();
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, high >> 16U & 0xffffU,
                     high & 0xffffU, low >> 48U, low & 0xffffffffffffU);
}

Bed::Bed(bool vfio, std::size_t live) : any_(0, live == 0 ? 0 : live - 1) {
  core_.tree().set_watcher(&listener_);
  const auto module = *core_.load_module({.name = "bed"});
  driver_ = core_.make<BedDriver>(module, vfio);
  core_.add_driver(driver_).value();
  const auto device = *core_.add_parent_device(*module, core_.add_class(*module, "bed").value(), "bed");
  parent_ = *core_.register_parent(device, driver_, {{"1", ""}});
  live_.reserve(live);
  while (live_.size() < live) live_.push_back(create(unique_uuid_text()));
}

Bed::~Bed() {
  live_.clear();
}

std::shared_ptr<Device> Bed::create(const std::string& text) {
  must(store(*parent_->types[0], Slot::type_create, text));
  return std::static_pointer_cast<Device>(driver_->last->shared_from_this());
}

void Bed::remove(Device& device) {
  must(store(device, Slot::device_remove, "1\n"));
}

void Bed::replace_any() {
  auto& place = live_[any_(random_)];
  const auto text = place->name();
  remove(*place);
  place = create(text);
}

void Bed::mark_all_seen(Device& device) {
  const model::SharedLock lock(model::kernfs_rwsem);
  for (auto slot = Slot::device_directory; slot < Slot::end; slot = slot + 1)
    device.mark_seen(model::Schema::get().at(slot));
}

model::HeldNode Bed::parent_directory() {
  return tree().resolve(model::inode_of(parent_->device->id, Slot::host_device_directory));
}

}  // namespace mdevfs::bench
