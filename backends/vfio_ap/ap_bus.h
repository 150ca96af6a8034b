// SPDX-License-Identifier: Apache-2.0
//
// The bus ap with its cards and queues (drivers/s390/crypto/ap_bus.c, ap_card.c, ap_queue.c), and what the
// two kinds of drivers on it have in common: the default ones, of the host, and the others.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/binding_files.h"
#include "model/bus.h"
#include "model/core.h"
#include "model/host_device.h"
#include "ownership.h"

namespace mdevfs::backends::ap {

class ApQueue;

// What a card is: its type as zcrypt names it (CEX8C), and what the bus makes of it.
struct CardType {
  std::string_view name;
  unsigned hardware = 0;  // AP_DEVICE_TYPE_CEX*
  std::uint32_t functions = 0;
  std::string_view mode;  // MODE in its uevents
};
// nullptr: there is no such type.
const CardType* find_card_type(std::string_view name);

// Thread-safety: all functions from any thread.
class ApBus final : public model::Bus {
 public:
  ApBus(model::Core& owner, std::shared_ptr<Ownership> its_ownership, bool has_interrupts);

  // ap_scan_bus, as far as it is not adding devices: a scan has ended.
  void scanned();
  void add_queue(const std::shared_ptr<ApQueue>& queue) EXCLUDES(lock_);
  std::vector<std::shared_ptr<ApQueue>> queues() const EXCLUDES(lock_);
  // ap_check_bindings_complete: announces it where all queues have a driver.
  void check_bindings();
  // An event of /devices/ap, which has no bus when it is looked for.
  void announce_root(std::vector<std::string> keys) const;
  // ap_bus_revise_bindings: every queue to a driver of the kind that it is for now.
  void revise_bindings();

  const std::shared_ptr<Ownership> ownership;
  const bool has_interrupts;

  // What the files keep.
  std::atomic<long long> default_domain{-1};
  std::atomic<long long> config_time{30};
  std::atomic<long long> poll_timeout{250'000};
  std::atomic<bool> poll_thread{false};
  std::atomic<unsigned long long> scans{0};

 private:
  std::atomic<unsigned long long> times_complete_{0};
  mutable model::Mutex lock_{model::Rank::backend};
  std::vector<std::weak_ptr<ApQueue>> queues_ GUARDED_BY(lock_);
};

// A card or a queue. Thread-safety: as HostDevice.
class ApDevice : public model::HostDevice {
 public:
  using HostDevice::HostDevice;
  virtual bool is_queue() const = 0;

  // The files of the driver that it is bound to. With device_lock held.
  std::shared_ptr<model::BindingFiles> files;
};

// devices/ap/cardXX. Thread-safety: as HostDevice.
class ApCard final : public ApDevice {
 public:
  ApCard(model::Core& owner, const std::shared_ptr<ApBus>& bus, std::shared_ptr<HostDevice> root,
         unsigned its_adapter, const CardType& its_type, std::string depth);
  bool is_queue() const override { return false; }
  std::string bus_uevent_text() const override;

  const unsigned adapter;
  const CardType& type;
  std::atomic<bool> configured{true};
  std::atomic<bool> online{true};  // zcrypt's, while it is bound
};

// devices/ap/cardXX/XX.YYYY. Thread-safety: as HostDevice.
class ApQueue final : public ApDevice {
 public:
  ApQueue(model::Core& owner, const std::shared_ptr<ApBus>& bus, std::shared_ptr<ApCard> its_card,
          unsigned domain);
  bool is_queue() const override { return true; }
  std::string bus_uevent_text() const override { return "MODE=" + std::string(card->type.mode) + "\n"; }

  const std::shared_ptr<ApCard> card;
  const QueueId queue;
  std::atomic<bool> online{true};  // zcrypt's, while it is bound
};

// Thread-safety: as BusDriver.
class ApDriver : public model::BusDriver {
 public:
  ApDriver(model::Core& owner, std::shared_ptr<ApBus> its_bus, std::shared_ptr<model::Module> its_module,
           std::string its_name, bool for_queues, bool is_default_driver)
      : BusDriver(owner, its_bus, std::move(its_module), std::move(its_name)),
        is_default(is_default_driver),
        ap_bus_(std::move(its_bus)),
        for_queues_(for_queues) {}
  // ap_bus_match. All types of cards here are ones that all drivers know.
  bool matches(const model::HostDevice& device) const final {
    return static_cast<const ApDevice&>(device).is_queue() == for_queues_;
  }
  model::Result<void> probe(model::HostDevice& device) final;
  void remove(model::HostDevice& device) noexcept final;

  // AP_DRIVER_FLAG_DEFAULT: for what is reserved to the host, and for nothing else.
  const bool is_default;

 protected:
  // What it shows in the device's directory while it is bound.
  virtual std::span<const model::HostAttribute> files_for(ApDevice& device) const = 0;
  virtual void bound(ApDevice&) {}
  virtual void unbinding(ApDevice&) {}
  Ownership& ownership() const { return *ap_bus_->ownership; }

 private:
  const std::shared_ptr<ApBus> ap_bus_;
  const bool for_queues_;
};

// The drivers cex4card and cex4queue, which a kernel has that has the bus.
std::vector<std::shared_ptr<ApDriver>> make_zcrypt_drivers(model::Core& core,
                                                           const std::shared_ptr<ApBus>& bus);

}  // namespace mdevfs::backends::ap
