// SPDX-License-Identifier: Apache-2.0
//
// Catch2 under both of its major versions: Debian 12 packages v2, newer releases v3.
#pragma once

#include <string>

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace mdevfs::test {

// A matcher.
inline auto has_text(const std::string& text) {
#if CATCH_VERSION_MAJOR >= 3
  return Catch::Matchers::ContainsSubstring(text);
#else
  return Catch::Matchers::Contains(text);
#endif
}

}  // namespace mdevfs::test
