// SPDX-License-Identifier: Apache-2.0
//
// How the scenario language writes text: escapes in what is written, quotes in what was read, errno by
// name, variables, made-up UUIDs. Pure functions, so that the self-tests can pin the recorded format.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace mdevfs::conformance {

// `\n \t \r \0 \s \xHH \\` and `@4096*0` (4096 times `0`, which may itself be an escape).
std::string unescape(std::string_view text);

// What was read, as transcripts show it: "Slow A\n", "trusted.a\x00".
std::string quote(std::string_view bytes);

// "ENOENT", or "errno512" for a number that libc has no name for.
std::string errno_name(int error);

// The nth UUID that `$Un` stands for.
std::string made_up_uuid(std::uint64_t n);

// Not thread-safe: belongs to the thread that reads the scenario.
class Variables {
 public:
  void set(std::string name, std::string value);
  // Replaces `$NAME`, `${NAME}` and `$U12`; an unknown name stays as it is, for the shell's own variables.
  std::string expand(std::string_view text) const;

 private:
  const std::string* find(std::string_view name) const;

  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace mdevfs::conformance
