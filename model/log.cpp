// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include <fmt/format.h>

namespace mdevfs::model {
namespace {

// printk's console and /dev/kmsg show what cannot be printed as \xHH.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\\') {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void Log::print(Level level, std::string line) {
  line = printable(line);
  const Lock lock(lock_);
  lines_.push_back(fmt::format("<{}> {}", static_cast<int>(level), line));
  if (lines_.size() > kKept) lines_.pop_front();
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
