// SPDX-License-Identifier: Apache-2.0
#include "log_output.h"

#include <fcntl.h>
#include <poll.h>

namespace mdevfs::cli {
namespace {

void write_line(int fd, const std::string& line) {
  pollfd room{fd, POLLOUT, 0};
  if (poll(&room, 1, 0) != 1) return;
  [[maybe_unused]] const ssize_t written = write(fd, line.data(), line.size());
}

}  // namespace

Outcome<UniqueFd> open_log(const std::string& path) {
  constexpr int kFirst = STDERR_FILENO + 1;
  UniqueFd fd(path == "-" ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, kFirst)
                          : open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!fd) return failure("cannot write the log to {}: {}", path == "-" ? "stderr" : path, error_text());
  return fd;
}

LogWriter::LogWriter(model::Log& log, int fd) : log_(log) {
  for (const std::string& line : log.lines()) write_line(fd, line + "\n");
  log.set_sink([fd](model::Level level, const std::string& line) {
    write_line(fd, fmt::format("<{}> {}\n", static_cast<int>(level), line));
  });
}

}  // namespace mdevfs::cli
