// SPDX-License-Identifier: Apache-2.0
#include "churn.h"

#include <charconv>
#include <cstdlib>

#include "test/wire/slow_driver.h"

namespace mdevfs::test {
namespace {

constexpr unsigned kUuids = 60;  // few enough for EEXIST, more than there are ports

bool time_is_up(const Accounts& accounts) {
  return std::chrono::steady_clock::now() >= accounts.end;
}

bool is_count(const std::string& text, unsigned most) {
  unsigned count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc{} && *end == '\n' && count <= most;
}

}  // namespace

std::map<int, unsigned> Account::seen() const {
  std::map<int, unsigned> seen;
  for (std::size_t error = 0; error < counts_.size(); ++error) {
    if (counts_[error] != 0) seen[static_cast<int>(error)] = counts_[error];
  }
  return seen;
}

std::chrono::seconds stress_time() {
  const char* const given = std::getenv("MDEVFS_STRESS_SECONDS");
  return std::chrono::seconds(given != nullptr ? std::max(1, std::atoi(given)) : 2);
}

std::string mtty_type(unsigned number) {
  return kMttyParent + "/mdev_supported_types/mtty-" + (number % 2 == 0 ? "1" : "2");
}

unsigned ports_of(const std::string& uuid) {
  return std::string_view("13579bdf").contains(uuid.back()) ? 2 : 1;
}

void create_without_pause(Door& door, Accounts& accounts) {
  for (unsigned n = 0; !time_is_up(accounts); ++n) {
    const unsigned number = n * 7 % kUuids;
    accounts.creates.note(door.write(mtty_type(number) + "/create", uuid_of(number)));
  }
  accounts.creating = false;
}

void remove_whatever_is_listed(Door& door, Accounts& accounts) {
  bool last_time = false;
  while (!last_time) {
    last_time = !accounts.creating;  // once more after the last create
    for (const auto& uuid : door.list("bus/mdev/devices")) {
      accounts.removes.note(door.write(kMttyParent + "/" + uuid + "/remove", "1\n"));
    }
  }
}

void read_and_list(Door& door, Accounts& accounts) {
  while (accounts.creating) {
    for (const unsigned type : {0U, 1U}) {
      const auto text = door.read(mtty_type(type) + "/available_instances");
      if (text && !is_count(*text, type == 0 ? 24 : 12)) ++accounts.wrong_counts;
      accounts.reads.note(text ? 0 : text.error().value);
    }
    for (const auto& name : door.list(kMttyParent)) door.list(kMttyParent + "/" + name);
    for (const auto& uuid : door.list(mtty_type(0) + "/devices")) {
      door.read("bus/mdev/devices/" + uuid);
      const auto text = door.read(kMttyParent + "/" + uuid + "/vendor/sample_mdev_dev");
      accounts.reads.note(text ? 0 : text.error().value);
    }
  }
}

void register_anew(model::Core& core) {
  const auto& tree = core.tree();
  model::HeldNode node = tree.resolve(kRoot);
  for (const auto* const name : {"devices", "virtual", "mtty", "mtty", "mdev_supported_types"}) {
    node = tree.lookup(node, name).value();
  }
  const auto parent = std::static_pointer_cast<model::Parent>(node.object);
  core.unregister_parent(*parent);
  core.register_parent(parent->device, parent->driver,
                       {{"1", "Single port serial"}, {"2", "Dual port serial"}})
      .value();
}

}  // namespace mdevfs::test
