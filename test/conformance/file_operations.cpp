// SPDX-License-Identifier: Apache-2.0
//
// Operations that open a path, read or write it, and close it. Each is one system call on the file after the
// open, because one write(2) is one create and one read(2) is one show.
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "operation.h"
#include "text.h"

namespace mdevfs::conformance {
namespace {

constexpr mode_t kNewFileMode = 0644;
constexpr std::size_t kReadSize = 16384;

Descriptor open_path(const std::string& path, int flags) {
  return Descriptor(::open(path.c_str(), flags | O_CLOEXEC, kNewFileMode));
}

template <int flags>
Outcome write_path(Context& context, Arguments& arguments) {
  const auto path = arguments.path();
  return store_text(context, path, flags, arguments.text());
}

Outcome write_flags(Context& context, Arguments& arguments) {
  const auto path = arguments.path();
  const auto flags = arguments.flags();
  return store_text(context, path, flags, arguments.text());
}

Outcome pwrite_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto offset = arguments.number();
  const auto text = arguments.text();
  const auto fd = open_path(path, O_WRONLY);
  if (!fd) return failed("open");
  return wrote("pwrite", ::pwrite(fd.get(), text.data(), text.size(), offset), text.size());
}

Outcome writev_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  std::vector<std::string> parts;
  while (!arguments.empty()) parts.push_back(unescape(arguments.word()));
  std::vector<iovec> vectors;
  std::size_t wanted = 0;
  for (auto& part : parts) {
    vectors.push_back({part.data(), part.size()});
    wanted += part.size();
  }
  const auto fd = open_path(path, O_WRONLY);
  if (!fd) return failed("open");
  return wrote("writev", ::writev(fd.get(), vectors.data(), static_cast<int>(vectors.size())), wanted);
}

Outcome splice_from(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto text = arguments.text();
  const auto fd = open_path(path, O_WRONLY);
  if (!fd) return failed("open");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failed("pipe");
  const Descriptor from(ends[0]);
  const Descriptor to(ends[1]);
  if (::write(to.get(), text.data(), text.size()) < 0) return failed("write to the pipe");
  return wrote("splice", ::splice(from.get(), nullptr, fd.get(), nullptr, text.size(), 0), text.size());
}

Outcome sendfile_from(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto text = arguments.text();
  const auto fd = open_path(path, O_WRONLY);
  if (!fd) return failed("open");
  const Descriptor from(::memfd_create("sendfilefrom", MFD_CLOEXEC));
  if (::pwrite(from.get(), text.data(), text.size(), 0) < 0) return failed("write to the memfd");
  return wrote("sendfile", ::sendfile(fd.get(), from.get(), nullptr, text.size()), text.size());
}

Outcome read_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  std::string buffer(static_cast<std::size_t>(arguments.number(kReadSize)), '\0');
  const auto fd = open_path(path, O_RDONLY);
  if (!fd) return failed("open");
  return read_into_quotes("read", ::read(fd.get(), buffer.data(), buffer.size()), buffer);
}

Outcome pread_path(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  const auto offset = arguments.number();
  std::string buffer(static_cast<std::size_t>(arguments.number(kReadSize)), '\0');
  const auto fd = open_path(path, O_RDONLY);
  if (!fd) return failed("open");
  return read_into_quotes("pread", ::pread(fd.get(), buffer.data(), buffer.size(), offset), buffer);
}

Outcome open_and_close(const std::string& path, int flags) {
  return open_path(path, flags) ? ok() : failed("open");
}

template <int flags>
Outcome open_as(Context&, Arguments& arguments) {
  return open_and_close(arguments.path(), flags);
}

Outcome open_flags(Context&, Arguments& arguments) {
  const auto path = arguments.path();
  return open_and_close(path, arguments.flags());
}

template <int flags>
Outcome poll_path(Context&, Arguments& arguments) {
  const auto fd = open_path(arguments.path(), flags);
  return fd ? poll_outcome(fd.get()) : failed("open");
}

struct PollBit {
  short bit;
  std::string_view name;
};
constexpr PollBit kPollBits[] = {{POLLIN, "IN"},   {POLLOUT, "OUT"}, {POLLPRI, "PRI"},
                                 {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"}};

constexpr Operation kOperations[] = {
    {"write", write_path<O_WRONLY>},
    {"writet", write_path<O_WRONLY | O_CREAT | O_TRUNC>},
    {"writea", write_path<O_WRONLY | O_APPEND>},
    {"writec", write_path<O_WRONLY | O_CREAT>},
    {"writerw", write_path<O_RDWR>},
    {"writef", write_flags},
    {"pwrite", pwrite_path},
    {"writev", writev_path},
    {"splicefrom", splice_from},
    {"sendfilefrom", sendfile_from},
    {"read", read_path},
    {"pread", pread_path},
    {"open", open_flags},
    {"openr", open_as<O_RDONLY>},
    {"openw", open_as<O_WRONLY>},
    {"openrw", open_as<O_RDWR>},
    {"poll", poll_path<O_RDONLY>},
    {"pollw", poll_path<O_WRONLY>},
};

}  // namespace

std::span<const Operation> file_operations() {
  return kOperations;
}

Outcome wrote(std::string_view call, long long count, std::size_t wanted) {
  if (count < 0) return failed(call);
  if (static_cast<std::size_t>(count) == wanted) return ok(count);
  return {fmt::format("ok {} of {}", count, wanted), {}};
}

Outcome read_into_quotes(std::string_view call, long long count, std::string_view buffer) {
  if (count < 0) return failed(call);
  return {fmt::format("ok {} {}", count, quote(buffer.substr(0, static_cast<std::size_t>(count)))), {}};
}

Outcome store_text(Context& context, const std::string& path, int flags, std::string_view text) {
  if (const auto stored = context.machine.store(path, text)) {
    return *stored ? wrote("write", static_cast<long long>(**stored), text.size())
                   : failed("write", stored->error());
  }
  const auto fd = open_path(path, flags);
  if (!fd) return failed("open");
  return wrote("write", ::write(fd.get(), text.data(), text.size()), text.size());
}

Outcome poll_outcome(int fd) {
  pollfd watched{fd, POLLIN | POLLOUT | POLLPRI, 0};
  const int count = ::poll(&watched, 1, 0);
  if (count < 0) return failed("poll");
  auto text = fmt::format("ok {}", count);
  for (const auto& [bit, name] : kPollBits) {
    if ((watched.revents & bit) != 0) text += fmt::format(" {}", name);
  }
  return {text, {}};
}

}  // namespace mdevfs::conformance
