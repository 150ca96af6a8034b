// SPDX-License-Identifier: Apache-2.0
//
// On the pipe: one byte, '+' or '-', then strings that each end in a NUL.
#include "start_report.h"

#include <unistd.h>

namespace mdevfs::cli {
namespace {

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // whoever waited for it has gone
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_all(int fd) {
  std::string bytes;
  char buffer[4096];
  for (;;) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

void report_ready(int fd, std::span<const std::string> list) {
  std::string bytes = "+";
  for (const std::string& item : list) bytes.append(item).push_back('\0');
  write_all(fd, bytes);
}

void report_failure(int fd, const std::string& sentence) {
  write_all(fd, "-" + sentence);
}

Outcome<std::vector<std::string>> read_report(int fd) {
  const std::string bytes = read_all(fd);
  if (bytes.empty()) return std::unexpected(std::string());
  if (bytes.front() == '-') return std::unexpected(bytes.substr(1));
  std::vector<std::string> list;
  for (std::size_t start = 1; start < bytes.size();) {
    const std::size_t end = bytes.find('\0', start);
    if (end == std::string::npos) return std::unexpected(std::string());  // it died while it wrote
    list.push_back(bytes.substr(start, end - start));
    start = end + 1;
  }
  return list;
}

}  // namespace mdevfs::cli
