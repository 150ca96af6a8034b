// SPDX-License-Identifier: Apache-2.0
#include "ops.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "alias.h"
#include "open_file.h"

namespace mdevfs::fs {
namespace {

using model::HeldNode;
using model::Kind;

// The kernel may keep names and attributes for ever: every change is told to it (notifier.h).
constexpr double kForEver = 1e9;
constexpr blksize_t kBlock = 4096;
constexpr std::size_t kMostListed = std::size_t{1} << 20U;  // in one answer, whatever is asked for

// --- rendering

mode_t type_bits(Kind kind) {
  switch (kind) {
    case Kind::directory:
      return S_IFDIR;
    case Kind::link:
      return S_IFLNK;
    default:
      return S_IFREG;
  }
}

struct stat render(const model::Stat& from) {
  struct stat to{};
  to.st_ino = from.inode;
  to.st_mode = type_bits(from.kind) | from.mode;
  to.st_nlink = from.nlink;
  to.st_uid = from.uid;
  to.st_gid = from.gid;
  to.st_size = static_cast<off_t>(from.size);
  to.st_blksize = kBlock;
  to.st_atim = from.atime;
  to.st_mtim = from.mtime;
  to.st_ctim = from.ctime;
  return to;
}

// A change made through one alias must be seen through the others.
double attribute_timeout(fuse_ino_t inode) {
  return inode == without_alias(inode) ? kForEver : 0;
}

HeldNode resolve(const Context& context, fuse_ino_t inode) {
  return context.core.tree().resolve(without_alias(inode));
}

// kernfs_fop_open with KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK: the superuser too needs a bit of the mode,
// anybody's. (default_permissions lets root through.) O_DIRECT is refused because sysfs files have no such
// way.
int refuse_open(const model::Stat& stat, int flags) {
  if (stat.kind != Kind::file) return EINVAL;  // the kernel opens no other
  const int access = flags & O_ACCMODE;
  if ((access == O_RDONLY || access == O_RDWR) && (stat.mode & 0444) == 0) return EACCES;
  if ((access == O_WRONLY || access == O_RDWR) && (stat.mode & 0222) == 0) return EACCES;
  return (flags & O_DIRECT) != 0 ? EINVAL : 0;
}

// --- texts that the kernel keeps (kept_texts.h)

KeptTexts::Scope scope_of(const HeldNode& node) {
  const bool for_all = node.entry->store == nullptr && !node.entry->changes_alone;
  return for_all ? KeptTexts::Scope::all_opens : KeptTexts::Scope::one_open;
}

// Until the first READ, which may not ask for more than the kernel believes to be there.
off_t unread_size(const model::Entry& entry) {
  constexpr off_t kLong = off_t{1} << 20U;
  return entry.grows || entry.size == 0 ? kLong : static_cast<off_t>(entry.size);
}

model::Result<std::string> render_text(const Context& context, const HeldNode& node) {
  auto& tree = context.core.tree();
  if (!tree.alive(node)) return model::fail(ENODEV);
  if (const int refused = refuse_open(tree.stat(node), O_RDONLY); refused != 0) return model::fail(refused);
  return OpenFile(node).read(tree, 0, static_cast<std::size_t>(unread_size(*node.entry)));
}

// Of an inode whose object is gone and held by nobody only the slot is known; its number must stay what it
// was.
struct stat render(const Context& context, const HeldNode& node, fuse_ino_t inode) {
  struct stat to = render(context.core.tree().stat(node));
  to.st_ino = without_alias(inode);
  if (context.kept != nullptr && node.entry->kind == Kind::file) to.st_size = unread_size(*node.entry);
  return to;
}

OpenFile& open_file(const fuse_file_info* file) {
  return *reinterpret_cast<OpenFile*>(file->fh);
}

HeldNode& open_directory(const fuse_file_info* file) {
  return *reinterpret_cast<HeldNode*>(file->fh);
}

// --- names and attributes

void lookup(Context& context, Reply reply, fuse_ino_t parent, const char* name) {
  auto& tree = context.core.tree();
  const auto found = tree.lookup(resolve(context, parent), name);
  if (!found) return reply.error(found.error().value);  // never a cached "not there": it may come any moment
  const bool is_kept = context.kept != nullptr && found->entry->kind == Kind::file;
  if (is_kept && found->entry->open != nullptr) return reply.error(EOPNOTSUPP);  // nothing is ever opened
  fuse_entry_param entry{};
  entry.ino = model::inode_of(found->object->id, found->slot);
  entry.attr = render(context, *found, entry.ino);
  if (is_kept) {
    entry.ino = with_new_alias(entry.ino);
    context.kept->texts.restart(entry.ino);  // aliases come round
    if (scope_of(*found) == KeptTexts::Scope::all_opens) entry.attr_timeout = entry.entry_timeout = kForEver;
  } else if (found->entry->waits != nullptr && found->entry->waits(*found->object)) {
    // The kernel holds an inode's lock over a write and takes it for O_TRUNC (a shell's `>`), so with one
    // inode an open would wait for somebody else's slow create: with one second of probe, six at once took
    // 4.0 s, and 6.0 s with O_APPEND, which sysfs does side by side.
    entry.ino = with_new_alias(entry.ino);
  } else if (found->entry->retargets) {
    // The kernel keeps a link's text with its inode, for ever.
    entry.ino = with_new_alias(entry.ino);
    entry.entry_timeout = kForEver;
  } else {
    entry.attr_timeout = entry.entry_timeout = kForEver;
  }
  reply.entry(entry);
}

void getattr(Context& context, Reply reply, fuse_ino_t inode, fuse_file_info*) {
  const auto node = resolve(context, inode);
  double timeout = attribute_timeout(inode);
  struct stat attributes = render(context, node, inode);
  if (context.kept != nullptr && node.entry->kind == Kind::file) {
    const auto scope = scope_of(node);
    if (const auto size =
            context.kept->texts.size(inode, scope, [&] { return render_text(context, node); })) {
      attributes.st_size = static_cast<off_t>(*size);
      if (scope == KeptTexts::Scope::all_opens) timeout = kForEver;
    }
  }
  reply.attributes(attributes, timeout);
}

timespec now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

void setattr(Context& context, Reply reply, fuse_ino_t inode, struct stat* wanted, int set, fuse_file_info*) {
  auto& tree = context.core.tree();
  const auto node = resolve(context, inode);
  if ((set & FUSE_SET_ATTR_ATIME_NOW) != 0) wanted->st_atim = now();
  if ((set & FUSE_SET_ATTR_MTIME_NOW) != 0) wanted->st_mtim = now();
  const auto asked = [&](int bits, const auto& value) { return (set & bits) != 0 ? &value : nullptr; };
  tree.set_attributes(node, {.mode = asked(FUSE_SET_ATTR_MODE, wanted->st_mode),
                             .uid = asked(FUSE_SET_ATTR_UID, wanted->st_uid),
                             .gid = asked(FUSE_SET_ATTR_GID, wanted->st_gid),
                             .atime = asked(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW, wanted->st_atim),
                             .mtime = asked(FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW, wanted->st_mtim),
                             .truncated = (set & FUSE_SET_ATTR_SIZE) != 0});
  if (context.kept != nullptr) context.kept->texts.restart(inode);
  reply.attributes(render(context, node, inode), attribute_timeout(inode));
}

void readlink(Context& context, Reply reply, fuse_ino_t inode) {
  auto& tree = context.core.tree();
  const auto target = tree.readlink(resolve(context, inode));
  if (!target) return reply.error(target.error().value);
  reply.link(*target);
}

// --- directories

void opendir(Context& context, Reply reply, fuse_ino_t inode, fuse_file_info* file) {
  if (context.kept != nullptr && context.kept->listings.opened_by_kernel())
    return reply.error(ENOSYS);  // the kernel will not ask again
  auto node = std::make_unique<HeldNode>(resolve(context, inode));
  if (node->entry->kind != Kind::directory) return reply.error(ENOTDIR);
  HeldNode& opened = context.open_files.add(std::move(node));
  file->fh = reinterpret_cast<std::uint64_t>(&opened);
  if (!reply.opened(*file)) context.open_files.close(opened);
}

// Names as READDIR answers them.
class Page {
 public:
  explicit Page(std::size_t size) : buffer_(std::min(size, kMostListed), '\0') {}

  // False: it does not fit any more.
  bool add(const model::DirectoryEntry& entry, fuse_ino_t inode, std::uint64_t next) {
    struct stat stat{};
    stat.st_ino = inode;
    stat.st_mode = type_bits(entry.kind);
    const std::size_t left = buffer_.size() - used_;
    const auto needed = fuse_add_direntry(nullptr, buffer_.data() + used_, left, entry.name.c_str(), &stat,
                                          static_cast<off_t>(next));
    if (needed > left) return false;
    used_ += needed;
    return true;
  }
  bool empty() const { return used_ == 0; }
  void answer(Reply& reply) const { reply.data(buffer_.data(), used_); }

 private:
  std::string buffer_;
  std::size_t used_ = 0;
};

// Of a directory whose object is gone and held by nobody the model does not know the number.
void readdir_unopened(Context& context, Reply reply, fuse_ino_t inode, Page page, std::uint64_t offset) {
  auto& listings = context.kept->listings;
  const auto from = listings.begin(inode, offset);
  auto at = from;
  context.core.tree().list(resolve(context, inode), from.position, [&](const model::DirectoryEntry& entry) {
    at = listings.next(at, entry.next);
    return page.add(entry, entry.name == "." ? inode : entry.inode, at.offset());
  });
  if (page.empty()) listings.end(inode, from);
  page.answer(reply);
}

void readdir(Context& context, Reply reply, fuse_ino_t inode, std::size_t size, off_t offset,
             fuse_file_info* file) {
  Page page(size);
  if (context.kept != nullptr)
    return readdir_unopened(context, std::move(reply), inode, std::move(page),
                            static_cast<std::uint64_t>(offset));
  context.core.tree().list(
      open_directory(file), static_cast<std::uint64_t>(offset),
      [&](const model::DirectoryEntry& entry) { return page.add(entry, entry.inode, entry.next); });
  page.answer(reply);
}

void releasedir(Context& context, Reply reply, fuse_ino_t, fuse_file_info* file) {
  context.open_files.close(open_directory(file));
  reply.ok();
}

void fsyncdir(Context&, Reply reply, fuse_ino_t, int, fuse_file_info*) {
  reply.error(EINVAL);
}

// --- files

void open(Context& context, Reply reply, fuse_ino_t inode, fuse_file_info* file) {
  if (context.kept != nullptr) return reply.error(ENOSYS);  // the kernel will not ask again
  auto& tree = context.core.tree();
  auto node = resolve(context, inode);
  if (!tree.alive(node)) return reply.error(ENODEV);
  if (const int refused = refuse_open(tree.stat(node), file->flags); refused != 0)
    return reply.error(refused);
  if (node.entry->open != nullptr) {
    if (const auto may = node.entry->open(*node.object, node.slot); !may)
      return reply.error(may.error().value);
  }
  OpenFile& opened = context.open_files.add(std::make_unique<OpenFile>(std::move(node)));
  // A body of our own: libfuse 3.14 has no parallel_direct_writes, without which creates through several
  // descriptors of one file run one after another; and this way all versions do the same.
  fuse_open_out body{};
  body.fh = reinterpret_cast<std::uint64_t>(&opened);
  body.open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES;
  if (!reply.raw(&body, sizeof body)) context.open_files.close(opened);
}

void read(Context& context, Reply reply, fuse_ino_t inode, std::size_t size, off_t offset,
          fuse_file_info* file) {
  if (context.kept != nullptr) {
    const auto node = resolve(context, inode);
    return context.kept->texts.read(
        inode, scope_of(node), static_cast<std::uint64_t>(offset), size,
        [&] { return render_text(context, node); }, std::move(reply));
  }
  const auto text = open_file(file).read(context.core.tree(), static_cast<std::uint64_t>(offset), size);
  if (!text) return reply.error(text.error().value);
  reply.data(text->data(), text->size());
}

// A refused WRITE has changed nothing, and is answered at once: the kernel holds a page meanwhile, which the
// notifier may want to invalidate.
void write_unopened(Context& context, Reply reply, fuse_ino_t inode, std::string_view data,
                    std::uint64_t offset) {
  auto& tree = context.core.tree();
  auto node = resolve(context, inode);
  if (!tree.alive(node)) return reply.error(ENODEV);
  if (const int refused = refuse_open(tree.stat(node), O_WRONLY); refused != 0) return reply.error(refused);
  if (node.entry->store == nullptr) return reply.error(EIO);
  const std::string before = context.split_writes.first_half(inode, offset);
  auto written = OpenFile(std::move(node)).write(before + std::string(data));
  if (written) {
    *written -= std::min(*written, before.size());
  } else if (context.split_writes.keep(inode, offset, data, written.error().value)) {
    written = data.size();
  }
  context.notifier.answer_after(std::move(reply), written ? 0 : written.error().value, written.value_or(0));
}

void write(Context& context, Reply reply, fuse_ino_t inode, const char* data, std::size_t size, off_t offset,
           fuse_file_info* file) {
  if (context.kept != nullptr)
    return write_unopened(context, std::move(reply), inode, {data, size}, static_cast<std::uint64_t>(offset));
  const auto written = open_file(file).write({data, size});
  context.notifier.answer_after(std::move(reply), written ? 0 : written.error().value, written.value_or(0));
}

void release(Context& context, Reply reply, fuse_ino_t, fuse_file_info* file) {
  context.open_files.close(open_file(file));
  reply.ok();
}

void poll(Context& context, Reply reply, fuse_ino_t, fuse_file_info* file, fuse_pollhandle* handle) {
  // Watched first and looked at then, so that no change falls between. Of sysfs files nobody is ever woken:
  // sysfs does not notify when a count changes, and neither do we.
  if (context.kept != nullptr) {
    if (handle != nullptr) fuse_pollhandle_destroy(handle);
    return reply.error(ENOSYS);  // whoever polls an unopened file is told that it is ready
  }
  OpenFile& opened = open_file(file);
  if (handle != nullptr) context.open_files.watch(opened, handle);
  reply.events(opened.events(context.core.tree()));
}

void statfs(Context&, Reply reply, fuse_ino_t) {
  struct statvfs statistics{};
  statistics.f_bsize = statistics.f_frsize = kBlock;
  statistics.f_namemax = 255;
  reply.statistics(statistics);
}

// --- directories that clients make (configfs). The kernel holds the directory's lock until we answer, and
// our notifier may be waiting for that lock: answer at once, not behind the notifier.

void mkdir(Context& context, Reply reply, fuse_ino_t parent, const char* name, mode_t) {
  const auto directory = resolve(context, parent);
  if (!directory.object || directory.entry->make_directory == nullptr) return reply.error(EPERM);
  if (std::strlen(name) > NAME_MAX) return reply.error(ENAMETOOLONG);
  const auto made = directory.entry->make_directory(*directory.object, name);
  if (!made) return reply.error(made.error().value);
  if (context.kept != nullptr) context.kept->listings.tell_all();
  lookup(context, std::move(reply), parent, name);
}

void rmdir(Context& context, Reply reply, fuse_ino_t parent, const char* name) {
  const auto directory = resolve(context, parent);
  if (!directory.object || directory.entry->remove_directory == nullptr) return reply.error(EPERM);
  const auto removed = directory.entry->remove_directory(*directory.object, name);
  if (context.kept != nullptr) context.kept->listings.tell_all();
  reply.error(removed ? 0 : removed.error().value);
}

// --- what sysfs refuses. Who may not write to the directory has got EACCES from the kernel before.

void mknod(Context&, Reply reply, fuse_ino_t, const char*, mode_t mode, dev_t) {
  reply.error(S_ISREG(mode) ? EACCES : EPERM);
}
void unlink(Context&, Reply reply, fuse_ino_t, const char*) {
  reply.error(EPERM);
}
void symlink(Context&, Reply reply, const char*, fuse_ino_t, const char*) {
  reply.error(EPERM);
}
// Onto itself is nothing to do, and the kernel sees to it; but not of a file that is another inode at each
// lookup.
void rename(Context&, Reply reply, fuse_ino_t from, const char* name, fuse_ino_t to, const char* new_name,
            unsigned) {
  reply.error(from == to && std::strcmp(name, new_name) == 0 ? 0 : EPERM);
}
void link(Context&, Reply reply, fuse_ino_t, fuse_ino_t, const char*) {
  reply.error(EPERM);
}
void create(Context&, Reply reply, fuse_ino_t, const char*, mode_t, fuse_file_info*) {
  reply.error(EACCES);
}

// --- extended attributes: kernfs keeps trusted.* and security.*, has no user.* and knows no other

bool starts_with(const char* name, const char* prefix) {
  return std::strncmp(name, prefix, std::strlen(prefix)) == 0;
}
bool kept(const char* name) {
  return starts_with(name, "trusted.") || starts_with(name, "security.");
}

void answer_sized(Reply& reply, const std::string& value, std::size_t size) {
  if (size == 0) return reply.xattr_size(value.size());
  if (value.size() > size) return reply.error(ERANGE);
  reply.data(value.data(), value.size());
}

void setxattr(Context& context, Reply reply, fuse_ino_t inode, const char* name, const char* value,
              std::size_t size, int flags) {
  if (starts_with(name, "system.posix_acl_")) return reply.error(context.core.age().acl_errno);
  if (!kept(name)) return reply.error(EOPNOTSUPP);
  auto& tree = context.core.tree();
  const auto set = tree.set_xattr(resolve(context, inode), name, {value, size}, flags);
  reply.error(set ? 0 : set.error().value);
}

void getxattr(Context& context, Reply reply, fuse_ino_t inode, const char* name, std::size_t size) {
  if (starts_with(name, "user.")) return reply.error(ENODATA);
  if (!kept(name)) return reply.error(EOPNOTSUPP);
  auto& tree = context.core.tree();
  const auto value = tree.get_xattr(resolve(context, inode), name);
  if (!value) return reply.error(value.error().value);
  answer_sized(reply, *value, size);
}

void listxattr(Context& context, Reply reply, fuse_ino_t inode, std::size_t size) {
  auto& tree = context.core.tree();
  std::string names;
  for (const auto& name : tree.list_xattrs(resolve(context, inode))) {
    if (reply.caller().uid != 0 && starts_with(name.c_str(), "trusted.")) continue;
    names += name + '\0';
  }
  answer_sized(reply, names, size);
}

void removexattr(Context& context, Reply reply, fuse_ino_t inode, const char* name) {
  if (!kept(name)) return reply.error(EOPNOTSUPP);
  auto& tree = context.core.tree();
  const auto removed = tree.remove_xattr(resolve(context, inode), name);
  reply.error(removed ? 0 : removed.error().value);
}

// --- the C boundary

void init(void* userdata, fuse_conn_info* connection) {
  // An open with O_TRUNC must come as a setattr: it is one in sysfs (times, permission), and done by OPEN it
  // would leave the kernel with a size of 0.
  connection->want &= ~FUSE_CAP_ATOMIC_O_TRUNC;
  connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS;
  const auto& context = *static_cast<Context*>(userdata);
  context.channel.set_expires((connection->capable & FUSE_CAP_EXPIRE_ONLY) != 0);
  if (context.kept == nullptr) return;
  // We say what is out of date. And a READ of pages waits in the background, of which the kernel sends a
  // dozen at a time: as many slow ones would hold up all others.
  connection->want &= ~FUSE_CAP_AUTO_INVAL_DATA;
  context.kept->listings.set_opened_by_kernel((connection->capable & FUSE_CAP_NO_OPENDIR_SUPPORT) != 0);
  connection->max_background = connection->congestion_threshold = UINT16_MAX;
}

// Only files have aliases, and each is looked up once.
void forget_multi(Context& context, Reply reply, std::size_t count, fuse_forget_data* forgotten) {
  for (const auto& each : std::span(forgotten, count)) {
    if (context.kept == nullptr) break;
    context.kept->texts.forget(each.ino);
    context.kept->listings.forget(each.ino);
    context.split_writes.forget(each.ino);
  }
  reply.none();
}

void forget(Context& context, Reply reply, fuse_ino_t inode, std::uint64_t lookups) {
  fuse_forget_data forgotten{inode, lookups};
  forget_multi(context, std::move(reply), 1, &forgotten);
}

// From C to one of the functions above. Whatever is thrown there has taken the reply with it, which answers
// EIO.
template <auto kHandler>
struct Thunk;

template <typename... Arguments, void (*kHandler)(Context&, Reply, Arguments...)>
struct Thunk<kHandler> {
  static void call(fuse_req_t request, Arguments... arguments) noexcept {
    try {
      kHandler(*static_cast<Context*>(fuse_req_userdata(request)), Reply(request), arguments...);
    } catch (...) {  // answered by the reply's end
    }
  }
};

template <auto kHandler>
constexpr auto kThunk = &Thunk<kHandler>::call;

// symlink is the one operation whose first argument is not an inode, which changes nothing here.
fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops ops{};
  ops.init = init;
  ops.lookup = kThunk<lookup>;
  ops.forget = kThunk<forget>;
  ops.forget_multi = kThunk<forget_multi>;
  ops.getattr = kThunk<getattr>;
  ops.setattr = kThunk<setattr>;
  ops.readlink = kThunk<readlink>;
  ops.mknod = kThunk<mknod>;
  ops.mkdir = kThunk<mkdir>;
  ops.unlink = kThunk<unlink>;
  ops.rmdir = kThunk<rmdir>;
  ops.symlink = kThunk<symlink>;
  ops.rename = kThunk<rename>;
  ops.link = kThunk<link>;
  ops.open = kThunk<open>;
  ops.read = kThunk<read>;
  ops.write = kThunk<write>;
  ops.release = kThunk<release>;
  ops.opendir = kThunk<opendir>;
  ops.readdir = kThunk<readdir>;
  ops.releasedir = kThunk<releasedir>;
  ops.fsyncdir = kThunk<fsyncdir>;
  ops.statfs = kThunk<statfs>;
  ops.setxattr = kThunk<setxattr>;
  ops.getxattr = kThunk<getxattr>;
  ops.listxattr = kThunk<listxattr>;
  ops.removexattr = kThunk<removexattr>;
  ops.create = kThunk<create>;
  ops.poll = kThunk<poll>;
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops ops = make_operations();
  return ops;
}

}  // namespace mdevfs::fs
