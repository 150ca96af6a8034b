// SPDX-License-Identifier: Apache-2.0
//
// IBM Z: subchannels that vfio_ccw has, and the one parent of vfio_ap, with the cards of the machine.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "families.h"

namespace mdevfs::capture {
namespace {

bool is_only_type(const SeenParent& parent, const SeenType& wanted) {
  return parent.types.size() == 1 && parent.types[0].sysfs_name == wanted.sysfs_name &&
         parent.types[0].name == wanted.name && parent.types[0].description == wanted.description &&
         parent.types[0].device_api == wanted.device_api;
}

const SeenType kIo{.sysfs_name = "io", .name = "I/O subchannel (Non-QDIO)", .device_api = "vfio-ccw"};
const SeenType kPassthrough{
    .sysfs_name = "passthrough", .name = "VFIO AP Passthrough Device", .device_api = "vfio-ap"};

// Keys that are called as the files in which they show.
void set_files(Observer& observer, const std::string& path, std::span<const std::string_view> files,
               Table& table) {
  for (const std::string_view file : files) {
    auto text = observer.line(fmt::format("{}/{}", path, file));
    if (!text) continue;
    text->erase(text->find_last_not_of(' ') + 1);
    table.set(file, *text);
  }
}

// --- vfio_ap

constexpr const char* kBus = "bus/ap";
constexpr const char* kCards = "devices/ap";

// The numbers of the bits that are set, the first of which is the highest of the first digit.
std::string numbers_in(std::string_view mask) {
  mask.remove_prefix(mask.starts_with("0x") ? 2 : 0);
  std::vector<std::string> numbers;
  for (std::size_t place = 0; place < mask.size(); ++place) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(mask[place]);
    if (digit == std::string_view::npos) return {};
    for (unsigned bit = 0; bit < 4; ++bit) {
      if ((digit & 8U >> bit) != 0) numbers.push_back(fmt::format("{:04x}", 4 * place + bit));
    }
  }
  return fmt::format("{}", fmt::join(numbers, " "));
}

// A card is a directory as card05, its queues as 05.0004 in it.
void add_card(Observer& observer, const std::string& path, const std::string& number, UnitDraft& unit) {
  Table& table = unit.add("cards", number);
  constexpr std::string_view kFiles[] = {"type", "depth"};
  set_files(observer, path, kFiles, table);
  std::vector<std::string> domains;
  for (const Entry& entry : observer.entries(path)) {
    if (entry.kind == Entry::Kind::directory && entry.name.starts_with(number + "."))
      domains.push_back(entry.name.substr(number.size() + 1));
  }
  table.set("domains", fmt::format("{}", fmt::join(domains, " ")));
}

void add_cards(Observer& observer, UnitDraft& unit) {
  constexpr std::string_view kCard = "card";
  if (!observer.sysfs.is_directory(kCards)) return;
  for (const Entry& entry : observer.entries(kCards)) {
    if (entry.kind == Entry::Kind::directory && entry.name.starts_with(kCard))
      add_card(observer, fmt::format("{}/{}", kCards, entry.name), entry.name.substr(kCard.size()), unit);
  }
}

void describe_ap_bus(Observer& observer, Table& table) {
  constexpr std::string_view kMasks[] = {"apmask", "aqmask"};
  set_files(observer, kBus, kMasks, table);
  const auto in_bus = [&](std::string_view file) { return observer.line(fmt::format("{}/{}", kBus, file)); };
  if (const auto most = in_bus("ap_max_adapter_id")) table.set("max_adapter", *most);
  if (const auto most = in_bus("ap_max_domain_id")) table.set("max_domain", *most);
  if (const auto interrupts = in_bus("ap_interrupts")) table.set("interrupts", *interrupts);
  const auto control = in_bus("ap_control_domain_mask");
  if (control && control != in_bus("ap_usage_domain_mask"))
    table.set("control_domains", numbers_in(*control));
}

}  // namespace

std::optional<UnitDraft> vfio_ccw_unit(Capture& capture, const Parents& parents) {
  const backends::Backend* const backend = backends::find("vfio_ccw");
  const bool all_are = std::ranges::all_of(parents, [](const SeenParent* parent) {
    return is_only_type(*parent, kIo) && parent->types[0].available + parent->devices.size() == 1;
  });
  if (backend == nullptr || !all_are) return std::nullopt;
  UnitDraft unit(*backend, capture.units.give("vfio_ccw"));
  capture.taken_drivers["vfio_ccw_mdev"] = unit.table.name();
  constexpr std::string_view kFiles[] = {"chpids", "dev_busid", "pimpampom", "type"};
  for (const SeenParent* const parent : parents)
    set_files(capture.observer, parent->path, kFiles, unit.add_parent(capture.parents.give(parent->name)));
  return unit;
}

std::optional<UnitDraft> vfio_ap_unit(Capture& capture, const Parents& parents) {
  const backends::Backend* const backend = backends::find("vfio_ap");
  const SeenParent& parent = *parents.front();
  const bool is_one = parents.size() == 1 && parent.path == "devices/vfio_ap/matrix";
  if (backend == nullptr || !is_one || !is_only_type(parent, kPassthrough)) return std::nullopt;
  UnitDraft unit(*backend, capture.units.give("vfio_ap"));
  capture.taken_drivers["vfio_ap_mdev"] = unit.table.name();
  describe_ap_bus(capture.observer, unit.table);
  unit.table.set("max_instances",
                 static_cast<std::int64_t>(parent.types[0].available + parent.devices.size()));
  const auto features = capture.observer.line(parent.path + "/features");
  if (features && features->contains("ap_config")) unit.table.set("ap_config", "1");
  add_cards(capture.observer, unit);
  return unit;
}

}  // namespace mdevfs::capture
