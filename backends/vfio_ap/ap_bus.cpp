// SPDX-License-Identifier: Apache-2.0
#include "ap_bus.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/show.h"
#include "model/uevent.h"

namespace mdevfs::backends::ap {
namespace {

using model::Entry;
using model::fail;
using model::Object;
using model::Result;
using model::Slot;

// AP_FUNC_COPRO, AP_FUNC_ACCEL and AP_FUNC_EP11 among others that such cards have.
constexpr std::uint32_t kCca = 0x92000000, kAccelerator = 0x6A000000, kEp11 = 0x06000000;

constexpr std::array kCardTypes = {
    CardType{"CEX4A", 10, kAccelerator, "accel"}, CardType{"CEX4C", 10, kCca, "cca"},
    CardType{"CEX4P", 10, kEp11, "ep11"},         CardType{"CEX5A", 11, kAccelerator, "accel"},
    CardType{"CEX5C", 11, kCca, "cca"},           CardType{"CEX5P", 11, kEp11, "ep11"},
    CardType{"CEX6A", 12, kAccelerator, "accel"}, CardType{"CEX6C", 12, kCca, "cca"},
    CardType{"CEX6P", 12, kEp11, "ep11"},         CardType{"CEX7A", 13, kAccelerator, "accel"},
    CardType{"CEX7C", 13, kCca, "cca"},           CardType{"CEX7P", 13, kEp11, "ep11"},
    CardType{"CEX8A", 14, kAccelerator, "accel"}, CardType{"CEX8C", 14, kCca, "cca"},
    CardType{"CEX8P", 14, kEp11, "ep11"},
};

// --- the bus's files

ApBus& bus_of(Object& object) {
  return static_cast<ApBus&>(object);
}

template <auto kNumber>
Result<std::string> show_number(Object& object, Slot) {
  return fmt::format("{}\n", (bus_of(object).*kNumber).load());
}

// ap_domain_store: one of the domains that the host has for itself.
Result<void> store_domain(Object& object, Slot, std::string_view text) {
  ApBus& bus = bus_of(object);
  const auto domain = scan_number(text, 0);
  if (!domain || *domain < 0 || *domain > bus.ownership->configuration.max_domain ||
      !bus.ownership->reserved().domains.test(static_cast<std::size_t>(*domain)))
    return fail(EINVAL);
  bus.default_domain = *domain;
  return {};
}

template <auto kNumber, long long kLeast, long long kMost>
Result<void> store_number(Object& object, Slot, std::string_view text) {
  const auto number = scan_number(text, 10);
  if (!number || *number < kLeast || *number > kMost) return fail(EINVAL);
  bus_of(object).*kNumber = *number;
  return {};
}

// poll_thread_store: with interrupts there is nothing to poll for, and no thread is started.
Result<void> store_poll_thread(Object& object, Slot, std::string_view text) {
  ApBus& bus = bus_of(object);
  const auto flag = scan_number(text, 10);
  if (!flag) return fail(EINVAL);
  bus.poll_thread = *flag != 0 && !bus.has_interrupts;
  return {};
}

Result<std::string> show_poll_thread(Object& object, Slot) {
  return bus_of(object).poll_thread ? "1\n" : "0\n";
}

Result<std::string> show_interrupts(Object& object, Slot) {
  return bus_of(object).has_interrupts ? "1\n" : "0\n";
}

template <auto kNumber>
Result<std::string> show_limit(Object& object, Slot) {
  return fmt::format("{}\n", bus_of(object).ownership->configuration.*kNumber);
}

template <auto kMask>
Result<std::string> show_configured(Object& object, Slot) {
  return to_text(bus_of(object).ownership->configuration.*kMask) + "\n";
}

template <ReservedMask kMask>
Result<std::string> show_reserved(Object& object, Slot) {
  return to_text(bus_of(object).ownership->reserved().*kMask) + "\n";
}

// apmask_store, aqmask_store. ap_send_mask_changed_uevent's key has a newline in it on 6.1, and so here.
template <ReservedMask kMask>
Result<void> store_reserved(Object& object, Slot, std::string_view text) {
  ApBus& bus = bus_of(object);
  const auto change = bus.ownership->reserve(kMask, text);
  if (!change) return std::unexpected(change.error());
  const auto& [old, now] = *change;
  if (old == now) return {};
  bus.revise_bindings();
  bus.announce_root(
      {fmt::format("{}={}\n", kMask == &Reserved::adapters ? "APMASK" : "AQMASK", to_text(now))});
  return {};
}

// scans_store: a scan, whatever was written. It finds nothing new.
Result<void> store_scans(Object& object, Slot, std::string_view) {
  bus_of(object).scanned();
  return {};
}

struct Bound {
  std::size_t queues = 0;
  std::size_t bound = 0;
};

// ap_calc_bound_apqns.
Bound count_bound(const ApBus& bus) {
  const auto queues = bus.queues();
  const auto bound =
      std::ranges::count_if(queues, [](const auto& queue) { return queue->driver() != nullptr; });
  return {queues.size(), static_cast<std::size_t>(bound)};
}

Result<std::string> show_bindings(Object& object, Slot) {
  const Bound count = count_bound(bus_of(object));
  const bool complete = bus_of(object).scans >= 1 && count.bound == count.queues;
  return fmt::format("{}/{}{}\n", count.bound, count.queues, complete ? " (complete)" : "");
}

Entry bus_file(const char* name, mode_t mode, decltype(Entry::show) show,
               decltype(Entry::store) store = nullptr) {
  return model::file(name, mode, model::kSelf, Slot::bus_directory, show, store);
}

Entry waiting(Entry entry) {
  entry.waits = [](Object&) { return true; };
  return entry;
}

model::ExtraEntries bus_files() {
  constexpr long long kLongestPoll = 120'000'000'000;
  model::ExtraEntries files;
  for (Entry& entry : std::array{
           bus_file("ap_domain", 0644, show_number<&ApBus::default_domain>, store_domain),
           bus_file("ap_control_domain_mask", 0444, show_configured<&Configuration::control_domains>),
           bus_file("ap_usage_domain_mask", 0444, show_configured<&Configuration::usage_domains>),
           bus_file("ap_adapter_mask", 0444, show_configured<&Configuration::adapters>),
           bus_file("config_time", 0644, show_number<&ApBus::config_time>,
                    store_number<&ApBus::config_time, 5, 120>),
           bus_file("poll_thread", 0644, show_poll_thread, store_poll_thread),
           bus_file("ap_interrupts", 0444, show_interrupts),
           bus_file("poll_timeout", 0644, show_number<&ApBus::poll_timeout>,
                    store_number<&ApBus::poll_timeout, 1, kLongestPoll>),
           bus_file("ap_max_domain_id", 0444, show_limit<&Configuration::max_domain>),
           bus_file("ap_max_adapter_id", 0444, show_limit<&Configuration::max_adapter>),
           waiting(bus_file("apmask", 0644, show_reserved<&Reserved::adapters>,
                            store_reserved<&Reserved::adapters>)),
           waiting(bus_file("aqmask", 0644, show_reserved<&Reserved::domains>,
                            store_reserved<&Reserved::domains>)),
           bus_file("scans", 0644, show_number<&ApBus::scans>, store_scans),
           bus_file("bindings", 0444, show_bindings),
       })
    add_extra(files, std::move(entry));
  return files;
}

}  // namespace

const CardType* find_card_type(std::string_view name) {
  const auto* const at = std::ranges::find(kCardTypes, name, &CardType::name);
  return at == kCardTypes.end() ? nullptr : at;
}

ApBus::ApBus(model::Core& owner, std::shared_ptr<Ownership> its_ownership, bool with_interrupts)
    : Bus(owner, "ap", bus_files()), ownership(std::move(its_ownership)), has_interrupts(with_interrupts) {}

void ApBus::scanned() {
  if (++scans != 1) return;
  announce_root({"INITSCAN=done"});
  check_bindings();
}

void ApBus::add_queue(const std::shared_ptr<ApQueue>& queue) {
  const model::Lock lock(lock_);
  queues_.push_back(queue);
}

std::vector<std::shared_ptr<ApQueue>> ApBus::queues() const {
  std::vector<std::shared_ptr<ApQueue>> there;
  const model::Lock lock(lock_);
  for (const auto& weak : queues_) {
    if (auto queue = weak.lock()) there.push_back(std::move(queue));
  }
  return there;
}

void ApBus::check_bindings() {
  if (scans == 0) return;
  const Bound count = count_bound(*this);
  if (count.bound != count.queues) return;
  announce_root({"BINDINGS=complete", fmt::format("COMPLETECOUNT={}", ++times_complete_)});
}

void ApBus::announce_root(std::vector<std::string> keys) const {
  if (model::Watcher* const listener = core.tree().listener())
    listener->announce({"change", "/devices/ap", name(), std::move(keys)});
}

void ApBus::revise_bindings() {
  for (const auto& queue : queues()) {
    const auto driver = std::static_pointer_cast<ApDriver>(queue->driver());
    const bool by_default = driver && driver->is_default;
    if (ownership->is_reserved(queue->queue) == by_default) continue;
    if (driver) std::ignore = core.unbind(*driver, queue->name());
    std::ignore = core.drivers_probe(*this, queue->name());
  }
}

// --- cards

namespace {

ApCard& card_of(model::HostDevice& device) {
  return static_cast<ApCard&>(device);
}
ApQueue& queue_of(model::HostDevice& device) {
  return static_cast<ApQueue&>(device);
}

Result<std::string> show_configured(std::atomic<bool>& configured) {
  return configured ? "1\n" : "0\n";
}

// The uevents that tell of CONFIG and ONLINE.
void announce_state(model::HostDevice& device, std::string_view key, bool is) {
  model::announce({&device, Slot::host_device_directory}, "change", {fmt::format("{}={:d}", key, is)});
}

// A text that says 0 or 1. EINVAL.
Result<bool> scan_flag(std::string_view text) {
  const auto flag = scan_number(text, 10);
  if (!flag || *flag < 0 || *flag > 1) return fail(EINVAL);
  return *flag != 0;
}

// config_store. The queues follow at the bus's next scan on a kernel, and at once here.
Result<void> store_card_config(model::HostDevice& device, std::string_view text) {
  const auto flag = scan_flag(text);
  if (!flag) return std::unexpected(flag.error());
  card_of(device).configured = *flag;
  announce_state(device, "CONFIG", *flag);
  return {};
}

// Where nothing is ever asked of the hardware, resetting a count has nothing to do.
Result<void> reset_count(model::HostDevice&, std::string_view) {
  return {};
}

}  // namespace

ApCard::ApCard(model::Core& owner, const std::shared_ptr<ApBus>& bus, std::shared_ptr<HostDevice> root,
               unsigned its_adapter, const CardType& its_type, std::string depth)
    : ApDevice(owner, {.name = fmt::format("card{:02x}", its_adapter),
                       .bus = bus,
                       .above = std::move(root),
                       .is_parent = false,
                       .type = "ap_card"}),
      adapter(its_adapter),
      type(its_type) {
  const auto zero = [](model::HostDevice&) -> Result<std::string> { return "0\n"; };
  add_attribute({.name = "hwtype", .text = fmt::format("{}\n", type.hardware)});
  add_attribute({.name = "raw_hwtype", .text = fmt::format("{}\n", type.hardware)});
  add_attribute({.name = "depth", .text = depth + "\n"});
  add_attribute({.name = "ap_functions", .text = fmt::format("0x{:08X}\n", type.functions)});
  add_attribute({.name = "request_count", .mode = 0644, .show = zero, .store = reset_count});
  add_attribute({.name = "requestq_count", .show = zero});
  add_attribute({.name = "pendingq_count", .show = zero});
  add_attribute({.name = "modalias", .text = fmt::format("ap:t{:02X}\n", type.hardware)});
  add_attribute({.name = "config",
                 .mode = 0644,
                 .show = [](HostDevice& device) { return show_configured(card_of(device).configured); },
                 .store = store_card_config});
  add_attribute({.name = "chkstop", .show = zero});
  add_attribute({.name = "max_msg_size", .text = "12288\n"});
}

// ap_uevent.
std::string ApCard::bus_uevent_text() const {
  return fmt::format("DEV_TYPE={0:04X}\nMODALIAS=ap:t{0:02X}\nMODE={1}\n", type.hardware, type.mode);
}

// --- queues

namespace {

// Has a default driver set the queue up (ap_queue_init_state)?
bool is_initiated(const model::HostDevice& device) {
  const auto driver = std::static_pointer_cast<ApDriver>(device.driver());
  return driver && driver->is_default;
}

Result<std::string> show_request_count(model::HostDevice& device) {
  return is_initiated(device) ? "0\n" : "-\n";
}

Result<std::string> show_interrupt(model::HostDevice& device) {
  const auto& bus = static_cast<const ApBus&>(*device.info.bus);
  return is_initiated(device) && bus.has_interrupts ? "Interrupts enabled.\n" : "Interrupts disabled.\n";
}

}  // namespace

ApQueue::ApQueue(model::Core& owner, const std::shared_ptr<ApBus>& bus, std::shared_ptr<ApCard> its_card,
                 unsigned domain)
    : ApDevice(owner, {.name = to_text(QueueId{its_card->adapter, domain}),
                       .bus = bus,
                       .above = its_card,
                       .is_parent = false,
                       .type = "ap_queue"}),
      card(std::move(its_card)),
      queue{card->adapter, domain} {
  const auto zero = [](model::HostDevice&) -> Result<std::string> { return "0\n"; };
  const auto no_reset = [](model::HostDevice&) -> Result<std::string> { return "No Reset Timer set.\n"; };
  add_attribute({.name = "request_count", .mode = 0644, .show = show_request_count, .store = reset_count});
  add_attribute({.name = "requestq_count", .show = zero});
  add_attribute({.name = "pendingq_count", .show = zero});
  add_attribute({.name = "reset", .mode = 0644, .show = no_reset, .store = reset_count});
  add_attribute({.name = "interrupt", .show = show_interrupt});
  add_attribute({.name = "config", .show = [](HostDevice& device) {
                   return show_configured(queue_of(device).card->configured);
                 }});
  add_attribute({.name = "chkstop", .show = zero});
}

// --- drivers

// ap_device_probe.
Result<void> ApDriver::probe(model::HostDevice& device) {
  auto& ap_device = static_cast<ApDevice&>(device);
  if (for_queues_ && ownership().is_reserved(queue_of(device).queue) != is_default) return fail(ENODEV);
  ap_device.files = core.make<model::BindingFiles>(
      std::static_pointer_cast<model::HostDevice>(device.shared_from_this()), files_for(ap_device));
  core.tree().appear(*ap_device.files, {model::kSelf});
  bound(ap_device);
  ap_bus_->check_bindings();
  return {};
}

// ap_device_remove.
void ApDriver::remove(model::HostDevice& device) noexcept {
  auto& ap_device = static_cast<ApDevice&>(device);
  core.tree().vanish(*ap_device.files, {model::kSelf});
  unbinding(ap_device);
  ap_device.files.reset();
}

namespace {

Result<std::string> show_zero(model::HostDevice&) {
  return "0\n";
}

Result<std::string> show_card_type(model::HostDevice& device) {
  return std::string(card_of(device).type.name) + "\n";
}

Result<std::string> show_card_online(model::HostDevice& device) {
  return card_of(device).configured && card_of(device).online ? "1\n" : "0\n";
}

// zcrypt_card.c's online_store: the card's queues go with it.
Result<void> store_card_online(model::HostDevice& device, std::string_view text) {
  ApCard& card = card_of(device);
  const auto flag = scan_flag(text);
  if (!flag) return std::unexpected(flag.error());
  if (*flag && !card.configured) return fail(ENODEV);
  card.online = *flag;
  announce_state(card, "ONLINE", *flag);
  for (const auto& queue : static_cast<const ApBus&>(*card.info.bus).queues()) {
    if (queue->card.get() == &card && is_initiated(*queue) && queue->online.exchange(*flag) != *flag)
      announce_state(*queue, "ONLINE", *flag);
  }
  return {};
}

Result<std::string> show_queue_online(model::HostDevice& device) {
  return queue_of(device).card->configured && queue_of(device).online ? "1\n" : "0\n";
}

// zcrypt_queue.c's online_store.
Result<void> store_queue_online(model::HostDevice& device, std::string_view text) {
  ApQueue& queue = queue_of(device);
  const auto flag = scan_flag(text);
  if (!flag) return std::unexpected(flag.error());
  if (*flag && !queue.card->configured) return fail(ENODEV);
  if (*flag && !queue.card->online) return fail(EINVAL);
  queue.online = *flag;
  announce_state(queue, "ONLINE", *flag);
  return {};
}

// cex4card. Thread-safety: as BusDriver.
class CardDriver final : public ApDriver {
 public:
  CardDriver(model::Core& owner, std::shared_ptr<ApBus> its_bus)
      : ApDriver(owner, std::move(its_bus), nullptr, "cex4card", false, true) {}

 protected:
  std::span<const model::HostAttribute> files_for(ApDevice&) const override {
    static const std::array<model::HostAttribute, 3> files = {{
        {.name = "type", .show = show_card_type},
        {.name = "online", .mode = 0644, .show = show_card_online, .store = store_card_online},
        {.name = "load", .show = show_zero},
    }};
    return files;
  }
  void bound(ApDevice& device) override { card_of(device).online = true; }
};

// cex4queue. Thread-safety: as BusDriver.
class QueueDriver final : public ApDriver {
 public:
  QueueDriver(model::Core& owner, std::shared_ptr<ApBus> its_bus)
      : ApDriver(owner, std::move(its_bus), nullptr, "cex4queue", true, true) {}

 protected:
  std::span<const model::HostAttribute> files_for(ApDevice&) const override {
    static const std::array<model::HostAttribute, 2> files = {{
        {.name = "online", .mode = 0644, .show = show_queue_online, .store = store_queue_online},
        {.name = "load", .show = show_zero},
    }};
    return files;
  }
  void bound(ApDevice& device) override { queue_of(device).online = true; }
};

}  // namespace

std::vector<std::shared_ptr<ApDriver>> make_zcrypt_drivers(model::Core& core,
                                                           const std::shared_ptr<ApBus>& bus) {
  return {core.make<CardDriver>(bus), core.make<QueueDriver>(bus)};
}

}  // namespace mdevfs::backends::ap
