// SPDX-License-Identifier: Apache-2.0
//
// mdpy, the kernel's sample of a framebuffer (samples/vfio-mdev/mdpy.c): `count` devices (4) of any type. The
// core counts them, so a full parent answers EUSERS and nothing is seen of it outside; where it does not,
// ENOMEM.
#include "mdpy.h"

#include <fmt/format.h>

#include <array>

#include "../sample.h"

namespace mdevfs::backends {
namespace {

struct Resolution {
  const char* name;
  unsigned width;
  unsigned height;
};

constexpr std::array kResolutions = {
    Resolution{"vga", 640, 480},
    Resolution{"xga", 1024, 768},
    Resolution{"hd", 1920, 1080},
};

model::Result<std::string> show_resolution(model::Device& device) {
  const Resolution& resolution = kResolutions[device.type->number];
  return fmt::format("{}x{}\n", resolution.width, resolution.height);
}

model::DriverInfo driver_info(int count) {
  return {.name = "mdpy",
          .device_api = "vfio-pci",
          .uses_vfio = true,
          .max_instances = static_cast<unsigned>(count),
          .full_errno = ENOMEM,
          .waits = false,
          .groups = {{"vendor", {{.name = "resolution", .show = show_resolution}}}}};
}

// Thread-safety: as Driver.
class Mdpy final : public model::Driver {
 public:
  Mdpy(model::Core& owner, std::shared_ptr<model::Module> owner_module, int count)
      : Driver(owner, std::move(owner_module), driver_info(count)) {}

  model::Result<void> probe(model::Device& device) override {
    const Resolution& resolution = kResolutions[device.type->number];
    device.print(model::Level::info, fmt::format("mdpy_{}: mdpy-{} ({}x{})", core.age().sample_function,
                                                 resolution.name, resolution.width, resolution.height));
    return {};
  }
  void begin_remove(model::Device& device) noexcept override {
    device.print(model::Level::info, "mdpy_remove");
  }
  void remove(model::Device&) noexcept override {}

  std::optional<std::string> show_description(const model::Type& type) override {
    const Resolution& resolution = kResolutions[type.number];
    return fmt::format("virtual display, {}x{} framebuffer", resolution.width, resolution.height);
  }
};

constexpr Key kKeys[] = {{"count", "4", "devices in all; -1 is 4294967295, as in the kernel", check_int}};

model::Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const auto count = int_value(core, "mdpy", settings, kKeys[0]);
  if (!count) return std::unexpected(count.error());
  std::vector<model::TypeInfo> types;
  for (const Resolution& resolution : kResolutions) {
    types.push_back({resolution.name, fmt::format("mdpy-{}", resolution.name)});
  }
  return load_sample<Mdpy>(core, {.name = "mdpy", .parameters = {{"count", fmt::format("{}\n", *count)}}},
                           {"mdpy_dev_init: major {}"}, std::move(types), *count);
}

}  // namespace

Backend mdpy() {
  return {.name = "mdpy",
          .summary = "framebuffers: 4 devices of any of three sizes (the kernel's sample)",
          .keys = kKeys,
          .groups = {},
          .complete = true,
          .by_default = true,
          .load = load};
}

}  // namespace mdevfs::backends
