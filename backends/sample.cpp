// SPDX-License-Identifier: Apache-2.0
#include "sample.h"

#include <fmt/format.h>

#include <charconv>

namespace mdevfs::backends {

model::Result<int> count_parameter(model::Core& core, const std::string& module, const Parameters& parameters,
                                   int otherwise) {
  const auto given = parameters.find("count");
  if (given == parameters.end()) return otherwise;
  const std::string& text = given->second;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size()) return value;
  core.look_at_module(module);
  core.log().print(model::Level::error, fmt::format("{}: `{}' invalid for parameter `count'", module, text));
  return model::fail(EINVAL);
}

void greet(model::Core& core, model::Module& module, const Greeting& greeting) {
  const unsigned major = core.take_char_major(module);
  for (const char* line : greeting)
    core.log().print(model::Level::info, fmt::format(fmt::runtime(line), major));
}

}  // namespace mdevfs::backends
