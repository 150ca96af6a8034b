// SPDX-License-Identifier: Apache-2.0
#include "backends.h"

#include <algorithm>

#include "i915/i915.h"
#include "mbochs/mbochs.h"
#include "mdpy/mdpy.h"
#include "model/core.h"
#include "mtty/mtty.h"
#include "nvidia/nvidia.h"
#include "sim/sim.h"
#include "vfio_ap/vfio_ap.h"
#include "vfio_ccw/vfio_ccw.h"

namespace mdevfs::backends {
namespace {

std::deque<Backend>& known_backends() {
  static std::deque<Backend> backends = {mtty(), mdpy(),   mbochs(),  sim(),
                                         i915(), nvidia(), vfio_ap(), vfio_ccw()};
  return backends;
}

}  // namespace

const std::deque<Backend>& all() {
  return known_backends();
}

const Backend* find(std::string_view name) {
  const auto& known = all();
  const auto at = std::ranges::find(known, name, &Backend::name);
  return at == known.end() ? nullptr : &*at;
}

const Backend& add(Backend backend) {
  return known_backends().emplace_back(backend);
}

// A module whose parents come and go with it.
model::Result<void> Loaded::add_parent(const std::string&, const Values&) {
  return model::fail(EPERM);
}
model::Result<void> Loaded::register_parent(const std::string&, const Values&) {
  return model::fail(EPERM);
}
model::Result<void> Loaded::unregister_parent(const std::string&) {
  return model::fail(EPERM);
}
model::Result<void> Loaded::remove_parent(const std::string&) {
  return model::fail(EPERM);
}
bool Loaded::has_parent(const std::string&) {
  return false;
}
bool Loaded::is_registered(const std::string&) {
  return false;
}
void Loaded::unload(model::Core& core) {
  core.unload_module(*module);
}

}  // namespace mdevfs::backends
