// SPDX-License-Identifier: Apache-2.0
#include "backends.h"

#include <algorithm>
#include <array>

#include "mbochs/mbochs.h"
#include "mdpy/mdpy.h"
#include "mtty/mtty.h"
#include "sim/sim.h"

namespace mdevfs::backends {

std::span<const Backend> all() {
  static const std::array backends = {mtty(), mdpy(), mbochs(), sim()};
  return backends;
}

const Backend* find(std::string_view name) {
  const auto known = all();
  const auto at = std::ranges::find(known, name, &Backend::name);
  return at == known.end() ? nullptr : &*at;
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

}  // namespace mdevfs::backends
