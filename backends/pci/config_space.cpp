// SPDX-License-Identifier: Apache-2.0
#include "config_space.h"

#include "function.h"

namespace mdevfs::backends::pci {
namespace {

// Offsets are the PCI specifications'.
constexpr unsigned kPowerManagement = 0x60, kExpress = 0x78, kSriov = 0x100;
constexpr unsigned kIoFlag = 0x100, kIoBar = 0x1, kPrefetchFlag = 0x2000, kPrefetchBar = 0x8,
                   kMemory64Flag = 0x100000, kMemory64Bar = 0x4;

// Thread-safety: none.
class Space {
 public:
  explicit Space(std::size_t size) : bytes_(size, '\0') {}
  void set(unsigned offset, unsigned width, std::uint64_t value) {
    for (unsigned i = 0; i < width; ++i) bytes_[offset + i] = static_cast<char>(value >> (8 * i) & 0xff);
  }
  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

std::uint64_t bar_of(const Resource& resource) {
  std::uint64_t bar = resource.start;
  if ((resource.flags & kIoFlag) != 0) bar |= kIoBar;
  if ((resource.flags & kPrefetchFlag) != 0) bar |= kPrefetchBar;
  if ((resource.flags & kMemory64Flag) != 0) bar |= kMemory64Bar;
  return bar;
}

// A BAR of 64 bits takes the place of the next one as well.
void set_bars(Space& space, unsigned offset, const Resource* resources) {
  for (unsigned bar = 0; bar < 6; ++bar) {
    const Resource& resource = resources[bar];
    if (resource.flags == 0) continue;
    const unsigned width = (resource.flags & kMemory64Flag) != 0 && bar < 5 ? 8 : 4;
    space.set(offset + 4 * bar, width, bar_of(resource));
  }
}

unsigned speed_code(const std::string& speed) {
  constexpr const char* kSpeeds[] = {"2.5", "5.0", "8.0", "16.0", "32.0"};
  for (unsigned code = 0; code < std::size(kSpeeds); ++code) {
    if (speed.starts_with(kSpeeds[code])) return code + 1;
  }
  return 1;
}

void set_express(Space& space, const Identity& identity) {
  const unsigned link = speed_code(identity.link_speed) | identity.link_width << 4U;
  space.set(kExpress, 2, 0x0010);
  space.set(kExpress + 2, 2, identity.secondary_bus != 0 ? 0x0042 : 0x0002);  // a root port, an endpoint
  space.set(kExpress + 4, 4, 0x10008001);                                     // with function level reset
  space.set(kExpress + 12, 4, link);                                          // what its link can
  space.set(kExpress + 18, 2, link);                                          // and does
  space.set(kExpress + 44, 4, (2U << speed_code(identity.link_speed)) - 2);
}

void set_sriov(Space& space, const Identity& identity) {
  const Sriov& sriov = identity.sriov;
  space.set(kSriov, 4, 0x00010010);
  space.set(kSriov + 12, 2, sriov.total);
  space.set(kSriov + 14, 2, sriov.total);
  space.set(kSriov + 20, 2, sriov.offset);
  space.set(kSriov + 22, 2, sriov.stride);
  space.set(kSriov + 26, 2, sriov.device);
  space.set(kSriov + 28, 4, 0x553);  // page sizes
  space.set(kSriov + 32, 4, 1);
  set_bars(space, kSriov + 36, &identity.resources[7]);
}

void set_endpoint(Space& space, const Identity& identity, bool is_virtual) {
  if (!is_virtual) set_bars(space, 0x10, identity.resources.data());
  space.set(0x2c, 2, identity.subsystem_vendor);
  space.set(0x2e, 2, identity.subsystem_device);
  space.set(0x30, 4, identity.resources[6].start);
}

// A header of type 1: the buses before and behind it, and windows that are closed.
void set_bridge(Space& space, const Identity& identity) {
  space.set(0x0e, 1, 0x01);
  space.set(0x18, 1, identity.address.bus());
  space.set(0x19, 2, identity.secondary_bus << 8U | identity.secondary_bus);
  for (const unsigned base : {0x1cU, 0x20U, 0x24U}) space.set(base, 1, 0xf0);
}

}  // namespace

std::string make_config_space(const Identity& identity, bool is_virtual) {
  const bool express = identity.link_width != 0;
  Space space(express ? 4096 : 256);
  space.set(0x00, 2, is_virtual ? 0xffff : identity.vendor);
  space.set(0x02, 2, is_virtual ? 0xffff : identity.device);
  space.set(0x04, 2, is_virtual ? 0 : 0x0007);  // memory and io decoded, bus master
  space.set(0x06, 2, 0x0010);                   // there are capabilities
  space.set(0x08, 1, identity.revision);
  space.set(0x09, 3, identity.class_code);
  if (identity.secondary_bus != 0) {
    set_bridge(space, identity);
  } else {
    set_endpoint(space, identity, is_virtual);
  }
  space.set(0x34, 1, kPowerManagement);
  if (!is_virtual) space.set(0x3c, 2, 0x0100 | (identity.irq & 0xff));
  space.set(kPowerManagement, 2, express ? kExpress << 8U | 0x01U : 0x01U);
  space.set(kPowerManagement + 2, 2, 0x0003);
  if (express) set_express(space, identity);
  if (identity.sriov.total != 0 && express) set_sriov(space, identity);
  return std::move(space).take();
}

}  // namespace mdevfs::backends::pci
