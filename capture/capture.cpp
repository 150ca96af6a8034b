// SPDX-License-Identifier: Apache-2.0
#include "capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <map>
#include <set>

#include "families.h"
#include "order.h"
#include "toml_text.h"

namespace mdevfs::capture {
namespace {

constexpr std::string_view kHeading =
    R"(A machine file, mdevfs.toml(5), captured from a sysfs by 'mdevfs capture'.

What shows nowhere in a sysfs is not known here: errors of a full parent, how long anything takes, what the
driver does beyond counting. Bridges are mdevfs's own, iommu groups have other numbers, and files of PCI
functions that have no key show what they show by themselves. 'guessed:' stands before what follows from a
moment's counts and might be otherwise.
)";

void add_lines(std::string& text, std::string_view lines) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    text += as_comment(line);
  }
}

// Parents that are described together: of one driver, or of one class.
struct Kinship {
  std::string bus;
  std::string driver;  // or the class
  friend auto operator<=>(const Kinship&, const Kinship&) = default;
};
using Families = std::map<Kinship, Parents>;

Families families_of(Capture& capture) {
  Families families;
  for (const SeenParent& parent : capture.machine.parents) {
    const bool is_function = parent.bus != "pci" || is_pci_address(parent.name);
    if (!is_function || parent.types.empty()) {
      capture.observer.could_not_read(parent.path,
                                      is_function ? "it has no types" : "its name is no PCI address");
      continue;
    }
    families[{parent.bus, parent.bus == "virtual" ? parent.device_class : parent.driver}].push_back(&parent);
  }
  return families;
}

// The functions that the file will describe: virtual ones are part of theirs.
GroupSizes group_sizes(const Capture& capture) {
  const Sysfs& sysfs = capture.observer.sysfs;
  std::set<std::string> functions;
  for (const SeenParent& parent : capture.machine.parents)
    functions.insert(sysfs.target(parent.path + "/physfn").value_or(parent.path));
  for (const auto& function : capture.machine.vendor_functions) functions.insert(function.physical);
  GroupSizes sizes;
  for (const std::string& function : functions) {
    if (const auto group = sysfs.target_name(function + "/iommu_group"); !group.empty()) ++sizes[group];
  }
  return sizes;
}

// Where the first of its groups is among those of the machine.
unsigned place_of(const Sysfs& sysfs, const Parents& parents) {
  unsigned place = UINT_MAX;
  for (const SeenParent* const parent : parents)
    place =
        std::min(place, iommu_number(sysfs, sysfs.target(parent->path + "/physfn").value_or(parent->path)));
  return place;
}

void sort_by_group(const Sysfs& sysfs, Parents& parents) {
  std::ranges::sort(parents, [&](const SeenParent* one, const SeenParent* other) {
    const unsigned number = iommu_number(sysfs, one->path), other_number = iommu_number(sysfs, other->path);
    return number != other_number ? number < other_number : naturally_before(one->name, other->name);
  });
}

struct FamilyOfDriver {
  std::string_view bus;
  std::string_view driver;
  std::optional<UnitDraft> (*unit)(Capture& capture, const Parents& parents);
};
constexpr FamilyOfDriver kFamilies[] = {{"pci", "i915", i915_unit},
                                        {"pci", "nvidia", nvidia_unit},
                                        {"css", "vfio_ccw", vfio_ccw_unit},
                                        {"matrix", "vfio_ap", vfio_ap_unit},
                                        {"matrix", "", vfio_ap_unit}};

std::optional<UnitDraft> own_unit(Capture& capture, const Kinship& kinship, const Parents& parents) {
  if (kinship.bus == "virtual" && parents.size() == 1) return sample_unit(capture, *parents.front());
  const auto* const family = std::ranges::find_if(kFamilies, [&](const FamilyOfDriver& each) {
    return each.bus == kinship.bus && each.driver == kinship.driver;
  });
  return family != std::end(kFamilies) ? family->unit(capture, parents) : std::nullopt;
}

// Those that have backends of their own go first, so that their drivers are known when others are looked for.
std::vector<UnitDraft> units_of(Capture& capture) {
  std::vector<UnitDraft> units;
  Families families = families_of(capture);
  if (!capture.machine.vendor_functions.empty()) families[{"pci", "nvidia"}];
  const Sysfs& sysfs = capture.observer.sysfs;
  std::vector<Parents> others;
  for (auto& [kinship, parents] : families) {
    sort_by_group(sysfs, parents);
    if (auto unit = own_unit(capture, kinship, parents)) {
      unit->place = place_of(sysfs, parents);
      units.push_back(std::move(*unit));
    } else if (!parents.empty()) {
      others.push_back(parents);
    }
  }
  for (const Parents& parents : others) {
    units.push_back(sim_unit(capture, parents));
    units.back().place = place_of(sysfs, parents);
  }
  std::ranges::sort(units, [](const UnitDraft& one, const UnitDraft& other) {
    if (one.place != other.place) return one.place < other.place;
    return naturally_before(one.table.name(), other.table.name());
  });
  return units;
}

std::string live_devices_of(const Machine& machine) {
  std::string text;
  for (const SeenParent& parent : machine.parents) {
    for (const SeenDevice& device : parent.devices)
      text += as_comment(fmt::format("  {} of the type {} on {}", device.uuid, device.type, parent.name));
  }
  return text.empty() ? text : "\n" + as_comment("These devices lived, and are no part of the file:") + text;
}

}  // namespace

std::expected<std::string, std::string> capture_machine(const std::string& root) {
  const Sysfs sysfs(root);
  Observer observer(sysfs);
  const auto machine = observe(observer);
  if (!machine) return std::unexpected(machine.error());
  Capture capture{.observer = observer, .machine = *machine};
  capture.groups = group_sizes(capture);
  const auto units = units_of(capture);
  std::string text;
  add_lines(text, kHeading);
  text += live_devices_of(*machine);
  std::string failures;
  for (const std::string& comment : observer.take_comments()) failures += as_comment(comment);
  if (!failures.empty()) text += "\n" + failures;
  for (const UnitDraft& unit : units) text += text_of(unit);
  for (const UnitDraft& unit : units) text += parents_text_of(unit);
  return text;
}

}  // namespace mdevfs::capture
