// SPDX-License-Identifier: Apache-2.0
#include "kernel_side.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace mdevfs::test {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

std::string header(std::uint32_t opcode, std::uint64_t inode, std::uint64_t unique, std::size_t body) {
  fuse_in_header in{};
  in.len = static_cast<std::uint32_t>(sizeof in + body);
  in.opcode = opcode;
  in.unique = unique;
  in.nodeid = inode;
  in.pid = static_cast<std::uint32_t>(getpid());
  return bytes(in);
}

std::string with_end(std::string_view name) {
  return std::string(name) + '\0';
}

// What pick() takes from an answer of this form.
template <typename T, typename Pick>
auto as(const Answer& answer, Pick pick) -> Result<decltype(pick(T{}))> {
  if (answer.error != 0) return model::fail(answer.error);
  if (answer.body.size() != sizeof(T)) throw std::runtime_error("an answer of another size");
  return pick(from_bytes<T>(answer.body));
}

}  // namespace

KernelSide::KernelSide(model::Core& core, fs::Options options, std::uint32_t offers) {
  // A real /dev/fuse has no SIGPIPE: a write to a mount that has gone is ENODEV.
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw std::system_error(errno, std::generic_category(), "socketpair");
  socket_ = ends[0];
  filesystem_.emplace(core, std::move(options));
  if (const auto attached = filesystem_->attach(ends[1]); !attached)
    throw std::runtime_error(attached.error());
  server_ = std::thread([this] {
    filesystem_->serve();
    const std::lock_guard lock(mutex_);
    served_ = true;
    news_.notify_all();
  });
  listener_ = std::thread([this] { listen(); });
  shake_hands(offers);
}

KernelSide::~KernelSide() {
  if (!ending_) release_what_is_open();
  stop();
  server_.join();
  filesystem_.reset();  // closes its end, which ends the listener
  listener_.join();
  ::close(socket_);
}

void KernelSide::release_what_is_open() {
  while (!open_files_.empty()) close(Descriptor(open_files_.begin()->second));
  while (!open_directories_.empty()) closedir(Descriptor(open_directories_.begin()->second));
}

void KernelSide::shake_hands(std::uint32_t offers) {
  fuse_init_in in{};
  in.major = FUSE_KERNEL_VERSION;
  in.minor = FUSE_KERNEL_MINOR_VERSION;
  in.max_readahead = 131072;
  in.flags = offers;
  in.flags2 = static_cast<std::uint32_t>(FUSE_HAS_EXPIRE_ONLY >> 32U);
  const Answer answer = call(FUSE_INIT, 0, bytes(in));
  if (answer.error != 0) throw std::system_error(answer.error, std::generic_category(), "INIT");
  init_answer_ = from_bytes<fuse_init_out>(answer.body);
}

// --- messages

std::uint64_t KernelSide::next_unique() {
  const std::lock_guard lock(mutex_);
  return last_unique_ += 2;  // as the kernel: odd ones are interrupts
}

void KernelSide::send_message(std::string_view message) {
  if (::send(socket_, message.data(), message.size(), MSG_NOSIGNAL) < 0)
    throw std::system_error(errno, std::generic_category(), "send");
}

std::uint64_t KernelSide::send(std::uint32_t opcode, std::uint64_t inode, std::string_view body) {
  const auto unique = next_unique();
  send_message(header(opcode, inode, unique, body.size()).append(body));
  return unique;
}

Answer KernelSide::wait(std::uint64_t unique) {
  std::unique_lock lock(mutex_);
  if (!news_.wait_for(lock, kPatience, [&] { return answers_.contains(unique); }))
    throw std::runtime_error(fmt::format("no answer to request {}", unique));
  return answers_.at(unique);
}

Answer KernelSide::call(std::uint32_t opcode, std::uint64_t inode, std::string_view body) {
  return wait(send(opcode, inode, body));
}

bool KernelSide::answered(std::uint64_t unique) const {
  const std::lock_guard lock(mutex_);
  return answers_.contains(unique);
}

std::size_t KernelSide::heard_answers() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(heard_, [](const Heard& h) { return h.unique != 0; }));
}

KernelSide::Names KernelSide::known_names() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::vector<Heard> KernelSide::heard() const {
  const std::lock_guard lock(mutex_);
  return heard_;
}

void KernelSide::listen() {
  std::string buffer(std::size_t{1} << 18U, '\0');
  while (true) {
    const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    hear(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
}

void KernelSide::hear(std::string_view message) {
  const auto out = from_bytes<fuse_out_header>(message);
  const auto body = message.substr(sizeof out);
  Heard heard{.unique = out.unique};
  if (out.unique == 0) {
    heard.code = out.error;
    if (out.error == FUSE_NOTIFY_INVAL_ENTRY) {
      const auto gone = from_bytes<fuse_notify_inval_entry_out>(body);
      heard.inode = gone.parent;
      heard.flags = gone.flags;
      heard.name = body.substr(sizeof gone, gone.namelen);
    } else {
      const auto outdated = from_bytes<fuse_notify_inval_inode_out>(body);
      heard.inode = outdated.ino;
      heard.pages = outdated.off >= 0;
    }
  }
  const std::lock_guard lock(mutex_);
  if (out.unique != 0) answers_[out.unique] = {-out.error, std::string(body)};
  heard_.push_back(std::move(heard));
  news_.notify_all();
}

// --- what a program does

Result<fuse_entry_out> KernelSide::lookup(std::uint64_t directory, std::string_view name) {
  return as<fuse_entry_out>(call(FUSE_LOOKUP, directory, with_end(name)), [&](const fuse_entry_out& out) {
    const std::lock_guard lock(mutex_);
    known_[{directory, std::string(name)}] = out.nodeid;
    return out;
  });
}

Result<std::uint64_t> KernelSide::find(std::string_view path) {
  std::uint64_t inode = kRoot;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    const auto found = lookup(inode, path.substr(0, end));
    if (!found) return std::unexpected(found.error());
    inode = found->nodeid;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return inode;
}

std::uint64_t KernelSide::walk(std::string_view path) {
  const auto found = find(path);
  if (!found) throw std::runtime_error(fmt::format("{}: errno {}", path, found.error().value));
  return *found;
}

Result<fuse_attr> KernelSide::getattr(std::uint64_t inode) {
  return as<fuse_attr_out>(call(FUSE_GETATTR, inode, bytes(fuse_getattr_in{})),
                           [](const fuse_attr_out& out) { return out.attr; });
}

Result<fuse_attr> KernelSide::setattr(std::uint64_t inode, const fuse_setattr_in& wanted) {
  return as<fuse_attr_out>(call(FUSE_SETATTR, inode, bytes(wanted)),
                           [](const fuse_attr_out& out) { return out.attr; });
}

Result<std::string> KernelSide::readlink(std::uint64_t inode) {
  Answer answer = call(FUSE_READLINK, inode);
  if (answer.error != 0) return model::fail(answer.error);
  return std::move(answer.body);
}

std::uint64_t KernelSide::start_open(std::uint64_t inode, std::uint32_t flags) {
  return send(FUSE_OPEN, inode, bytes(fuse_open_in{flags, 0}));
}

Result<Descriptor> KernelSide::open(std::uint64_t inode, std::uint32_t flags) {
  return as<fuse_open_out>(wait(start_open(inode, flags)), [&](const fuse_open_out& out) {
    const std::lock_guard lock(mutex_);
    return open_files_[out.fh] = {inode, out.fh, out.open_flags};
  });
}

std::uint64_t KernelSide::start_read(const Descriptor& file, std::uint64_t offset, std::uint32_t size) {
  fuse_read_in in{};
  in.fh = file.handle;
  in.offset = offset;
  in.size = size;
  return send(FUSE_READ, file.inode, bytes(in));
}

Result<std::string> KernelSide::read(const Descriptor& file, std::uint64_t offset, std::uint32_t size) {
  Answer answer = wait(start_read(file, offset, size));
  if (answer.error != 0) return model::fail(answer.error);
  return std::move(answer.body);
}

std::uint64_t KernelSide::start_write(const Descriptor& file, std::string_view text, std::uint64_t offset) {
  fuse_write_in in{};
  in.fh = file.handle;
  in.offset = offset;
  in.size = static_cast<std::uint32_t>(text.size());
  return send(FUSE_WRITE, file.inode, bytes(in).append(text));
}

Result<std::size_t> KernelSide::written(const Answer& answer) {
  return as<fuse_write_out>(answer, [](const fuse_write_out& out) -> std::size_t { return out.size; });
}

Result<std::size_t> KernelSide::write(const Descriptor& file, std::string_view text, std::uint64_t offset) {
  return written(wait(start_write(file, text, offset)));
}

Result<std::uint32_t> KernelSide::poll(const Descriptor& file) {
  fuse_poll_in in{};
  in.fh = file.handle;
  return as<fuse_poll_out>(call(FUSE_POLL, file.inode, bytes(in)),
                           [](const fuse_poll_out& out) { return out.revents; });
}

void KernelSide::close(const Descriptor& file) {
  fuse_release_in in{};
  in.fh = file.handle;
  {
    const std::lock_guard lock(mutex_);
    open_files_.erase(file.handle);
  }
  call(FUSE_RELEASE, file.inode, bytes(in));
}

Result<Descriptor> KernelSide::opendir(std::uint64_t inode) {
  return as<fuse_open_out>(call(FUSE_OPENDIR, inode, bytes(fuse_open_in{})), [&](const fuse_open_out& out) {
    const std::lock_guard lock(mutex_);
    return open_directories_[out.fh] = {inode, out.fh, out.open_flags};
  });
}

Result<std::vector<Listed>> KernelSide::readdir(const Descriptor& directory, std::uint64_t position,
                                                std::uint32_t size) {
  fuse_read_in in{};
  in.fh = directory.handle;
  in.offset = position;
  in.size = size;
  const Answer answer = call(FUSE_READDIR, directory.inode, bytes(in));
  if (answer.error != 0) return model::fail(answer.error);
  std::vector<Listed> entries;
  for (std::string_view rest = answer.body; !rest.empty();) {
    const auto entry = from_bytes<fuse_dirent>(rest);
    entries.push_back(
        {std::string(rest.substr(FUSE_NAME_OFFSET, entry.namelen)), entry.ino, entry.type, entry.off});
    rest.remove_prefix(FUSE_DIRENT_SIZE(&entry));
  }
  return entries;
}

Result<std::vector<Listed>> KernelSide::rest(const Descriptor& directory, std::uint64_t position,
                                             std::uint32_t size) {
  std::vector<Listed> all;
  while (true) {
    const auto page = readdir(directory, position, size);
    if (!page) return page;
    if (page->empty()) return all;
    all.insert(all.end(), page->begin(), page->end());
    position = page->back().next;
  }
}

void KernelSide::closedir(const Descriptor& directory) {
  fuse_release_in in{};
  in.fh = directory.handle;
  {
    const std::lock_guard lock(mutex_);
    open_directories_.erase(directory.handle);
  }
  call(FUSE_RELEASEDIR, directory.inode, bytes(in));
}

// --- whole files and directories

Result<std::string> KernelSide::cat(std::string_view path) {
  const auto inode = find(path);
  if (!inode) return std::unexpected(inode.error());
  const auto file = open(*inode, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  auto text = read(*file);
  close(*file);
  return text;
}

Result<std::size_t> KernelSide::echo(std::string_view text, std::string_view path) {
  const auto inode = find(path);
  if (!inode) return std::unexpected(inode.error());
  const auto file = open(*inode, O_WRONLY);
  if (!file) return std::unexpected(file.error());
  const auto size = write(*file, text);
  close(*file);
  return size;
}

std::vector<std::string> KernelSide::names_in(std::string_view path) {
  std::vector<std::string> names;
  const auto inode = find(path);
  if (!inode) return names;
  const auto directory = opendir(*inode);
  if (!directory) return names;
  for (const Listed& entry : rest(*directory).value_or(std::vector<Listed>())) {
    if (entry.name != "." && entry.name != "..") names.push_back(entry.name);
  }
  closedir(*directory);
  return names;
}

// --- the end

void KernelSide::stop() {
  ending_ = true;
  filesystem_->stop();
}

void KernelSide::hang_up() {
  ending_ = true;
  shutdown(socket_, SHUT_RDWR);
}

void KernelSide::stop_listening() {
  ending_ = true;
  shutdown(socket_, SHUT_RD);
}

bool KernelSide::wait_for_serve() {
  std::unique_lock lock(mutex_);
  return news_.wait_for(lock, kPatience, [this] { return served_; });
}

}  // namespace mdevfs::test
