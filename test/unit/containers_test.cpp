// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <set>

#include "catch.h"
#include "model/members.h"
#include "model/number_pool.h"
#include "model/sorted_chunks.h"

using namespace mdevfs::model;

TEST_CASE("sorted chunks hold what a std::set holds, whatever comes and goes") {
  std::mt19937 random(7);  // NOLINT: the same every time
  SortedChunks<int> chunks;
  std::set<int> set;
  for (int i = 0; i < 20000; ++i) {
    const int value = static_cast<int>(random() % 3000);
    if (random() % 3 != 0) {
      if (set.insert(value).second) chunks.insert(value);
    } else {
      CHECK(chunks.erase(value) == (set.erase(value) == 1));
    }
  }
  REQUIRE(chunks.size() == set.size());
  for (const int from : {0, 1, 1500, 2999, 3000, *set.begin(), *set.rbegin()}) {
    std::vector<int> walked;
    chunks.walk(from, [&](int value) {
      walked.push_back(value);
      return true;
    });
    CHECK(walked == std::vector<int>(set.lower_bound(from), set.end()));
  }
  for (const int value : set) chunks.erase(value);
  CHECK(chunks.empty());
}

TEST_CASE("a walk ends where its visitor says") {
  SortedChunks<int> chunks;
  for (int i = 0; i < 1000; ++i) chunks.insert(i);
  int visited = 0;
  chunks.walk(100, [&](int) { return ++visited < 600; });
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
