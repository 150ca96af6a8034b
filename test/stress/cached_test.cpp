// SPDX-License-Identifier: Apache-2.0
//
// `-o cached` on a real mount: readers of all manners while creates and removes go on. No reader sees a count
// that is older than the last write that had returned when it began, or newer than the last that had begun
// when it was done.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"
#include "churn.h"
#include "test/wire/mounted_daemon.h"
#include "writes.h"

using namespace mdevfs;
using namespace mdevfs::test;

namespace {

std::string read_some(int file, std::size_t size, off_t offset) {
  std::array<char, 256> text{};
  const ssize_t got = pread(file, text.data(), std::min(size, text.size()), offset);
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}
std::string read_in_parts(int file, std::size_t size) {
  std::string text;
  while (true) {
    const auto part = read_some(file, size, static_cast<off_t>(text.size()));
    if (part.empty()) return text;
    text += part;
  }
}
template <std::size_t kSize, bool kToEnd>
std::string read_kept(int file, const std::string&) {
  return kToEnd ? read_in_parts(file, kSize) : read_some(file, kSize, 0);
}
template <std::size_t kSize, bool kToEnd>
std::string read_anew(int, const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  auto text = read_kept<kSize, kToEnd>(file, path);
  close(file);
  return text;
}

// In how many reads a text comes that is as long as before.
enum class Parts { one, one_and_end, many };

struct Manner {
  const char* name;
  std::string (*read)(int kept, const std::string& path);
  Parts parts;
};
const std::array<Manner, 5> kManners = {
    {{"opened, read once", read_anew<256, false>, Parts::one},
     {"opened, read to its end", read_anew<256, true>, Parts::one_and_end},
     {"opened, read byte by byte", read_anew<1, true>, Parts::many},
     {"kept open, read once", read_kept<256, false>, Parts::one},
     {"kept open, read to its end", read_kept<256, true>, Parts::one_and_end}}};

struct Seen {
  std::atomic<unsigned long> reads{0};
  std::atomic<unsigned long> wrong_counts{0};
  std::atomic<unsigned long> wrong_texts{0};
};

void read_all_along(const Writes& writes, const Manner& manner, const std::string& path,
                    const std::atomic<bool>& ending, Seen& seen) {
  const int kept = open(path.c_str(), O_RDONLY);
  while (!ending) {
    const long first = writes.done();
    const auto text = manner.read(kept, path);
    const long last = writes.begun();
    const long count = std::strtol(text.c_str(), nullptr, 10);
    ++seen.reads;
    if (!writes.count_may_be(count, first, last)) ++seen.wrong_counts;
    if (text != std::to_string(count) + "\n") ++seen.wrong_texts;
  }
  close(kept);
}

using AllSeen = std::array<Seen, kManners.size()>;

void churn_on(const std::string& mount, long places, AllSeen& seen) {
  Writes writes(mount, places);
  std::atomic<bool> ending{false};
  std::vector<std::jthread> readers;
  for (std::size_t i = 0; i < kManners.size(); ++i) {
    readers.emplace_back([&, i] {
      read_all_along(writes, kManners[i], mount + kMdpyType + "/available_instances", ending, seen[i]);
    });
  }
  const auto end = std::chrono::steady_clock::now() + stress_time();
  while (std::chrono::steady_clock::now() < end) writes.go_on();
  ending = true;
}

// False: there can be no mount here.
bool churn(long places, AllSeen& seen) {
  if (const auto why_not = MountedDaemon::impossible()) {
    WARN("skipped: " << *why_not);
    return false;
  }
  const MountedDaemon daemon({.cached = true}, mdpy_with(places));
  churn_on(daemon.path(), places, seen);
  return true;
}

}  // namespace

TEST_CASE("mount: cached: nobody reads a count older than the last write") {
  AllSeen seen;
  if (!churn(50, seen)) return;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    INFO(kManners[i].name << ", " << seen[i].reads << " reads");
    CHECK(seen[i].reads > 0);
    if (kManners[i].parts != Parts::many) CHECK(seen[i].wrong_counts == 0);
    CHECK(seen[i].wrong_texts * 100 <= (kManners[i].parts == Parts::many ? seen[i].reads.load() : 0));
  }
}

// A text in parts may be of two moments, and one that has become longer may lack its end (mdevfs(1)).
TEST_CASE("mount: cached: nor one that is longer or shorter") {
  AllSeen seen;
  if (!churn(101, seen)) return;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    INFO(kManners[i].name << ", " << seen[i].reads << " reads");
    CHECK(seen[i].reads > 0);
    if (kManners[i].parts == Parts::one) CHECK(seen[i].wrong_counts == 0);
    CHECK(seen[i].wrong_texts * 100 <= seen[i].reads);
  }
}
