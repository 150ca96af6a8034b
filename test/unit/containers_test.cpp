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
  for (int i = 0; i < 20000; ++i) {
    const Hashed value{static_cast<std::uint32_t>(random() % 3000) * spread};
    if (random() % 3 != 0) {
      if (set.insert(value).second) buckets.insert(value);
    } else {
      CHECK(buckets.erase(value) == (set.erase(value) == 1));
    }
  }
  REQUIRE(buckets.size() == set.size());
  for (const Hashed from :
       {Hashed{0}, Hashed{1500 * spread}, Hashed{3000 * spread}, *set.begin(), *set.rbegin()}) {
    std::vector<Hashed> walked;
    buckets.walk(from, [&](const Hashed& value) {
      walked.push_back(value);
      return true;
    });
    CHECK(walked == std::vector<Hashed>(set.lower_bound(from), set.end()));
  }
  for (const Hashed& value : set) CHECK(buckets.erase(value));
  CHECK(buckets.empty());
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
