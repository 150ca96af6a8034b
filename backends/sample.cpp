// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <charconv>

namespace mdevfs::backends {

model::Result<int> int_parameter(const Parameters& parameters, const std::string& name, int otherwise) {
  const auto given = parameters.find(name);
  if (given == parameters.end()) return otherwise;
  const std::string& text = given->second;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return model::fail(EINVAL);
  return value;
}

}  // namespace mdevfs::backends
