// SPDX-License-Identifier: Apache-2.0
//
// What no kernel sends: numbers that were never given out, messages cut off, sizes beyond all reason, noise.
// Nothing of it may crash or hang the daemon, and each request has exactly one answer. Only handles of open
// files are true ones: they are the daemon's own words, given back. And the end: stop, and a mount that goes.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>
#include <set>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

struct Machine {
  model::Core core;
  SlowParent slow;
  std::uint64_t gone = 0;  // the inode of a device that is gone
  Machine() {
    for (const auto& backend : backends::all()) {
      if (backend.complete) REQUIRE(backend.load(core, {}));
    }
    slow = load_slow(core);
    KernelSide kernel(core);
    for (unsigned n = 0; n < 3; ++n) REQUIRE(kernel.echo(uuid_of(n), kSlowCreate));
    gone = kernel.walk(kSlow + "/" + uuid_of(2));
    REQUIRE(kernel.echo("1", kSlow + "/" + uuid_of(2) + "/remove"));
    const std::string mtty = "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/create";
    REQUIRE(kernel.echo(uuid_of(3), mtty));
  }
};

// Every node below a directory, by its type.
void collect(KernelSide& kernel, std::uint64_t inode,
             std::set<std::pair<std::uint64_t, std::uint32_t>>& nodes) {
  const auto directory = kernel.opendir(inode);
  const auto entries = kernel.readdir(*directory, 0, 65536);
  kernel.closedir(*directory);
  for (const Listed& entry : *entries) {
    if (entry.name == "." || entry.name == "..") continue;
    nodes.emplace(entry.inode, entry.type);
    if (entry.type == DT_DIR) collect(kernel, entry.inode, nodes);
  }
}

std::string text_of(const fuse_in_header& header, std::string_view body) {
  return bytes(header).append(body);
}

}  // namespace

TEST_CASE("an invented inode number is nothing") {
  Machine machine;
  KernelSide kernel(machine.core);
  std::set<std::pair<std::uint64_t, std::uint32_t>> nodes;
  collect(kernel, kRoot, nodes);
  const auto last = std::ranges::max(nodes).first >> model::kSlotBits;
  std::vector<std::uint64_t> slots{1023, 1024, 1025, 1026, 1100, 2047, 2048, 2049, 2050, 3072, 4095};
  for (std::uint64_t slot = 0; slot < index(model::Slot::end) + 4; ++slot) slots.push_back(slot);
  for (std::uint64_t id = 0; id <= last + 1; ++id) {
    for (const auto slot : slots) {
      const auto inode = id << model::kSlotBits | slot;
      INFO("id " << id << ", slot " << slot);
      REQUIRE(kernel.getattr(inode));
      if (!nodes.contains({inode, DT_DIR}) && inode != kRoot) {
        REQUIRE(kernel.lookup(inode, "uevent") == fail(ENOENT));
        if (const auto directory = kernel.opendir(inode)) REQUIRE(kernel.readdir(*directory)->size() == 2);
      }
      const auto file = kernel.open(inode, 3);
      REQUIRE(file.has_value() == nodes.contains({inode, DT_REG}));
      if (file) kernel.close(*file);
      const bool target = kernel.readlink(inode).has_value();  // a link that is not shown may still have one
      if (nodes.contains({inode, DT_LNK})) REQUIRE(target);
      fuse_setattr_in wanted{};
      wanted.valid = FATTR_ATIME;
      REQUIRE(kernel.setattr(inode, wanted));
    }
  }
  for (const auto inode : {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 40U, machine.gone}) {
    REQUIRE(kernel.getattr(inode));
    REQUIRE(kernel.open(inode, O_RDONLY) == fail(ENODEV));
  }
}

TEST_CASE("a message that is cut off is refused") {
  Machine machine;
  KernelSide kernel(machine.core);
  const auto file = kernel.open(kernel.walk(kSlowCreate), O_WRONLY);
  REQUIRE(file);
  fuse_write_in in{};
  in.fh = file->handle;
  in.size = 36;
  const std::string whole = bytes(in) + uuid_of(9);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CHECK(kernel.call(FUSE_WRITE, file->inode, whole.substr(0, length)).error == EIO);
  }
  CHECK(kernel.call(FUSE_WRITE, file->inode, whole).error == 0);
  fuse_setxattr_in attribute{};
  attribute.size = 0xffffffff;
  const auto fixed = bytes(attribute).substr(0, FUSE_COMPAT_SETXATTR_IN_SIZE);
  CHECK(kernel.call(FUSE_SETXATTR, kRoot, fixed + std::string("trusted.x\0y", 11)).error == EIO);
  CHECK(kernel.call(FUSE_LOOKUP, kRoot, "class").error == 0);  // a name without its end
  CHECK(kernel.call(FUSE_LOOKUP, kRoot, "").error == ENOENT);
  kernel.send_message("short");
  CHECK(kernel.getattr(kRoot));
}

TEST_CASE("sizes and names beyond all reason") {
  Machine machine;
  KernelSide kernel(machine.core);
  CHECK(kernel.lookup(kRoot, std::string(255, 'x')) == fail(ENOENT));
  CHECK(kernel.lookup(kRoot, std::string(100'000, 'x')) == fail(ENOENT));
  const auto file = kernel.open(kernel.walk(kSlowType + "/name"), O_RDONLY);
  CHECK(kernel.read(*file, 0, 0xffffffff) == "Slow A\n");
  CHECK(kernel.read(*file, 0x7fffffffffffffff, 0xffffffff) == "");
  CHECK(kernel.read(*file, 0, 0) == "");
  const auto directory = kernel.opendir(kRoot);
  CHECK(kernel.readdir(*directory, 0, 0xffffffff)->size() == 7);
  CHECK(kernel.readdir(*directory, 0, 0)->empty());
  CHECK(kernel.readdir(*directory, 0, 10)->empty());
  for (const std::uint64_t end : {std::uint64_t{0x7fffffff}, std::uint64_t{0xffffffff}, ~std::uint64_t{0}}) {
    CHECK(kernel.readdir(*directory, end)->empty());
  }
  const auto create = kernel.open(kernel.walk(kSlowCreate), O_WRONLY);
  CHECK(kernel.write(*create, std::string(100'000, 'x')) == fail(EINVAL));
  CHECK(kernel.call(77, kRoot, "").error == ENOSYS);
  CHECK(kernel.call(0xffffffff, kRoot, "").error == ENOSYS);
}

namespace {

// Noise that looks more or less like requests.
class Noise {
 public:
  Noise(KernelSide& kernel, std::uint64_t gone) : kernel_(kernel) {
    for (const auto* const path : {"", "class", "bus/mdev/drivers/slow", "bus/mdev/devices"}) {
      inodes_.push_back(kernel_.walk(path));
      directories_.push_back(kernel_.opendir(inodes_.back())->handle);
    }
    for (const auto& path : {kSlowType + "/name", kSlow + "/" + uuid_of(0) + "/uevent"}) {
      inodes_.push_back(kernel_.walk(path));
      files_.push_back(kernel_.open(inodes_.back(), O_RDONLY)->handle);
    }
    for (const auto& path : {kSlowCreate, kSlow + "/" + uuid_of(0) + "/remove",
                             std::string("bus/mdev/drivers/slow/unbind"), std::string("bus/mdev/uevent")}) {
      inodes_.push_back(kernel_.walk(path));
      files_.push_back(kernel_.open(inodes_.back(), O_WRONLY)->handle);
    }
    inodes_.push_back(gone);
  }

  // Sends one; false: it is of a kind that may have no answer.
  bool send(std::uint64_t unique) {
    fuse_in_header header{};
    header.unique = unique;
    header.opcode = any_opcode();
    header.nodeid = some(3) == 0 ? random_() : some(3) == 0 ? some(1U << 20U) : one_of(inodes_);
    header.uid = static_cast<std::uint32_t>(random_());
    std::string body(some(40) == 0 ? some(100'000) : some(120), '\0');
    for (char& byte : body) byte = some(2) == 0 ? '\0' : static_cast<char>(random_());
    place_handle(header.opcode, body);
    header.len = static_cast<std::uint32_t>(some(20) == 0 ? random_() : sizeof header + body.size());
    kernel_.send_message(text_of(header, body));
    if (header.opcode == FUSE_OPEN || header.opcode == FUSE_OPENDIR)
      opens_.emplace_back(unique, header.opcode);
    return header.opcode != FUSE_FORGET && header.opcode != FUSE_BATCH_FORGET &&
           header.opcode != FUSE_INTERRUPT;
  }

  void close_what_it_opened() {
    for (const auto& [unique, opcode] : opens_) {
      const Answer answer = kernel_.wait(unique);
      if (answer.error != 0) continue;
      const Descriptor opened{kRoot, from_bytes<fuse_open_out>(answer.body).fh, 0};
      opcode == FUSE_OPEN ? kernel_.close(opened) : kernel_.closedir(opened);
    }
  }

 private:
  std::uint64_t some(std::uint64_t below) { return random_() % below; }
  template <typename T>
  T one_of(const std::vector<T>& values) {
    return values[some(values.size())];
  }

  std::uint32_t any_opcode() {
    while (true) {
      const auto code = static_cast<std::uint32_t>(some(30) == 0 ? random_() : some(60));
      // DESTROY is the end; a RELEASE needs a handle of its own; the rest is an answer to what we never ask.
      if (code != FUSE_DESTROY && code != FUSE_RELEASE && code != FUSE_RELEASEDIR &&
          code != FUSE_NOTIFY_REPLY)
        return code;
    }
  }

  void place_handle(std::uint32_t code, std::string& body) {
    const bool directory = code == FUSE_READDIR;
    if (!directory && code != FUSE_READ && code != FUSE_WRITE && code != FUSE_POLL) return;
    const std::string handle = bytes(one_of(directory ? directories_ : files_));
    body.replace(0, std::min(body.size(), handle.size()), handle.substr(0, body.size()));
    // Half of the writes are of the size they say, so that something is written at all.
    if (code == FUSE_WRITE && body.size() >= sizeof(fuse_write_in) && some(2) == 0) {
      const auto size = static_cast<std::uint32_t>(body.size() - sizeof(fuse_write_in));
      body.replace(offsetof(fuse_write_in, size), sizeof size, bytes(size));
    }
  }

  KernelSide& kernel_;
  std::mt19937_64 random_{20261122};
  std::vector<std::uint64_t> inodes_;
  std::vector<std::uint64_t> files_;
  std::vector<std::uint64_t> directories_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> opens_;
};

}  // namespace

TEST_CASE("noise") {
  Machine machine;
  KernelSide kernel(machine.core);
  Noise noise(kernel, machine.gone);
  std::set<std::uint64_t> wanted;
  std::set<std::uint64_t> sent;
  for (unsigned n = 0; n < 20'000; ++n) {
    const auto unique = kernel.next_unique();
    sent.insert(unique);
    if (noise.send(unique)) wanted.insert(unique);
  }
  for (const auto unique : wanted) kernel.wait(unique);
  noise.close_what_it_opened();
  CHECK(kernel.getattr(kRoot));
  CHECK(kernel.cat(kSlowType + "/name") == "Slow A\n");
  std::set<std::uint64_t> answered;
  for (const Heard& h : kernel.heard()) {
    if (sent.contains(h.unique)) REQUIRE(answered.insert(h.unique).second);  // once
  }
}

// --- the end

TEST_CASE("stop ends when what is under way has been answered") {
  Machine machine;
  KernelSide kernel(machine.core);
  machine.slow.driver->probes.close();
  std::vector<std::uint64_t> creates;
  for (unsigned n = 10; n < 14; ++n) {
    creates.push_back(kernel.start_write(*kernel.open(kernel.walk(kSlowCreate), O_WRONLY), uuid_of(n)));
  }
  REQUIRE(machine.slow.driver->probes.wait_for(4));
  kernel.stop();
  machine.slow.driver->probes.open();
  CHECK(kernel.wait_for_serve());
  for (const auto unique : creates) CHECK(KernelSide::written(kernel.wait(unique)) == 36);
}

TEST_CASE("a mount that goes ends serve, also in the middle of a create") {
  Machine machine;
  KernelSide kernel(machine.core);
  const auto before = machine.core.device_count();
  machine.slow.driver->probes.close();
  kernel.start_write(*kernel.open(kernel.walk(kSlowCreate), O_WRONLY), uuid_of(10));
  REQUIRE(machine.slow.driver->probes.wait_for(1));
  kernel.hang_up();
  machine.slow.driver->probes.open();
  CHECK(kernel.wait_for_serve());
  CHECK(machine.core.device_count() == before + 1);
}

TEST_CASE("an answer that nobody hears is no harm, and an open that nobody has is closed") {
  Machine machine;
  KernelSide kernel(machine.core);
  const auto create = *kernel.open(kernel.walk(kSlowCreate), O_WRONLY);
  const auto name = kernel.walk(kSlowType + "/name");
  kernel.stop_listening();
  for (unsigned n = 0; n < 10; ++n) {
    kernel.start_open(name, O_RDONLY);  // a leak otherwise, which a sanitizer sees
    kernel.send(FUSE_OPENDIR, kRoot, bytes(fuse_open_in{}));
  }
  kernel.start_write(create, uuid_of(10));
  while (machine.core.device_count() < 4) std::this_thread::yield();
  kernel.hang_up();
  CHECK(kernel.wait_for_serve());
}

// When a mount goes, the kernel drops the messages that it has not sent yet, among them the RELEASEDIR of a
// directory that has just been closed.
TEST_CASE("what the kernel never closes ends with the mount") {
  Machine machine;
  std::weak_ptr<model::Object> of_file;
  std::weak_ptr<model::Object> of_directory;
  {
    KernelSide kernel(machine.core);
    const auto file = kernel.walk(kSlow + "/" + uuid_of(0) + "/uevent");
    const auto directory = kernel.walk(kSlow + "/" + uuid_of(1));
    of_file = machine.core.tree().resolve(file).object;
    of_directory = machine.core.tree().resolve(directory).object;
    REQUIRE(kernel.open(file, O_RDONLY));
    REQUIRE(kernel.opendir(directory));
    for (const unsigned n : {0U, 1U}) REQUIRE(kernel.echo("1", kSlow + "/" + uuid_of(n) + "/remove"));
    CHECK_FALSE(of_file.expired());
    CHECK_FALSE(of_directory.expired());
    kernel.hang_up();
    REQUIRE(kernel.wait_for_serve());
  }
  CHECK(of_file.expired());
  CHECK(of_directory.expired());
}
