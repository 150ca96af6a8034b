// SPDX-License-Identifier: Apache-2.0
//
// The backends that a captured machine's parents become units of: one of their own where there is one and it
// has what they show, and otherwise sim.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "draft.h"
#include "machine.h"
#include "pci_function.h"

namespace mdevfs::capture {

using Parents = std::vector<const SeenParent*>;

// What all units of a machine file have in common. Thread-safety: none.
struct Capture {
  Observer& observer;
  const Machine& machine;
  GroupSizes groups = {};
  Names units = {};
  Names parents = {};
  std::map<std::string, std::string> taken_drivers = {};  // mdev drivers that have a unit, with its name
};

// One of the kernel's samples, exactly. Nothing: it is not.
std::optional<UnitDraft> sample_unit(Capture& capture, const SeenParent& parent);
// All GPUs of GVT-g. Nothing: their types are described in another way.
std::optional<UnitDraft> i915_unit(Capture& capture, const Parents& parents);
// All of NVIDIA's GPUs, in all their shapes. Nothing: there are none, or their types are described in another
// way.
std::optional<UnitDraft> nvidia_unit(Capture& capture, const Parents& parents);
// All subchannels of vfio_ccw, and vfio_ap's matrix with the cards below it. Nothing: they show something
// else.
std::optional<UnitDraft> vfio_ccw_unit(Capture& capture, const Parents& parents);
std::optional<UnitDraft> vfio_ap_unit(Capture& capture, const Parents& parents);
// Any parents of one driver, or of one class.
UnitDraft sim_unit(Capture& capture, const Parents& parents);

// The types of a unit: those that are alike are one. The items, of each list of them.
std::vector<std::string> add_types(UnitDraft& unit, Names& names, std::vector<Table> types);
// What the parent's `types` has to be so that it has these: nothing where it has all of the unit's.
void name_types(const UnitDraft& unit, Table& parent, const std::vector<std::string>& types);
// Comments for what the unit's backend has no place for.
void list_files(const std::vector<SeenFile>& files, Table& table);

}  // namespace mdevfs::capture
