// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <set>

#include "catch.h"
#include "model/hash_buckets.h"
#include "model/members.h"
#include "model/number_pool.h"

using namespace mdevfs::model;

namespace {

struct Hashed {
  std::uint32_t hash = 0;
  auto operator<=>(const Hashed&) const = default;
};

}  // namespace

TEST_CASE("hash buckets hold what a std::set holds, whatever comes and goes") {
  std::mt19937 random(7);  // NOLINT: the same every time
  // Spread over all hashes, and all of them in one bucket.
  const auto spread = GENERATE(700'000U, 1U);
  HashBuckets<Hashed> buckets;
  std::set<Hashed> set;
  const auto check_walk = [&](Hashed from) {
    std::vector<Hashed> walked;
    buckets.walk(from, [&](const Hashed& value) {
      walked.push_back(value);
      return true;
    });
    CHECK(walked == std::vector<Hashed>(set.lower_bound(from), set.end()));
  };
  const auto check_find = [&](Hashed value) {
    unsigned found = 0;
    buckets.find(value.hash, [&](const Hashed&) { return ++found != 0; });
    CHECK(found == set.count(value));
  };
  for (int i = 0; i < 40000; ++i) {
    const Hashed value{static_cast<std::uint32_t>(random() % 3000) * spread};
    // More come than go, then more go than come, and again.
    if (random() % 8 < (i / 5000 % 2 == 0 ? 6 : 2)) {
      if (set.insert(value).second) buckets.insert(value);
    } else {
      CHECK(buckets.erase(value) == (set.erase(value) == 1));
    }
    REQUIRE(buckets.size() == set.size());
    if (i % 7 == 0) check_find({static_cast<std::uint32_t>(random() % 3000) * spread});
    if (i % 61 == 0) check_walk({static_cast<std::uint32_t>(random() % 3001) * spread});
  }
  // At each step of the way back, and forth again.
  const auto middle = *std::next(set.begin(), static_cast<std::ptrdiff_t>(set.size() / 2));
  const std::vector<Hashed> all(set.begin(), set.end());
  for (const Hashed& value : all) {
    CHECK(buckets.erase(value));
    set.erase(value);
    check_walk(middle);
  }
  CHECK(buckets.empty());
  for (std::size_t i = 0; i < 300; ++i) {
    buckets.insert(all[i]);
    set.insert(all[i]);
    check_walk(all[i / 2]);
  }
  for (const Hashed& value : set) CHECK(buckets.erase(value));
  CHECK(buckets.empty());
}

namespace {

// Counts how often one is moved or copied.
struct Counted {
  std::uint32_t hash = 0;
  static inline unsigned moves = 0;

  Counted(std::uint32_t its_hash) : hash(its_hash) {}
  Counted(const Counted& other) : hash(other.hash) { ++moves; }
  Counted& operator=(const Counted& other) {
    hash = other.hash;
    ++moves;
    return *this;
  }
  auto operator<=>(const Counted&) const = default;
};

}  // namespace

TEST_CASE("however many items there are, none that comes or goes moves many") {
  constexpr std::uint32_t kItems = 200'000;
  HashBuckets<Counted> buckets;
  unsigned most = 0;
  const auto count = [&](auto change) {
    Counted::moves = 0;
    change();
    most = std::max(most, Counted::moves);
  };
  std::mt19937 random(7);  // NOLINT: the same every time
  std::vector<std::uint32_t> hashes(kItems);
  for (auto& hash : hashes) hash = static_cast<std::uint32_t>(random() & 0x7fffffffU);
  for (const auto hash : hashes) count([&] { buckets.insert(hash); });
  for (const auto hash : hashes) count([&] { REQUIRE(buckets.erase(hash)); });
  CHECK(buckets.empty());
  CHECK(most < 1000);
}

TEST_CASE("a walk ends where its visitor says") {
  HashBuckets<Hashed> buckets;
  for (std::uint32_t i = 0; i < 1000; ++i) buckets.insert({i << 20U});
  int visited = 0;
  buckets.walk({100U << 20U}, [&](const Hashed&) { return ++visited < 600; });
  CHECK(visited == 600);
}

TEST_CASE("names hash as on the kernel") {
  // d_off values of a recorded listing: an entry's is the hash of the next one's name.
  CHECK(name_hash("00000000-0000-4000-8000-000000000003") == 810462191);
  CHECK(name_hash("00000000-0000-4000-8000-000000000004") == 1781202024);
  CHECK(name_hash("00000000-0000-4000-8000-000000000002") == 1987206007);
}

TEST_CASE("numbers are given out lowest free first") {
  NumberPool pool;
  CHECK(pool.take() == 0);
  CHECK(pool.take() == 1);
  CHECK(pool.take() == 2);
  pool.give_back(1);
  pool.give_back(0);
  CHECK(pool.take() == 0);
  CHECK(pool.take() == 1);
  CHECK(pool.take() == 3);
}
