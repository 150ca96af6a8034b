// SPDX-License-Identifier: Apache-2.0
//
// Reading a sysfs, or what somebody says is one: nothing is waited for, nothing is read without end, and only
// plain files are opened.
#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mdevfs::capture {

struct Entry {
  enum class Kind { file, directory, link, other };
  std::string name;
  Kind kind = Kind::other;
  mode_t mode = 0;  // its permissions
};

struct Failure {
  int error = 0;  // an errno
  std::string reason;
  // Of what sysfs shows only where it applies.
  bool is_absence() const;
};

// The paths are below the root, without a leading slash. Thread-safety: all functions from any thread; what
// they could not do is noted by nobody.
class Sysfs {
 public:
  explicit Sysfs(std::string root) : root_(std::move(root)) {}

  // As it is, up to a limit that no attribute of sysfs reaches.
  std::expected<std::string, Failure> content(const std::string& path) const;
  // In natural order.
  std::expected<std::vector<Entry>, Failure> entries(const std::string& path) const;
  // Where a link points, by its text alone.
  std::expected<std::string, Failure> target(const std::string& path) const;
  std::optional<Entry> entry(const std::string& path) const;

  bool is_directory(const std::string& path) const;
  // The last part of what a link points to; empty: there is no such link.
  std::string target_name(const std::string& path) const;
  const std::string& root() const { return root_; }
  std::string full(const std::string& path) const { return root_ + "/" + path; }

 private:
  const std::string root_;
};

std::string last_part(std::string_view path);

}  // namespace mdevfs::capture
