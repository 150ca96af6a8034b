// SPDX-License-Identifier: Apache-2.0
//
// A PCI function as sysfs shows it, as the keys by which backends describe one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "draft.h"
#include "machine.h"

namespace mdevfs::capture {

// Of the functions of a machine file, how many are in each iommu group.
using GroupSizes = std::map<std::string, unsigned>;

bool is_pci_address(std::string_view name);
// Sets what is not as it is by itself. The table's name is the function's.
void describe_function(Observer& observer, const std::string& path, const GroupSizes& groups, Table& table);
// Groups are numbered as their functions come: a captured machine has its own in the order of these.
unsigned iommu_number(const Sysfs& sysfs, const std::string& path);
// Files that every function has, or that are none of its own.
const std::vector<std::string_view>& files_of_functions();

}  // namespace mdevfs::capture
