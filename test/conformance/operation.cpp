// SPDX-License-Identifier: Apache-2.0
//
// What the tables of operations share: outcomes, arguments, held descriptors, and the look-up by name.
#include "operation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

#include "text.h"

namespace mdevfs::conformance {
namespace {

struct Flag {
  std::string_view name;
  int value;
};
constexpr Flag kFlags[] = {
    {"RDONLY", O_RDONLY},   {"WRONLY", O_WRONLY},       {"RDWR", O_RDWR},         {"ACC3", O_ACCMODE},
    {"CREAT", O_CREAT},     {"EXCL", O_EXCL},           {"TRUNC", O_TRUNC},       {"APPEND", O_APPEND},
    {"SYNC", O_SYNC},       {"DSYNC", O_DSYNC},         {"NONBLOCK", O_NONBLOCK}, {"NOFOLLOW", O_NOFOLLOW},
    {"DIRECT", O_DIRECT},   {"DIRECTORY", O_DIRECTORY}, {"PATH", O_PATH},         {"NOATIME", O_NOATIME},
    {"TMPFILE", O_TMPFILE}, {"NOCTTY", O_NOCTTY},       {"CLOEXEC", O_CLOEXEC},
};

int flag(std::string_view name) {
  for (const auto& known : kFlags) {
    if (known.name == name) return known.value;
  }
  return 0;
}

Function find(std::string_view name) {
  for (const auto table :
       {file_operations(), descriptor_operations(), directory_operations(), metadata_operations(),
        held_operations(), process_operations(), machine_operations()}) {
    for (const auto& operation : table) {
      if (operation.name == name) return operation.run;
    }
  }
  return nullptr;
}

}  // namespace

Outcome ok() {
  return {"ok", {}};
}

Outcome ok(long long value) {
  return {fmt::format("ok {}", value), {}};
}

Outcome failed(std::string_view call, int error) {
  return {fmt::format("{}: {}", call, errno_name(error)), {}};
}

Outcome failed(std::string_view call) {
  return failed(call, errno);
}

Outcome block(std::vector<std::string> lines) {
  return {"", std::move(lines)};
}

Outcome with_remark(Outcome outcome, std::string_view remark) {
  auto& last = outcome.lines.empty() ? outcome.text : outcome.lines.back();
  last += ' ';
  last += remark;
  return outcome;
}

void Held::put(const std::string& name, Descriptor descriptor) {
  const std::scoped_lock guard(lock_);
  descriptors_.insert_or_assign(name, std::move(descriptor));
}

int Held::get(std::string_view name) const {
  const std::scoped_lock guard(lock_);
  const auto it = descriptors_.find(name);
  return it == descriptors_.end() ? -1 : it->second.get();
}

int Held::close(std::string_view name) {
  const std::scoped_lock guard(lock_);
  const auto it = descriptors_.find(name);
  const int fd = it == descriptors_.end() ? -1 : it->second.release();
  if (fd >= 0) descriptors_.erase(it);
  return ::close(fd);
}

void Held::clear() {
  const std::scoped_lock guard(lock_);
  descriptors_.clear();
}

std::string_view Arguments::word() {
  const auto end = rest_.find(' ');
  const auto taken = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  return taken;
}

std::string_view Arguments::rest() {
  return std::exchange(rest_, {});
}

std::string Arguments::path() {
  return unescape(word());
}

std::string Arguments::text() {
  return unescape(rest());
}

int Arguments::flags() {
  auto names = word();
  int flags = 0;
  while (!names.empty()) {
    const auto end = names.find('|');
    flags |= flag(names.substr(0, end));
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
  }
  return flags;
}

long long Arguments::number(long long otherwise, int base) {
  const auto digits = word();
  long long value = otherwise;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  return value;
}

Outcome perform(Context& context, std::string_view text) {
  Arguments arguments(text);
  const auto run = find(arguments.operation());
  if (run == nullptr) return {fmt::format("no such operation: {}", arguments.operation()), {}};
  return run(context, arguments);
}

}  // namespace mdevfs::conformance
