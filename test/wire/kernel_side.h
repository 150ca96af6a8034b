// SPDX-License-Identifier: Apache-2.0
//
// The kernel's side of the FUSE protocol, spoken over a socketpair to a Filesystem that serves in a thread of
// its own: requests out, answers and notifications in, each in the order in which it came. So the whole of
// fs/ is tested without a mount and without privileges, and in situations that a real kernel never makes.
//
// The calls are named after what a program does, not after opcodes: walk(), open(), read(), cat(), echo().
// An answer that does not come within a minute is an exception: the test fails and says which.
#pragma once

#include <linux/fuse.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "fs/filesystem.h"
#include "model/core.h"

namespace mdevfs::test {

using model::Result;

inline constexpr std::uint64_t kRoot = FUSE_ROOT_ID;
inline constexpr std::uint32_t kOffers = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
                                         FUSE_PARALLEL_DIROPS | FUSE_CACHE_SYMLINKS | FUSE_MAX_PAGES |
                                         FUSE_NO_OPENDIR_SUPPORT | FUSE_INIT_EXT | FUSE_SETXATTR_EXT;

struct Answer {
  int error = 0;  // as errno
  std::string body;
};

// What came, in order: an answer (of this unique) or a notification (unique 0).
struct Heard {
  std::uint64_t unique = 0;
  int code = 0;             // of a notification
  std::uint64_t inode = 0;  // the directory, or the inode whose attributes are others now
  std::string name = {};
  std::uint32_t flags = 0;  // with a name
  bool pages = false;       // of an inode: not its attributes alone
};

struct Descriptor {
  std::uint64_t inode = 0;
  std::uint64_t handle = 0;
  std::uint32_t open_flags = 0;  // the answer's
};

struct Listed {
  std::string name;
  std::uint64_t inode = 0;
  std::uint32_t type = 0;  // DT_*
  std::uint64_t next = 0;
  friend bool operator==(const Listed&, const Listed&) = default;
};

// The bytes of a struct of the protocol, and what follows it.
template <typename T>
std::string bytes(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
template <typename T>
T from_bytes(std::string_view body) {
  T value{};
  body.copy(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

// Thread-safety: all functions from any thread, but construction and destruction.
class KernelSide {
 public:
  // `offers`: the flags of its INIT.
  explicit KernelSide(model::Core& core, fs::Options options = {}, std::uint32_t offers = kOffers);
  ~KernelSide();
  KernelSide(const KernelSide&) = delete;
  KernelSide& operator=(const KernelSide&) = delete;

  // --- messages
  std::uint64_t send(std::uint32_t opcode, std::uint64_t inode, std::string_view body);
  void send_message(std::string_view message);  // as it is, header and all
  std::uint64_t next_unique();
  Answer wait(std::uint64_t unique);
  Answer call(std::uint32_t opcode, std::uint64_t inode, std::string_view body = {});
  bool answered(std::uint64_t unique) const;
  std::uint64_t start_open(std::uint64_t inode, std::uint32_t flags);
  std::vector<Heard> heard() const;
  std::size_t heard_answers() const;
  // Every name that a lookup has found, by directory, with the inode that it was last.
  using Names = std::map<std::pair<std::uint64_t, std::string>, std::uint64_t>;
  Names known_names() const;
  const fuse_init_out& init_answer() const { return init_answer_; }

  // --- what a program does
  Result<fuse_entry_out> lookup(std::uint64_t directory, std::string_view name);
  Result<std::uint64_t> find(std::string_view path);  // a lookup for each name on the way
  std::uint64_t walk(std::string_view path);          // the same where it must be there
  Result<fuse_attr> getattr(std::uint64_t inode);
  Result<fuse_attr> setattr(std::uint64_t inode, const fuse_setattr_in& wanted);
  Result<std::string> readlink(std::uint64_t inode);

  Result<Descriptor> open(std::uint64_t inode, std::uint32_t flags);
  Result<std::string> read(const Descriptor& file, std::uint64_t offset = 0, std::uint32_t size = 4096);
  std::uint64_t start_read(const Descriptor& file, std::uint64_t offset = 0, std::uint32_t size = 4096);
  Result<std::size_t> write(const Descriptor& file, std::string_view text, std::uint64_t offset = 0);
  std::uint64_t start_write(const Descriptor& file, std::string_view text, std::uint64_t offset = 0);
  static Result<std::size_t> written(const Answer& answer);
  Result<std::uint32_t> poll(const Descriptor& file);
  void close(const Descriptor& file);

  Result<Descriptor> opendir(std::uint64_t inode);
  Result<std::vector<Listed>> readdir(const Descriptor& directory, std::uint64_t position = 0,
                                      std::uint32_t size = 4096);
  // From a position to the end, a page after the other.
  Result<std::vector<Listed>> rest(const Descriptor& directory, std::uint64_t position = 0,
                                   std::uint32_t size = 4096);
  void closedir(const Descriptor& directory);

  // --- whole files and directories, by path
  Result<std::string> cat(std::string_view path);
  Result<std::size_t> echo(std::string_view text, std::string_view path);
  std::vector<std::string> names_in(std::string_view path);  // without . and ..

  // --- the end
  void stop();
  void hang_up();         // the mount goes away, from the kernel's side
  void stop_listening();  // no answer can be given any more; requests still can
  bool wait_for_serve();  // false: serve() has not returned within a minute

 private:
  void shake_hands(std::uint32_t offers);
  void listen();
  void hear(std::string_view message);
  void release_what_is_open();

  int socket_ = -1;
  std::optional<fs::Filesystem> filesystem_;
  fuse_init_out init_answer_{};

  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::uint64_t last_unique_ = 0;
  std::map<std::uint64_t, Answer> answers_;
  std::vector<Heard> heard_;
  Names known_;
  std::map<std::uint64_t, Descriptor> open_files_;        // by handle
  std::map<std::uint64_t, Descriptor> open_directories_;  // by handle
  std::atomic<bool> ending_ = false;                      // answers need not come any more
  bool served_ = false;

  std::thread server_;
  std::thread listener_;
};

}  // namespace mdevfs::test
