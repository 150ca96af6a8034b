// SPDX-License-Identifier: Apache-2.0
#include "writes.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "backends/backends.h"
#include "test/wire/slow_driver.h"

namespace mdevfs::test {
namespace {

constexpr long kRound = 2 * Writes::kMost;

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

MountedDaemon::Setup mdpy_with(long places) {
  return [places](model::Core& core) -> MountedDaemon::Handler {
    if (!backends::find("mdpy")->load(core, {"mdpy", {{"count", std::to_string(places)}}})) _exit(1);
    return [](char) {};
  };
}

void Writes::write(const std::string& path, const std::string& text) {
  if (door_.write(path, text) != 0) std::abort();
}

void Writes::go_on() {
  const long phase = done_ % kRound;
  begun_ = done_ + 1;
  if (phase < kMost) {
    write(kMdpyType + "/create", uuid_of(static_cast<unsigned>(phase + 1)));
  } else {
    write(kMdpy + "/" + uuid_of(static_cast<unsigned>(phase + 1 - kMost)) + "/remove", "1");
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
