// SPDX-License-Identifier: Apache-2.0
#include "open_file.h"

#include <poll.h>

namespace mdevfs::fs {
namespace {

constexpr std::size_t kPage = 4096;  // sysfs gives a store no more than this

// The model's own functions announce their waits where they happen; of others' only this is known.
void announce_foreign(const model::HeldNode& node) {
  if (node.slot >= model::kFirstExtra && node.object->extra_waits()) model::announce_wait();
}

}  // namespace

// An active reference for as long as a show or store runs.
class OpenFile::Active {
 public:
  explicit Active(const OpenFile& file) : gate_(file.node_.object->gate(file.node_.entry->part)) {
    entered_ = gate_.try_enter(file.generation_);
  }
  ~Active() {
    if (entered_) gate_.leave();
  }
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  model::Gate& gate_;
  bool entered_;
};

OpenFile::~OpenFile() {
  if (node_.entry->close != nullptr) node_.entry->close(*node_.object, node_.slot);
}

model::Result<std::string> OpenFile::read(model::Tree& tree, std::uint64_t offset, std::size_t size) {
  const model::Lock lock(mutex_);
  const Active active(*this);
  if (!active) return model::fail(ENODEV);
  if (offset == 0 || offset != read_to_) {
    if (node_.entry->show == nullptr) return model::fail(EIO);
    announce_foreign(node_);
    auto text = node_.entry->show(*node_.object, node_.slot);
    if (!text) return text;
    text_ = std::move(*text);
    has_read_ = true;
    tree.note_read(node_);
  }
  const std::string part = offset < text_.size() ? text_.substr(offset, size) : std::string{};
  read_to_ = offset + part.size();
  return part;
}

model::Result<std::size_t> OpenFile::write(std::string_view data) {
  const model::Lock lock(mutex_);
  const Active active(*this);
  if (!active) return model::fail(ENODEV);
  if (node_.entry->store == nullptr) return model::fail(EIO);
  const std::string_view text = data.substr(0, kPage);
  announce_foreign(node_);
  const auto stored = node_.entry->store(*node_.object, node_.slot, text);
  // A driver's positive number, which old kernels take for a length.
  if (!stored && stored.error().value < 0) return static_cast<std::size_t>(-stored.error().value);
  if (!stored) return std::unexpected(stored.error());
  return text.size();
}

unsigned OpenFile::events(const model::Tree& tree) const {
  if (node_.entry->poll != nullptr) return node_.entry->poll(*node_.object, node_.slot);
  constexpr unsigned kReady = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  const bool alive = tree.alive(node_) && generation_ == node_.object->gate(node_.entry->part).generation();
  return !has_read_ || !alive ? kReady | POLLPRI | POLLERR : kReady;
}

}  // namespace mdevfs::fs
