// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fmt/format.h>

#include <algorithm>

namespace mdevfs::model {
namespace {

// printk's console and /dev/kmsg show what cannot be printed as \xHH.
bool is_printed(char c) {
  return c >= 0x20 && c < 0x7f && c != '\\';
}

std::string printable(std::string text) {
  if (std::ranges::all_of(text, is_printed)) return text;
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!is_printed(c)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void Log::print(Level level, std::string line) {
  line = printable(std::move(line));
  const Lock lock(lock_);
  // The oldest line's memory serves for the newest.
  std::string kept;
  if (lines_.size() >= kKept) {
    kept = std::move(lines_.front());
    lines_.pop_front();
  }
  kept = {'<', static_cast<char>('0' + static_cast<int>(level)), '>', ' '};
  lines_.push_back(std::move(kept.append(line)));
  if (sink_) sink_(level, line);
}

void Log::set_sink(Sink sink) {
  const Lock lock(lock_);
  sink_ = std::move(sink);
}

std::vector<std::string> Log::lines() const {
  const Lock lock(lock_);
  return {lines_.begin(), lines_.end()};
}

}  // namespace mdevfs::model
