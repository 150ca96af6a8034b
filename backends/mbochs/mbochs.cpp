// SPDX-License-Identifier: Apache-2.0
//
// mbochs, the kernel's sample of a display with video memory (samples/vfio-mdev/mbochs.c): `count` MB (256)
// for all devices, of which a type takes its size. It counts them itself and refuses in probe.
#include "mbochs.h"

#include <fmt/format.h>

#include <array>

#include "../sample.h"

namespace mdevfs::backends {
namespace {

struct Size {
  const char* name;
  int megabytes;
};

constexpr std::array kSizes = {Size{"small", 4}, Size{"medium", 16}, Size{"large", 64}};

int megabytes_of(const model::Type& type) {
  return kSizes[type.number].megabytes;
}

model::Result<std::string> show_memory(model::Device& device) {
  return fmt::format("{} MB\n", megabytes_of(*device.type));
}

model::DriverInfo driver_info() {
  return {.name = "mbochs",
          .device_api = "vfio-pci",
          .uses_vfio = true,
          .counts_itself = true,
          .waits = false,
          .groups = {{"vendor", {{.name = "memory", .show = show_memory}}}}};
}

// Thread-safety: as Driver.
class Mbochs final : public model::Driver {
 public:
  Mbochs(model::Core& owner, std::shared_ptr<model::Module> owner_module, int megabytes)
      : Driver(owner, std::move(owner_module), driver_info()), free_(megabytes) {}

  model::Result<void> probe(model::Device& device) override {
    const model::Lock lock(lock_);
    const int wanted = megabytes_of(*device.type);
    if (free_ < wanted) return model::fail(core.age().mbochs_full_errno);
    free_ -= wanted;
    constexpr int kPagesInMegabyte = 256;
    device.print(model::Level::info,
                 fmt::format("mbochs_{}: mbochs-{}, {} MB, {} pages", core.age().sample_function,
                             kSizes[device.type->number].name, wanted, wanted * kPagesInMegabyte));
    return {};
  }

  void remove(model::Device& device) noexcept override {
    const model::Lock lock(lock_);
    free_ += megabytes_of(*device.type);
  }

  std::optional<unsigned> get_available(const model::Type& type) override {
    const model::Lock lock(lock_);
    return static_cast<unsigned>(free_ / megabytes_of(type));
  }

  std::optional<std::string> show_description(const model::Type& type) override {
    return fmt::format("virtual display, {} MB video memory", megabytes_of(type));
  }

 private:
  model::Mutex lock_{model::Rank::backend};
  int free_ GUARDED_BY(lock_);
};

constexpr Key kKeys[] = {{"count", "256", "megabytes of video memory in all", check_int}};

model::Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const auto count = int_value(core, "mbochs", settings, kKeys[0]);
  if (!count) return std::unexpected(count.error());
  std::vector<model::TypeInfo> types;
  for (const Size& size : kSizes) types.push_back({size.name, fmt::format("mbochs-{}", size.name)});
  return load_sample<Mbochs>(core,
                             {.name = "mbochs",
                              .coresize = 28672,
                              .parameters = {{"count", fmt::format("{}\n", *count)}},
                              .import_ns = "DMA_BUF"},
                             {"mbochs_dev_init: major {}"}, std::move(types), *count);
}

}  // namespace

Backend mbochs() {
  return {.name = "mbochs",
          .summary = "displays: 256 MB of video memory for all devices (the kernel's sample)",
          .keys = kKeys,
          .groups = {},
          .complete = true,
          .by_default = true,
          .load = load};
}

}  // namespace mdevfs::backends
