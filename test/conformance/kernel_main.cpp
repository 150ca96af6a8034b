// SPDX-License-Identifier: Apache-2.0
//
// The program `scenario_kernel`, for a virtual machine with a real kernel: runs scenarios one after another,
// each with the modules freshly loaded, and prints their transcripts between two lines of marks. Linked
// statically: the machine has nothing else but busybox.
#include <fmt/format.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernel_machine.h"
#include "sandbox.h"
#include "scenario.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

namespace files = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kUsage = "usage: scenario_kernel MODULE_FOLDER FILE.scn...\n";
constexpr std::chrono::seconds kTimeout{300};  // an emulated processor is slow
constexpr auto kMark = "====";
constexpr const char* kApplets = "/bin";

// A scenario whose first line is this loads them itself.
constexpr std::string_view kWithoutMdev = "#!nomdev";
constexpr const char* kCore[] = {"mdev", "vfio"};
constexpr const char* kAll[] = {"slowmdev", "mtty", "mdpy", "mbochs", "vfio_iommu_type1", "vfio", "mdev"};

std::string content(const files::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path.string()));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void require(int error, std::string_view what) {
  if (error != 0) throw std::runtime_error(fmt::format("{}: {}", what, errno_name(error)));
}

// What a killed scenario had open is let go of a little later.
void unload_all(Machine& machine) {
  for (const auto* module : kAll) {
    int error = machine.rmmod(module);
    for (int tries = 0; error == EAGAIN && tries < 500; ++tries) {
      std::this_thread::sleep_for(10ms);
      error = machine.rmmod(module);
    }
    if (error != ENOENT) require(error, fmt::format("rmmod {}", module));
  }
}

void load_core(Machine& machine) {
  for (const auto* module : kCore) require(machine.insmod(module, ""), fmt::format("insmod {}", module));
}

void run(const std::string& modules, const std::string& scenario, const Print& print) {
  KernelMachine machine(modules);
  Context context{.machine = machine, .applets = kApplets};
  Scenario(context, print).run(scenario);
}

// A /tmp of its own for each; gone with what a scenario left in it.
struct Scratch {
  Scratch() {
    require(::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0 ? 0 : errno, "/tmp");
  }
  ~Scratch() { ::umount2("/tmp", MNT_DETACH); }
};

void run_one(const std::string& modules, const files::path& path) {
  const auto scenario = content(path);
  KernelMachine machine(modules);
  if (!scenario.starts_with(kWithoutMdev)) load_core(machine);
  const Scratch scratch;
  std::fflush(nullptr);
  const auto ran = run_in_child([&](const Print& print) { run(modules, scenario, print); }, kTimeout);
  std::cout << fmt::format("{} {}\n{}{} end {} {}\n", kMark, path.stem().string(), ran.transcript, kMark,
                           path.stem().string(), ran.failure)
            << std::flush;
  unload_all(machine);
}

int main_with(const std::vector<std::string>& words) {
  if (words.size() < 2) {
    std::cerr << kUsage;
    return 2;
  }
  for (std::size_t i = 1; i < words.size(); ++i) run_one(words[0], words[i]);
  return 0;
}

}  // namespace
}  // namespace mdevfs::conformance

int main(int argc, char** argv) try {
  return mdevfs::conformance::main_with({argv + 1, argv + argc});
} catch (const std::exception& error) {
  std::cout << "==== failed: " << error.what() << std::endl;
  return 1;
}
