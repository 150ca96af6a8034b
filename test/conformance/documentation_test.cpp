// SPDX-License-Identifier: Apache-2.0
//
// The documentation's list of exceptions is the list that the comparison uses, and the table of rules is
// complete.
#include <fstream>
#include <sstream>

#include "catch.h"
#include "exceptions.h"
#include "transcript.h"

using namespace mdevfs::conformance;

namespace {

std::string content(const char* path) {
  std::ifstream file(path);
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find(begin);
  const auto to = text.find(end);
  REQUIRE(from != std::string::npos);
  REQUIRE(to != std::string::npos);
  return text.substr(from + begin.size(), to - from - begin.size());
}

}  // namespace

TEST_CASE("the documentation lists the exceptions; `scenario exceptions` prints them") {
  const auto exceptions = parse_exceptions(content(MDEVFS_EXCEPTIONS));
  REQUIRE(exceptions.has_value());
  const auto listed =
      between(content(MDEVFS_DOCUMENTATION), "<!-- exceptions -->\n", "<!-- end of exceptions -->");
  CHECK(listed == as_markdown(*exceptions));
}

TEST_CASE("the documentation gives the reason of every rule") {
  const auto documentation = content(MDEVFS_DOCUMENTATION);
  for (const auto& rule : rules()) CHECK_THAT(documentation, mdevfs::test::has_text(rule.reason));
}
