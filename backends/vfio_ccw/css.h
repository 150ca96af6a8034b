// SPDX-License-Identifier: Apache-2.0
//
// The channel subsystem of an IBM Z machine: the bus css and its subchannels (drivers/s390/cio/css.c), and
// the driver that has them unless somebody asks for another (device.c's io_subchannel).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "model/binding_files.h"
#include "model/bus.h"
#include "model/core.h"
#include "model/host_device.h"

namespace mdevfs::backends::css {

inline constexpr unsigned kIoSubchannel = 0;  // SUBCHANNEL_TYPE_IO

struct SubchannelInfo {
  std::string name;  // 0.0.0313
  unsigned type = kIoSubchannel;
  std::string dev_busid;
  std::string chpids;     // of eight paths
  std::string pimpampom;  // path masks: installed, available, operational
  bool has_qdio = false;
};

// devices/css0: a channel subsystem. Thread-safety: as HostDevice.
class ChannelSubsystem final : public model::HostDevice {
 public:
  explicit ChannelSubsystem(model::Core& owner);

  std::atomic<bool> measures{false};  // cm_enable
};

// Thread-safety: as HostDevice.
class Subchannel final : public model::HostDevice {
 public:
  Subchannel(model::Core& owner, std::shared_ptr<model::Bus> bus, std::shared_ptr<HostDevice> css,
             SubchannelInfo subchannel_info);
  std::string bus_uevent_text() const override;

  // The only driver that it may be bound to; nullopt: any.
  std::optional<std::string> driver_override() const EXCLUDES(lock_);
  void set_driver_override(std::optional<std::string> name) EXCLUDES(lock_);

  const SubchannelInfo subchannel;
  // What its driver has made of it. With device_lock held.
  std::shared_ptr<model::BindingFiles> files;
  std::shared_ptr<model::Parent> parent;

 private:
  mutable model::Mutex lock_{model::Rank::backend};
  std::optional<std::string> driver_override_ GUARDED_BY(lock_);
};

// A driver of I/O subchannels. Thread-safety: as BusDriver.
class CssDriver : public model::BusDriver {
 public:
  using BusDriver::BusDriver;
  bool matches(const model::HostDevice& device) const final;
};

// io_subchannel. The ccw device that it finds behind the subchannel is not there. Thread-safety: as
// BusDriver.
class IoSubchannelDriver final : public CssDriver {
 public:
  IoSubchannelDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus)
      : CssDriver(owner, std::move(its_bus), nullptr, "io_subchannel") {}
  model::Result<void> probe(model::HostDevice& device) override;
  void remove(model::HostDevice& device) noexcept override;
};

}  // namespace mdevfs::backends::css
