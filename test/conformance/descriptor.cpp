// SPDX-License-Identifier: Apache-2.0
//
// File descriptors with an owner: see descriptor.h.
#include "descriptor.h"

#include <unistd.h>

#include <utility>

namespace mdevfs::conformance {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

int Descriptor::release() {
  return std::exchange(fd_, -1);
}

}  // namespace mdevfs::conformance
