// SPDX-License-Identifier: Apache-2.0
#include "backends.h"

#include <algorithm>
#include <array>

#include "mbochs/mbochs.h"
#include "mdpy/mdpy.h"
#include "mtty/mtty.h"

namespace mdevfs::backends {
namespace {

constexpr std::array kBackends = {
    Backend{"mtty", "serial ports: 24 in all, one or two to a device (the kernel's sample)", load_mtty},
    Backend{"mdpy", "framebuffers: 4 devices of any of three sizes (the kernel's sample)", load_mdpy},
    Backend{"mbochs", "displays: 256 MB of video memory for all devices (the kernel's sample)", load_mbochs},
};

}  // namespace

std::span<const Backend> all() {
  return kBackends;
}

const Backend* find(std::string_view name) {
  const auto* const at = std::ranges::find(kBackends, name, &Backend::name);
  return at == kBackends.end() ? nullptr : at;
}

}  // namespace mdevfs::backends
