// SPDX-License-Identifier: Apache-2.0
//
// One source for all plugins that must be refused: each is this with one of these definitions.
#include <stdexcept>

#include "backends/plugin_api.h"

using namespace mdevfs;
using backends::Backend;
using backends::Plugin;

model::Result<std::shared_ptr<backends::Loaded>> load(model::Core& core, const backends::Settings&);

#if defined(UNDEFINED)
int not_there();
#endif

model::Result<std::shared_ptr<backends::Loaded>> load(model::Core&, const backends::Settings&) {
#if defined(UNDEFINED)
  return model::fail(not_there());
#else
  return model::fail(ENOSYS);
#endif
}

[[maybe_unused]] constexpr backends::Key kUnchecked[] = {
    {"count", "1", "a key without a check", {.take = nullptr, .expected = nullptr}}};

Backend broken();
Backend broken() {
  Backend backend{.name = "broken", .summary = "", .keys = {}, .groups = {}, .load = load};
#if defined(THROWING)
  throw std::runtime_error("there is no card");
#elif defined(TAKEN_NAME)
  backend.name = "mtty";
#elif defined(BAD_NAME)
  backend.name = "a/b";
#elif defined(BAD_KEY)
  backend.keys = kUnchecked;
#endif
  return backend;
}

#if defined(WRONG_VERSION)
const Plugin mdevfs_plugin = {.version = backends::kPluginVersion + 2, .backend = broken};
#elif defined(OTHER_LAYOUT)
const Plugin mdevfs_plugin = {.layout = 1, .backend = broken};
#elif defined(NO_BACKEND)
MDEVFS_PLUGIN(nullptr);
#elif !defined(NO_SYMBOL)
MDEVFS_PLUGIN(broken);
#endif
