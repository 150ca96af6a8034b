// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace mdevfs::bench {
namespace {

std::string processor_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// Its version alone: what follows is who built it.
std::string kernel_version() {
  utsname name{};
  uname(&name);
  const std::string release = name.release;
  return "Linux " + release.substr(0, release.find_first_not_of("0123456789."));
}

}  // namespace

nlohmann::ordered_json machine() {
  const auto pages = static_cast<double>(sysconf(_SC_PHYS_PAGES));
  return {{"processor", processor_model()},
          {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
          {"memory_gib",
           static_cast<int>(pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1U << 30U) + 0.5)},
          {"kernel", kernel_version()},
          {"date", fmt::format("{:%Y-%m-%d}", std::chrono::system_clock::now())}};
}

}  // namespace mdevfs::bench
