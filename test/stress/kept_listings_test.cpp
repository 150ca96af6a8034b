// SPDX-License-Identifier: Apache-2.0
//
// Listings with `-o cached` on a real mount, by readers of all manners while creates and removes go on.
// Nobody misses a device that was there when he began and when he was done, or sees one that was neither:
// whatever the kernel has put together from what several readers were told.
#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "churn.h"
#include "test/wire/mounted_daemon.h"
#include "test/wire/slow_driver.h"
#include "writes.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

struct Listed {
  std::multiset<std::string> names;
  bool to_the_end = true;
};

enum class Extent { whole, begun };

Listed list(int directory, std::size_t size, Extent extent) {
  Listed listed;
  alignas(dirent64) std::array<char, 32768> buffer{};
  while (true) {
    const auto got = syscall(SYS_getdents64, directory, buffer.data(), std::min(size, buffer.size()));
    if (got <= 0) return listed;
    for (long at = 0; at < got;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      listed.names.insert(entry->d_name);
      at += entry->d_reclen;
    }
    if (extent == Extent::begun) {
      listed.to_the_end = false;
      return listed;
    }
  }
}

template <std::size_t kSize, Extent kExtent>
Listed list_anew(int, const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY);
  auto listed = list(directory, kSize, kExtent);
  close(directory);
  return listed;
}
template <std::size_t kSize>
Listed list_rewound(int kept, const std::string&) {
  lseek(kept, 0, SEEK_SET);
  return list(kept, kSize, Extent::whole);
}

struct Manner {
  const char* name;
  Listed (*list)(int kept, const std::string& path);
};
const std::array<Manner, 5> kManners = {{{"opened, in one", list_anew<32768, Extent::whole>},
                                         {"opened, in small parts", list_anew<512, Extent::whole>},
                                         {"opened, and left off", list_anew<512, Extent::begun>},
                                         {"kept open and rewound", list_rewound<32768>},
                                         {"kept open and rewound, in parts", list_rewound<512>}}};

struct Seen {
  std::atomic<unsigned long> listings{0};
  std::atomic<unsigned long> wrong{0};
};

constexpr long kPlaces = 1000;
// Numbers beside those of Writes, of devices that stay.
constexpr unsigned kFirstStaying = 100;

bool is_right(const Listed& listed, unsigned staying, long first, long last) {
  for (long device = 1; device <= Writes::kMost; ++device) {
    const auto times = listed.names.count(uuid_of(static_cast<unsigned>(device)));
    const bool may_be = times < 2 && Writes::may_be_listed(device, times == 1, first, last);
    if (!may_be && (times != 0 || listed.to_the_end)) return false;
  }
  for (unsigned device = kFirstStaying; device < kFirstStaying + staying; ++device) {
    const auto times = listed.names.count(uuid_of(device));
    if (times > 1 || (times == 0 && listed.to_the_end)) return false;
  }
  return true;
}

void list_all_along(const Writes& writes, const Manner& manner, const std::string& path, unsigned staying,
                    const std::atomic<bool>& ending, Seen& seen) {
  const int kept = open(path.c_str(), O_RDONLY | O_DIRECTORY);
  while (!ending) {
    const long first = writes.done();
    const auto listed = manner.list(kept, path);
    const long last = writes.begun();
    ++seen.listings;
    if (!is_right(listed, staying, first, last)) ++seen.wrong;
  }
  close(kept);
}

void churn_on(const std::string& mount, const std::string& directory, unsigned staying) {
  std::array<Seen, kManners.size()> seen;
  Writes writes(mount, kPlaces);
  std::atomic<bool> ending{false};
  {
    std::vector<std::jthread> readers;
    for (std::size_t i = 0; i < kManners.size(); ++i) {
      readers.emplace_back(
          [&, i] { list_all_along(writes, kManners[i], mount + directory, staying, ending, seen[i]); });
    }
    const auto end = std::chrono::steady_clock::now() + stress_time();
    while (std::chrono::steady_clock::now() < end) writes.go_on();
    ending = true;
  }
  CHECK(writes.done() > 0);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    INFO(directory << ": " << kManners[i].name << ", " << seen[i].listings << " listings, " << writes.done()
                   << " writes");
    CHECK(seen[i].listings > 0);
    CHECK(seen[i].wrong == 0);
  }
}

void churn(const std::string& directory, unsigned staying) {
  if (const auto why_not = MountedDaemon::impossible()) {
    WARN("skipped: " << *why_not);
    return;
  }
  const MountedDaemon daemon({.cached = true}, mdpy_with(kPlaces));
  MountDoor door(daemon.path());
  for (unsigned n = 0; n < staying; ++n) {
    REQUIRE(door.write(kMdpyType + "/create", uuid_of(kFirstStaying + n)) == 0);
  }
  churn_on(daemon.path(), directory, staying);
}

}  // namespace

TEST_CASE("mount: cached: nobody lists what was there before the last write") {
  churn("/bus/mdev/devices", 0);
  churn(kMdpyType + "/devices", 0);
}

// 300 names are five READDIRs.
TEST_CASE("mount: cached: nor where a listing takes several requests") {
  churn("/bus/mdev/devices", 300);
}
