// SPDX-License-Identifier: Apache-2.0
//
// What clients wait for: the same operations on mdevfs and on its peers (systems.h), taking turns in rounds
// (measure.h). Writes the figures as JSON; report.py makes tables of them and knows the goals. Ends with 77
// where nothing can be mounted.
//
//   mount_bench FILE [ROUNDS [PART...]]
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "machine.h"
#include "parts.h"

namespace mdevfs::bench {
namespace {

constexpr int kSkipped = 77;
constexpr int kDefaultRounds = 15;

// `chosen`: none are all.
Json measure_parts(int rounds, std::span<char*> chosen) {
  const Peers peers(counts_of_devices());
  Json rows = Json::array();
  for (const Part& part : parts()) {
    const bool wanted =
        chosen.empty() || std::ranges::find(chosen, std::string_view(part.name)) != chosen.end();
    if (!wanted) continue;
    fmt::print(stderr, "measuring: {}\n", part.name);
    for (const Row& row : part.measured(peers, rounds)) {
      rows.push_back(to_json(row));
      rows.back()["part"] = part.name;
    }
  }
  return {
      {"SPDX-License-Identifier", "Apache-2.0"}, {"machine", machine()}, {"rounds", rounds}, {"rows", rows}};
}

bool can_mount() {
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse >= 0) close(fuse);
  return fuse >= 0;
}

}  // namespace
}  // namespace mdevfs::bench

int main(int argc, char** argv) {
  using namespace mdevfs::bench;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : kDefaultRounds;
  if (argc < 2 || rounds < 1) {
    fmt::print(stderr, "usage: mount_bench FILE [ROUNDS [PART...]]\n");
    return 2;
  }
  if (!can_mount()) {
    fmt::print(stderr, "skipped: the mount's part: /dev/fuse cannot be opened here\n");
    return kSkipped;
  }
  try {
    const Json results = measure_parts(
        rounds,
        std::span(argv, static_cast<std::size_t>(argc)).subspan(static_cast<std::size_t>(std::min(argc, 3))));
    std::ofstream(argv[1]) << results.dump(1) << "\n";
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "mount_bench: {}\n", e.what());
    return 1;
  }
}
