// SPDX-License-Identifier: Apache-2.0
//
// The peer: the least that a filesystem on libfuse can be. A file, a link and directories that never change,
// answered from memory by libfuse's own loop, with its defaults. What mdevfs costs beside it is mdevfs's own.
//
//   null_fs MOUNTPOINT ENTRIES...     a directory dENTRIES of so many entries for each
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr double kTimeout = 1.0;  // what libfuse's high-level interface has by default
constexpr fuse_ino_t kFile = 2;
constexpr fuse_ino_t kLink = 3;
constexpr fuse_ino_t kFirstDirectory = 4;
constexpr char kText[] = "vfio-pci\n";

struct Directory {
  std::string name;
  std::vector<char> listing = {};  // all of it, as readdir answers
};

std::vector<Directory> directories;

struct stat attributes_of(fuse_ino_t inode) {
  struct stat stat{};
  stat.st_ino = inode;
  stat.st_nlink = 1;
  if (inode == kFile) {
    stat.st_mode = S_IFREG | 0644;
    stat.st_size = 4096;
  } else {
    stat.st_mode = inode == kLink ? S_IFLNK | 0777 : S_IFDIR | 0755;
  }
  return stat;
}

fuse_ino_t find(const std::string& name) {
  if (name == "file") return kFile;
  if (name == "link") return kLink;
  const auto found = std::ranges::find(directories, name, &Directory::name);
  return found == directories.end() ? 0
                                    : kFirstDirectory + static_cast<fuse_ino_t>(found - directories.begin());
}

void lookup(fuse_req_t request, fuse_ino_t, const char* name) {
  fuse_entry_param entry{};
  entry.ino = find(name);
  if (entry.ino == 0) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  entry.attr = attributes_of(entry.ino);
  entry.attr_timeout = entry.entry_timeout = kTimeout;
  fuse_reply_entry(request, &entry);
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const struct stat stat = attributes_of(inode);
  fuse_reply_attr(request, &stat, kTimeout);
}

void setattr(fuse_req_t request, fuse_ino_t inode, struct stat*, int, fuse_file_info*) {
  getattr(request, inode, nullptr);
}

void readlink(fuse_req_t request, fuse_ino_t) {
  fuse_reply_readlink(request, "../mdev_supported_types/mdpy-vga");
}

void open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  file->direct_io = 1;
  fuse_reply_open(request, file);
}

void read(fuse_req_t request, fuse_ino_t, std::size_t, off_t offset, fuse_file_info*) {
  const auto from = std::min<std::size_t>(static_cast<std::size_t>(offset), sizeof kText - 1);
  fuse_reply_buf(request, kText + from, sizeof kText - 1 - from);
}

void write(fuse_req_t request, fuse_ino_t, const char*, std::size_t size, off_t, fuse_file_info*) {
  fuse_reply_write(request, size);
}

void flush(fuse_req_t request, fuse_ino_t, fuse_file_info*) {
  fuse_reply_err(request, 0);
}

void readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset, fuse_file_info*) {
  if (inode < kFirstDirectory) {
    fuse_reply_buf(request, nullptr, 0);
    return;
  }
  const auto& listing = directories[inode - kFirstDirectory].listing;
  const auto from = std::min(static_cast<std::size_t>(offset), listing.size());
  fuse_reply_buf(request, listing.data() + from, std::min(size, listing.size() - from));
}

std::vector<char> make_listing(fuse_req_t request, unsigned long entries) {
  std::vector<char> listing;
  for (unsigned long i = 0; i < entries; ++i) {
    char name[64];
    std::snprintf(name, sizeof name, "%08lx-0000-4000-8000-%012lx", i * 2654435761UL & 0xffffffffUL, i);
    struct stat stat{};
    stat.st_ino = 1000 + i;
    stat.st_mode = S_IFDIR;
    const auto used = listing.size();
    listing.resize(used + fuse_add_direntry(request, nullptr, 0, name, nullptr, 0));
    fuse_add_direntry(request, listing.data() + used, listing.size() - used, name, &stat,
                      static_cast<off_t>(listing.size()));
  }
  return listing;
}

int serve(const char* mountpoint) {
  fuse_lowlevel_ops ops{};
  ops.lookup = lookup;
  ops.getattr = getattr;
  ops.setattr = setattr;
  ops.readlink = readlink;
  ops.open = open;
  ops.read = read;
  ops.write = write;
  ops.flush = flush;
  ops.readdir = readdir;
  char name[] = "null_fs";
  char* arguments[] = {name, nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments);
  fuse_session* const session = fuse_session_new(&args, &ops, sizeof ops, nullptr);
  if (session == nullptr || fuse_set_signal_handlers(session) != 0) return 1;
  if (fuse_session_mount(session, mountpoint) != 0) return 1;
  fuse_loop_config* const config = fuse_loop_cfg_create();
  const int result = fuse_session_loop_mt(session, config);
  fuse_loop_cfg_destroy(config);
  fuse_session_unmount(session);
  fuse_remove_signal_handlers(session);
  fuse_session_destroy(session);
  return result < 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: null_fs MOUNTPOINT ENTRIES...\n", stderr);
    return 2;
  }
  for (int i = 2; i < argc; ++i) {
    const unsigned long entries = std::strtoul(argv[i], nullptr, 10);
    directories.push_back({std::string("d") + argv[i], make_listing(nullptr, entries)});
  }
  return serve(argv[1]);
}
