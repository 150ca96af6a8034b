// SPDX-License-Identifier: Apache-2.0
//
// What the command of `run` sees in place of the host's directories, so that neither it nor what runs beside
// it writes into them: mounts in this mount namespace, which must be the caller's own.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "outcome.h"

namespace mdevfs::cli {

enum class Depth {
  entries,  // directories below are the host's
  all       // only what lies in them is, and mounts
};

// Thread-safety: none.
class PrivateDirectories {
 public:
  // `staging`: an existing directory, covered for moments in which the others are made.
  explicit PrivateDirectories(std::string staging) : staging_(std::move(staging)) {}

  // An empty directory, or what `fill` puts in (given the path at which it is before it is seen), in place of
  // `path`. Where the host has none, its parent directory is replicated for it to be in.
  using Fill = std::function<Outcome<>(const std::string& directory)>;
  Outcome<> cover(const std::string& path, const Fill& fill = nullptr);

  // A directory of its own with the host's entries in it: some can be added and taken away, and what is in
  // files stays the host's. The modes and owners of device nodes cannot be changed there.
  Outcome<> replicate(const std::string& path, Depth depth = Depth::entries);

  // A link in a directory of the host's that lacks it.
  Outcome<> add_link(const std::string& path, const std::string& target);

  Outcome<> bind(const std::string& source, const std::string& target);

 private:
  Outcome<> make_directory(const std::string& path);
  Outcome<> overlay(const std::string& directory, const std::string& name, const std::string& target);

  const std::string staging_;
  std::set<std::string> replicated_;
};

// Of one mount, and not of what is mounted below it. Nothing changes before Linux 5.12.
void make_read_only(const std::string& mountpoint);

}  // namespace mdevfs::cli
