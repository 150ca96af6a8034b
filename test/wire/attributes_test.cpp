// SPDX-License-Identifier: Apache-2.0
//
// The small print of single requests: the handshake, what OPEN answers and refuses, reads in parts,
// attributes, xattrs, and what sysfs refuses.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>

#include "backends/backends.h"
#include "catch.h"
#include "kernel_side.h"
#include "slow_driver.h"

using namespace mdevfs;
using namespace mdevfs::test;
using model::fail;

namespace {

const std::string kType = "devices/virtual/mtty/mtty/mdev_supported_types/mtty-1/";

struct Mtty {
  model::Core core;
  Mtty() { REQUIRE(backends::find("mtty")->load(core, {})); }
};

struct Mounted : Mtty {
  KernelSide kernel{core};
  Result<Descriptor> open(std::string_view path, std::uint32_t flags) {
    return kernel.open(kernel.walk(path), flags);
  }
  int error_of_open(std::string_view path, std::uint32_t flags) {
    const auto file = open(path, flags);
    return file ? 0 : file.error().value;
  }
  void chmod(std::string_view path, std::uint32_t mode) {
    fuse_setattr_in wanted{};
    wanted.valid = FATTR_MODE;
    wanted.mode = mode;
    REQUIRE(kernel.setattr(kernel.walk(path), wanted));
  }
};

std::string name_and(const std::string& name, std::string_view rest) {
  return (name + '\0').append(rest);
}

int error_of_setxattr(KernelSide& kernel, std::uint64_t inode, const std::string& name,
                      const std::string& value, std::uint32_t flags = 0) {
  // Which of its two forms SETXATTR has was agreed in the handshake.
  const bool extended = (kernel.init_answer().flags & FUSE_SETXATTR_EXT) != 0;
  fuse_setxattr_in in{};
  in.size = static_cast<std::uint32_t>(value.size());
  in.flags = flags;
  const auto fixed = bytes(in).substr(0, extended ? sizeof in : FUSE_COMPAT_SETXATTR_IN_SIZE);
  return kernel.call(FUSE_SETXATTR, inode, fixed + name_and(name, value)).error;
}

}  // namespace

TEST_CASE("the handshake asks for parallel lookups and for symlinks to be cached") {
  model::Core core;
  std::atomic<bool> ready = false;
  KernelSide kernel(core, {.on_ready = [&] { ready = true; }});
  CHECK((kernel.init_answer().flags & FUSE_PARALLEL_DIROPS) != 0);
  CHECK((kernel.init_answer().flags & FUSE_CACHE_SYMLINKS) != 0);
  CHECK((kernel.init_answer().flags & FUSE_ATOMIC_O_TRUNC) == 0);
  CHECK(kernel.getattr(kRoot));
  while (!ready) std::this_thread::yield();
}

TEST_CASE_METHOD(Mounted, "an open file is not cached, not flushed, and written side by side") {
  for (const auto& [path, flags] : {std::pair{kType + "create", O_WRONLY}, {kType + "name", O_RDONLY}}) {
    const auto file = open(path, static_cast<std::uint32_t>(flags));
    REQUIRE(file);
    CHECK(file->open_flags == (FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES));
  }
}

TEST_CASE_METHOD(Mounted, "the superuser obeys the mode bits at open") {
  CHECK(error_of_open(kType + "create", O_RDONLY) == EACCES);
  CHECK(error_of_open(kType + "create", O_RDWR) == EACCES);
  CHECK(error_of_open(kType + "available_instances", O_WRONLY) == EACCES);
  CHECK(error_of_open(kType + "available_instances", O_RDWR) == EACCES);
  CHECK(error_of_open(kType + "available_instances", 3) == 0);
  CHECK(error_of_open(kType + "name", O_RDONLY | O_DIRECT) == EINVAL);
  CHECK(error_of_open(kType + "name", O_RDONLY | O_APPEND | O_NONBLOCK) == 0);

  chmod(kType + "create", 0666);
  const auto create = open(kType + "create", O_RDWR);
  REQUIRE(create);
  CHECK(kernel.read(*create) == fail(EIO));
  chmod(kType + "name", 0600);
  const auto name = open(kType + "name", O_RDWR);
  REQUIRE(name);
  CHECK(kernel.write(*name, "x") == fail(EIO));
  chmod(kType + "name", 0);
  CHECK(error_of_open(kType + "name", O_RDONLY) == EACCES);
}

TEST_CASE_METHOD(Mounted, "a text read in parts is of one moment") {
  const auto count = open(kType + "available_instances", O_RDONLY);
  REQUIRE(count);
  CHECK(kernel.read(*count, 0, 1) == "2");
  REQUIRE(kernel.echo(uuid_of(1), kType + "create"));
  CHECK(kernel.read(*count, 1, 1) == "4");
  CHECK(kernel.read(*count, 2, 4096) == "\n");
  CHECK(kernel.read(*count, 3, 4096) == "");
  CHECK(kernel.read(*count, 1, 4096) == "3\n");  // from elsewhere: made anew
  CHECK(kernel.read(*count, 0, 1) == "2");
  CHECK(kernel.read(*count, 4096, 1) == "");
}

TEST_CASE_METHOD(Mounted, "poll reports a change until the first read") {
  const auto count = open(kType + "available_instances", O_RDONLY);
  REQUIRE(count);
  CHECK((*kernel.poll(*count) & (POLLPRI | POLLERR)) != 0);
  REQUIRE(kernel.read(*count));
  CHECK(*kernel.poll(*count) == (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
  REQUIRE(kernel.echo(uuid_of(1), kType + "create"));
  CHECK(*kernel.poll(*count) == (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
}

TEST_CASE_METHOD(Mounted, "attributes that are set are kept, but for the size") {
  const auto inode = kernel.walk(kType + "name");
  fuse_setattr_in wanted{};
  wanted.valid = FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME;
  wanted.uid = 65534;
  wanted.gid = 65533;
  wanted.atime = 1234567;
  const auto set = kernel.setattr(inode, wanted);
  REQUIRE(set);
  const auto got = kernel.getattr(inode);
  for (const auto& attributes : {*set, *got}) {
    CHECK(attributes.uid == 65534);
    CHECK(attributes.gid == 65533);
    CHECK(attributes.size == 4096);
    CHECK(attributes.atime == 1234567);
    CHECK(attributes.mode == (S_IFREG | 0444));
  }
}

TEST_CASE_METHOD(Mounted, "trusted and security xattrs are kept, whole names and values") {
  const auto inode = kernel.walk(kType + "name");
  const auto set = [&](const std::string& name, const std::string& value, std::uint32_t flags = 0) {
    return error_of_setxattr(kernel, inode, name, value, flags);
  };
  const auto get = [&](const std::string& name, std::uint32_t size) {
    return kernel.call(FUSE_GETXATTR, inode, name_and(bytes(fuse_getxattr_in{size, 0}) + name, ""));
  };
  CHECK(set("trusted.colour", "blue") == 0);
  CHECK(set("security.x", std::string("\0y", 2)) == 0);
  CHECK(set("user.colour", "blue") == EOPNOTSUPP);
  CHECK(get("trusted.colour", 100).body == "blue");
  CHECK(from_bytes<fuse_getxattr_out>(get("trusted.colour", 0).body).size == 4);
  CHECK(get("trusted.colour", 3).error == ERANGE);
  CHECK(get("security.x", 100).body == std::string("\0y", 2));
  CHECK(get("trusted.", 100).error == ENODATA);
  CHECK(get("user.colour", 100).error == ENODATA);
  CHECK(get("system.posix_acl_access", 100).error == EOPNOTSUPP);
  CHECK(kernel.call(FUSE_LISTXATTR, inode, bytes(fuse_getxattr_in{100, 0})).body ==
        std::string("trusted.colour\0security.x\0", 26));
  CHECK(set("trusted.colour", "red", 1) == EEXIST);  // XATTR_CREATE
  CHECK(set("trusted.other", "red", 2) == ENODATA);  // XATTR_REPLACE
  CHECK(kernel.call(FUSE_REMOVEXATTR, inode, name_and("trusted.colour", "")).error == 0);
  CHECK(get("trusted.colour", 100).error == ENODATA);
}

TEST_CASE("acl_errno: an access list is refused by the kernel's age") {
  const auto error_on = [](model::KernelVersion version) {
    model::Core core({}, model::Core::Boot::all, version);
    KernelSide kernel{core};
    return error_of_setxattr(kernel, kernel.walk("bus"), "system.posix_acl_access", "x");
  };
  CHECK(error_on({6, 1}) == EOPNOTSUPP);
  CHECK(error_on({6, 2}) == EINVAL);
}

TEST_CASE_METHOD(Mounted, "what sysfs refuses") {
  const auto type = kernel.walk("class/mdev_bus");
  const auto error = [&](std::uint32_t opcode, const std::string& body) {
    return kernel.call(opcode, type, body).error;
  };
  const auto mknod = [&](std::uint32_t mode) {
    fuse_mknod_in in{};
    in.mode = mode;
    return error(FUSE_MKNOD, name_and(bytes(in) + "x", ""));
  };
  CHECK(error(FUSE_MKDIR, name_and(bytes(fuse_mkdir_in{0755, 0}) + "x", "")) == EPERM);
  CHECK(error(FUSE_RMDIR, name_and("mtty", "")) == EPERM);
  CHECK(error(FUSE_UNLINK, name_and("mtty", "")) == EPERM);
  CHECK(error(FUSE_SYMLINK, name_and("x", name_and("y", ""))) == EPERM);
  CHECK(error(FUSE_RENAME, name_and(bytes(fuse_rename_in{type}) + "mtty", name_and("y", ""))) == EPERM);
  CHECK(error(FUSE_LINK, name_and(bytes(fuse_link_in{type}) + "y", "")) == EPERM);
  CHECK(error(FUSE_CREATE, name_and(bytes(fuse_create_in{}) + "x", "")) == EACCES);
  CHECK(mknod(S_IFREG | 0644) == EACCES);
  CHECK(mknod(S_IFIFO | 0644) == EPERM);
  CHECK(error(FUSE_FSYNCDIR, bytes(fuse_fsync_in{})) == EINVAL);
  CHECK(error(FUSE_BMAP, bytes(fuse_bmap_in{})) == ENOSYS);
}
