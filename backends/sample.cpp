// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <climits>

namespace mdevfs::backends {

model::Result<std::string> check_int(std::string_view text) {
  return check_number<INT_MIN, INT_MAX>(text);
}

model::Result<int> int_value(const Settings& settings, const Key& key) {
  const auto value = parse_number(text_of(settings.values, key, settings.name), INT_MIN, INT_MAX);
  if (!value) return std::unexpected(value.error());
  return static_cast<int>(*value);
}

}  // namespace mdevfs::backends
