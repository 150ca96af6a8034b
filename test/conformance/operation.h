// SPDX-License-Identifier: Apache-2.0
//
// An operation of the scenario language: a name, a function that does it, and the outcome that the
// transcript shows after ` => `. The functions are in tables, one file per kind of operation.
#pragma once

#include <fcntl.h>

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "descriptor.h"
#include "machine.h"

struct stat;
struct statfs;

namespace mdevfs::conformance {

// Either a text, which follows on the same line, or lines, which follow below, indented.
struct Outcome {
  std::string text;
  std::vector<std::string> lines;
};

Outcome ok();
Outcome ok(long long value);
Outcome failed(std::string_view call);  // "open: EACCES", from errno
Outcome failed(std::string_view call, int error);
Outcome block(std::vector<std::string> lines);
Outcome with_remark(Outcome outcome, std::string_view remark);  // at the end of it

// The descriptors that a scenario holds by name. Thread-safety: any thread.
class Held {
 public:
  void put(const std::string& name, Descriptor descriptor);
  int get(std::string_view name) const;  // -1 for a name that is not held: the system calls say EBADF
  int close(std::string_view name);      // as close(2)
  void clear();

 private:
  mutable std::mutex lock_;
  std::map<std::string, Descriptor, std::less<>> descriptors_;
};

struct Context {
  Machine& machine;
  std::string applets;  // a directory of links to busybox, first in the PATH of `sh`
  Held held = {};
};

// What follows the operation's name, taken word by word.
class Arguments {
 public:
  // Takes a whole operation: its name is the first word.
  explicit Arguments(std::string_view text) : rest_(text), operation_(word()) {}

  std::string_view operation() const { return operation_; }
  bool empty() const { return rest_.empty(); }
  std::string_view word();  // up to the next space; "" at the end
  std::string_view rest();  // all of it, spaces included
  std::string path();       // a word, unescaped
  std::string text();       // the rest, unescaped: what is to be written
  int flags();              // RDONLY|DIRECTORY, as open(2) takes them
  long long number(long long otherwise = 0, int base = 10);

 private:
  std::string_view rest_;
  std::string_view operation_;
};

using Function = Outcome (*)(Context&, Arguments&);

struct Operation {
  std::string_view name;
  Function run;
};

// The tables.
std::span<const Operation> file_operations();        // open, read, write of a path
std::span<const Operation> descriptor_operations();  // calls on a descriptor opened for the purpose
std::span<const Operation> directory_operations();   // listings, trees, links
std::span<const Operation> metadata_operations();    // stat, modes, times, xattrs, names made and taken away
std::span<const Operation> held_operations();        // hold, hread, hwrite, ...
std::span<const Operation> process_operations();     // chdir, sh, sleep, as, time
std::span<const Operation> machine_operations();     // insmod, uev, dmesg, bench

// Does `text`, a whole operation with its name.
Outcome perform(Context& context, std::string_view text);

// Shared by the tables.
enum class Listing { kSorted, kSortedNames, kRaw, kRawNames, kOffsets, kCount };
Outcome list(int fd, Listing kind);
std::string describe(const struct stat& status);
std::string describe(const struct statfs& status);
std::string_view kind_name(unsigned mode);  // "dir", of a st_mode
Outcome read_into_quotes(std::string_view call, long long count, std::string_view buffer);
Outcome wrote(std::string_view call, long long count, std::size_t wanted);
Outcome store_text(Context& context, const std::string& path, int flags, std::string_view text);
Outcome poll_outcome(int fd);
Outcome ioctl_outcome(int fd, unsigned long request);
long long seek(int fd, long long offset, std::string_view whence);

}  // namespace mdevfs::conformance
