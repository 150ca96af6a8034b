// SPDX-License-Identifier: Apache-2.0
//
// A child process in which a scenario runs, and from which nothing escapes: a process group that is killed as
// a whole when its time is over, a private mount namespace (as an ordinary user inside a user namespace), and
// beside that what the machine of the recordings had: an empty /tmp, no /etc/passwd, busybox as the shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

#include "scenario.h"

namespace mdevfs::conformance {

// Thrown in the child: this machine cannot run the scenario at all. A reason to skip, not to fail.
struct Unavailable : std::runtime_error {
  using runtime_error::runtime_error;
};

struct Ran {
  std::string transcript = {};  // as far as it came
  std::string skipped = {};     // why, if it did not run at all
  std::string failure = {};     // what went wrong beside the transcript
  double seconds = 0;
};

// Runs `body` in a child; what it prints is the transcript. When `timeout` is over the child and all that it
// started are killed, and the failure says where each of their threads stood.
Ran run_in_child(const std::function<void(const Print&)>& body, std::chrono::seconds timeout);

// The two namespaces of a run, entered one after another by the child: in the first, which has the real /sys,
// a server may mount; in the second the scenario runs.
class Namespaces {
 public:
  // Throws Unavailable. /tmp is a new tmpfs from here on, and the network is the run's own, so that nobody
  // outside hears its uevents and it hears nobody else's; unless that is refused.
  void enter_first();
  bool has_own_network() const { return own_network_; }
  // What is mounted on `tree` is at /sys from here on, unless it is empty.
  void enter_second(const std::string& tree);

  // A directory for this run's own purposes, which only this run sees.
  static std::string directory(const std::string& name);

 private:
  void hide_accounts() const;
  void protect_host() const;

  bool own_network_ = false;
};

// A directory of links to busybox under the names of its applets. Throws Unavailable.
std::string applets();

// Dies when the parent does.
void die_with_parent();

}  // namespace mdevfs::conformance
