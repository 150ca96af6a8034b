// SPDX-License-Identifier: Apache-2.0
#include "mount_table.h"

#include <sys/sysmacros.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace mdevfs::cli {
namespace {

// Space, tab, newline and backslash stand as \040 and so on.
std::string unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain.push_back(static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8)));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

// "36 35 98:0 /root /mountpoint options tags... - type source options"
Mount parse_line(const std::string& line) {
  std::istringstream fields(line);
  std::string id, parent, device, root, mountpoint, field;
  fields >> id >> parent >> device >> root >> mountpoint;
  while (fields >> field && field != "-") {
  }
  Mount mount;
  fields >> mount.type;
  mount.mountpoint = unescape(mountpoint);
  unsigned major = 0, minor = 0;
  if (std::sscanf(device.c_str(), "%u:%u", &major, &minor) == 2) mount.device = makedev(major, minor);
  return mount;
}

}  // namespace

std::vector<Mount> read_mounts(const std::string& process) {
  std::vector<Mount> mounts;
  std::ifstream table("/proc/" + process + "/mountinfo");
  for (std::string line; std::getline(table, line);) mounts.push_back(parse_line(line));
  return mounts;
}

}  // namespace mdevfs::cli
