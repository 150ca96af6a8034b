// SPDX-License-Identifier: Apache-2.0
//
// Prints the source of mdevfs-ages(7), from the table by which the model decides: so the page is what the
// program does.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "model/kernel_age.h"

namespace {

using namespace mdevfs::model;

constexpr const char* kHead = R"(mdevfs-ages(7)

# NAME

mdevfs-ages - what a client of mediated devices sees on which kernel

# DESCRIPTION

The mdev core and what it leans on have changed since they came with Linux {first}. *mdevfs* emulates any kernel
from there on: *--kernel* _VERSION_ of *mdevfs mount* and *mdevfs run*, _kernel = "VERSION"_ in a machine file, Linux {usual}
without either. _kernel/config/mdevfs/kernel_ shows it. A version of two numbers is the newest of that series, with what
stable updates brought; one of three is exactly that.

This page is made from the table that the program decides by. Each entry has the kernels that have the difference, the
commit that made it, or whose change it is, how it is known, and the name of the field in the program's table; entries
without a name are not emulated, or not only on those kernels, and say so. Known is a difference

*R*
	from runs of real kernels that have it;

*H*
	from a run of that age's mdev core on Linux 5.10, with 5.10's driver core and sample drivers;

*S*
	from commits and source.

Borders between two kernels that were run are from commits. What old kernels broke, *mdevfs* does as the commit that mended it.

# AGES
)";

constexpr const char* kFoot = R"(
# WHAT A TOOL CAN RELY ON

On all ages: _create_ takes a UUID of 36 bytes, and a 37th that is ignored; what is written to _remove_ is a number, and 0 does
nothing; _remove_ goes before anything is checked, so that of several writers one removes the device; a device's _mdev_type_ and the
type's _devices_ are links that come after the device's _add_; the order of a directory is that of a hash of the names.

On none: that a _name_ is there (before 6.1), that _available_instances_ is no less than 0 (before 6.1), that a create that fails
leaves no uevents, that a UUID is free when its device's _remove_ event comes (5.2 to 5.13, while the driver takes its time), that
the _driver_ of a device is that of its parent (before 5.14).

# TOOLS

As run on Linux 4.10 to 7.3 by the tests of clients, with the tools of Debian 12. mdevctl 1.2.0, libvirt 9.0.0 and the idioms of
shell scripts create, list and remove on all of them, and mdevctl's rule for udev starts what is defined. Where they do not cope:

. mdevctl refuses to start a device where _available_instances_ is 0, and does not where it is below: before 5.14, an mtty that is
  full and has one more is filled without end.
. libvirt reads no number below 0: of a parent with such a count it forgets that it has types, until the count is back.
. A driver that refuses to let a device go is an error of _mdevctl stop_ until 5.1. From 5.2 to 5.13 _mdevctl stop_ succeeds, and
  the place of the device is not given back.
. _mdevctl types_ has no line _Name_ of types without a name, before 6.1.
. _udevadm trigger --settle_ does not end before 4.13: it waits for the event with its own SYNTH\_UUID.

# SEE ALSO

*mdevfs*(1), *mdevfs.toml*(5)
)";

// scdoc's own characters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '_' || c == '*' || c == '\\' || c == '<' || c == '~') out += '\\';
    out += c;
  }
  return out;
}

std::string sentence(std::string_view text) {
  std::string out = escaped(text);
  if (!out.empty() && !out.ends_with(')')) out += '.';
  return out;
}

void print_epochs() {
  for (const Epoch& epoch : epochs()) {
    fmt::print("\n*{}*, {} ({})\n\t{}\n", epoch.name, to_string(epoch.kernels), epoch.opened_by,
               sentence(epoch.summary));
  }
}

void print_difference(const Difference& difference) {
  const auto name =
      difference.field.empty() ? std::string() : fmt::format(", _{}_", escaped(difference.field));
  fmt::print("\n*{}* ({}, {}{})\n\t", kernels_of(difference), difference.cause,
             static_cast<char>(difference.evidence), name);
  if (!difference.before.empty()) fmt::print("On other kernels {} On these ", sentence(difference.before));
  fmt::print("{}\n", sentence(difference.after));
}

void print_topics() {
  std::vector<std::string_view> topics;
  for (const Difference& difference : differences()) {
    if (std::ranges::find(topics, difference.topic) == topics.end()) topics.push_back(difference.topic);
  }
  for (const auto topic : topics) {
    std::string heading(topic);
    std::ranges::transform(heading, heading.begin(), [](unsigned char c) { return std::toupper(c); });
    fmt::print("\n# {}\n", heading);
    for (const Difference& difference : differences()) {
      if (difference.topic == topic) print_difference(difference);
    }
  }
}

}  // namespace

int main() {
  fmt::print(fmt::runtime(kHead), fmt::arg("first", "4.10"), fmt::arg("usual", to_string(kDefaultKernel)));
  print_epochs();
  print_topics();
  fmt::print("{}", kFoot);
}
