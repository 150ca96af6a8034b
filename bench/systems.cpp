// SPDX-License-Identifier: Apache-2.0
#include "systems.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "operations.h"

namespace mdevfs::bench {
namespace {

constexpr std::size_t kSmall = 6;  // entries of a type's directory

std::vector<std::string> with_mountpoint(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Served::kMountpoint);
  return arguments;
}

std::vector<std::string> null_arguments(const std::vector<std::size_t>& counts) {
  std::vector<std::string> arguments{fmt::format("{}", kSmall)};
  for (const std::size_t count : counts) arguments.push_back(fmt::format("{}", count));
  return with_mountpoint(arguments);
}

// A file with a link, and directories of hard links to it, which need no memory of their own but the names.
void fill(const std::string& top, std::size_t count) {
  const std::string directory = fmt::format("{}/d{}", top, count);
  std::filesystem::create_directory(directory);
  for (std::size_t i = 0; i < count; ++i) {
    std::filesystem::create_hard_link(top + "/file", directory + "/" + next_uuid());
  }
}

std::string make_tmpfs_directory(const std::vector<std::size_t>& counts) {
  struct statfs status{};
  std::string top = "/dev/shm/mdevfs-bench-XXXXXX";
  if (statfs("/dev/shm", &status) != 0 || status.f_type != TMPFS_MAGIC) return "";
  if (mkdtemp(top.data()) == nullptr) return "";
  std::ofstream(top + "/file") << "vfio-pci\n";
  std::filesystem::create_symlink("../mdev_supported_types/mdpy-vga", top + "/link");
  fill(top, kSmall);
  for (const std::size_t count : counts) fill(top, count);
  return top;
}

std::string largest_of_sysfs() {
  std::string largest;
  std::size_t most = 0;
  for (const char* const name : {"/sys/module", "/sys/class/tty", "/sys/class", "/sys/kernel/slab"}) {
    if (access(name, R_OK) != 0) continue;
    const std::size_t entries = list_directory(name);
    if (entries > most) {
      most = entries;
      largest = name;
    }
  }
  return largest;
}

}  // namespace

// --- mdevfs

Mdevfs::Mdevfs(const std::vector<std::string>& arguments, std::size_t live)
    : served_("bench_daemon", with_mountpoint(arguments)),
      live_(live),
      empty_bytes_(static_cast<double>(served_.resident_bytes())) {
  if (live == 0) return;
  first_ = next_uuid();
  write_attribute(type() + "/create", first_);
  write_attribute_often(type() + "/create", live - 1, next_uuid);
}

std::unique_ptr<Mdevfs> Mdevfs::cached(std::size_t live) {
  try {
    return std::make_unique<Mdevfs>(std::vector<std::string>{"50", "cached"}, live);
  } catch (const std::runtime_error&) {
    return nullptr;  // bench_daemon has said why
  }
}

std::string Mdevfs::parent() const {
  return served_.mountpoint() + "/devices/virtual/mdpy/mdpy";
}

std::string Mdevfs::type() const {
  return parent() + "/mdev_supported_types/mdpy-vga";
}

std::string Mdevfs::debug() const {
  return served_.mountpoint() + "/kernel/debug/mdevfs/mdpy";
}

double Mdevfs::bytes_per_device() const {
  return (static_cast<double>(served_.resident_bytes()) - empty_bytes_) / static_cast<double>(live_);
}

Places Mdevfs::places() const {
  const std::string device = parent() + "/" + first_;
  const auto create_remove = [create = type() + "/create", parent = parent()] {
    const std::string uuid = next_uuid();
    write_attribute(create, uuid);
    write_attribute(parent + "/" + uuid + "/remove", "1\n");
  };
  return {.attributes = {device + "/vendor/resolution", type() + "/name", type() + "/available_instances",
                         type() + "/device_api"},
          .links = {device + "/mdev_type", bus() + "/" + first_},
          .small_directory = type(),
          .large_directory = bus(),
          .create_remove = create_remove};
}

// --- the peers

Peers::Peers(const std::vector<std::size_t>& counts)
    : null_("null_fs", null_arguments(counts)), tmpfs_(make_tmpfs_directory(counts)) {}

Peers::~Peers() {
  std::error_code ignored;
  if (!tmpfs_.empty()) std::filesystem::remove_all(tmpfs_, ignored);
}

Places Peers::places_below(const std::string& top, std::size_t count) {
  const std::string file = top + "/file";
  const auto two_writes = [file] {
    write_attribute(file, "1\n");
    write_attribute(file, "1\n");
  };
  return {.attributes = {file, file, file, file},
          .links = {top + "/link", top + "/link"},
          .small_directory = fmt::format("{}/d{}", top, kSmall),
          .large_directory = fmt::format("{}/d{}", top, count),
          .create_remove = two_writes};
}

System Peers::sysfs() const {
  const std::string device = "/sys/devices/virtual/mem/null";
  return {"sysfs",
          nullptr,
          {.attributes = {device + "/dev", device + "/uevent", device + "/power/control",
                          device + "/power/runtime_status"},
           .links = {device + "/subsystem", "/sys/class/mem/null"},
           .small_directory = device,
           .large_directory = largest_of_sysfs(),
           .create_remove = {}}};
}

std::vector<System> Peers::all(std::size_t count) const {
  std::vector<System> systems{null_fs(count), sysfs()};
  if (!tmpfs_.empty()) systems.push_back({"tmpfs", nullptr, places_below(tmpfs_, count)});
  return systems;
}

}  // namespace mdevfs::bench
