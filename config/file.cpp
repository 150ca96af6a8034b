// SPDX-License-Identifier: Apache-2.0
#include "file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace mdevfs::config {
namespace {

constexpr std::size_t kMostBytes = std::size_t{16} << 20;

using Text = std::expected<std::string, std::string>;  // the error is why not

std::unexpected<std::string> errno_text() {
  return std::unexpected(std::generic_category().message(errno));
}

Text read_all(int fd) {
  struct stat status = {};
  if (fstat(fd, &status) != 0) return errno_text();
  if (S_ISDIR(status.st_mode)) return std::unexpected("it is a directory, expected a file");
  if (!S_ISREG(status.st_mode)) return std::unexpected("expected a regular file");
  std::string text;
  char buffer[65536];
  while (text.size() <= kMostBytes) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno_text();
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return std::unexpected(fmt::format("it is larger than {} MiB", kMostBytes >> 20));
}

}  // namespace

Text text_of_file(const std::string& file) {
  // A FIFO would wait for a writer, a terminal become the daemon's.
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno_text();
  Text text = read_all(fd);
  close(fd);
  return text;
}

std::vector<std::string> lines_of(const std::string& file, std::span<const Problem> problems) {
  std::vector<std::string> lines;
  for (const Problem& problem : problems)
    lines.push_back(fmt::format("{}:{}:{}: {}", file, problem.at.line, problem.at.column, problem.what));
  return lines;
}

}  // namespace mdevfs::config
