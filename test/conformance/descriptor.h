// SPDX-License-Identifier: Apache-2.0
//
// A file descriptor with an owner: what operations and machines open is closed at the end of its scope.
#pragma once

namespace mdevfs::conformance {

// Thread-safety: as a number has it; it belongs to one thread at a time.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release();

 private:
  int fd_;
};

}  // namespace mdevfs::conformance
