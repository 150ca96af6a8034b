// SPDX-License-Identifier: Apache-2.0
//
// Texts as TOML writes them, so that config's reader has the same text again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mdevfs::capture {

// As a value in quotes, in one line. Nothing: it is no UTF-8 or has a NUL, which no machine file can carry.
std::optional<std::string> in_quotes(std::string_view text);
// The same, with its lines as lines where it has several.
std::optional<std::string> in_lines(std::string_view text);
// As a name before a `=` or in `[ ]`. Nothing: as above.
std::optional<std::string> as_key(std::string_view name);
// A comment of one line, whatever the text has.
std::string as_comment(std::string_view text);

}  // namespace mdevfs::capture
