// SPDX-License-Identifier: Apache-2.0
#include "writes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "test/wire/slow_driver.h"

namespace mdevfs::test {
namespace {

constexpr long kRound = 2 * Writes::kMost;

void write_to(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY);
  if (file < 0 || write(file, text.data(), text.size()) < 0) std::abort();
  close(file);
}

// Which devices are there after so many writes.
struct Devices {
  long first;
  long last;
};
Devices devices_after(long writes) {
  const long phase = writes % kRound;
  return phase <= Writes::kMost ? Devices{1, phase} : Devices{phase - Writes::kMost + 1, Writes::kMost};
}

template <typename Holds>
bool any(long first, long last, Holds holds) {
  for (long writes = first; writes <= std::min(last, first + kRound); ++writes) {
    if (holds(devices_after(writes))) return true;
  }
  return false;
}

}  // namespace

void Writes::go_on() {
  const long phase = done_ % kRound;
  begun_ = done_ + 1;
  if (phase < kMost) {
    write_to(mount_ + kMdpyType + "/create", uuid_of(static_cast<unsigned>(phase + 1)));
  } else {
    write_to(mount_ + kMdpy + "/" + uuid_of(static_cast<unsigned>(phase + 1 - kMost)) + "/remove", "1");
  }
  done_ = begun_.load();
}

bool Writes::count_may_be(long count, long first, long last) const {
  return any(first, last, [&](Devices there) { return places_ - (there.last - there.first + 1) == count; });
}

bool Writes::may_be_listed(long device, bool listed, long first, long last) {
  return any(first, last,
             [&](Devices there) { return (there.first <= device && device <= there.last) == listed; });
}

}  // namespace mdevfs::test
