// SPDX-License-Identifier: Apache-2.0
//
// vfio_ap, the cryptographic adapters of an IBM Z machine (drivers/s390/crypto): a bus of cards and their
// queues, and one parent, `matrix`, of whose mediated devices each is a set of queues. What a device is made
// of is written to it after it was created.
#include "vfio_ap.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <sstream>

#include "../types.h"
#include "../values.h"
#include "mdev_driver.h"
#include "model/core.h"

namespace mdevfs::backends {
namespace {

using model::fail;
using model::Result;

// Changes (`-5`) are changes to all ones, which is where the kernel begins.
Result<std::string> take_mask(std::string_view text) {
  const auto mask = ap::parse_mask_or_changes(text, ~ap::Mask());
  if (!mask) return std::unexpected(mask.error());
  return ap::to_text(*mask);
}

Result<unsigned> parse_hexadecimal(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size() || number >= ap::kNumbers) return fail(EINVAL);
  return number;
}

// Domains as a queue's name has them: `0004 00ab`.
Result<ap::Mask> parse_domains(const std::string& text) {
  ap::Mask mask;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto domain = parse_hexadecimal(word);
    if (!domain) return std::unexpected(domain.error());
    mask.set(*domain);
  }
  return mask;
}

Result<std::string> take_domains(std::string_view text) {
  auto checked = take_text(text);
  if (checked && !parse_domains(*checked)) return fail(EINVAL);
  return checked;
}

Result<std::string> take_card_type(std::string_view text) {
  auto checked = take_text(text);
  if (checked && ap::find_card_type(*checked) == nullptr) return fail(EINVAL);
  return checked;
}

constexpr Check check_mask{
    take_mask, [] { return std::string("64 hexadecimal digits after 0x, or changes as +5,-0x10"); }};
constexpr Check check_domains{take_domains, [] { return std::string("numbers to ff in hexadecimal"); }};
constexpr Check check_card_type{take_card_type, [] { return std::string("as CEX8C"); }};

constexpr std::string_view kAllOnes = "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
constexpr std::string_view kNone = "0x0000000000000000000000000000000000000000000000000000000000000000";

constexpr Key kKeys[] = {
    {"ap_config", "0", "devices have the file ap_config, and matrix has features, as since Linux 6.10",
     check_flag},
    {"apmask", kAllOnes, "the adapters of which the host has queues for itself", check_mask},
    {"aqmask", kNone, "the domains of which the host has queues for itself", check_mask},
    {"control_domains", "", "the control domains, in hexadecimal; empty: the cards' domains", check_domains},
    {"interrupts", "1", "adapters have interrupts", check_flag},
    {"max_adapter", "255", "the largest number of an adapter", check_number<0, ap::kNumbers - 1>},
    {"max_domain", "255", "the largest number of a domain", check_number<0, ap::kNumbers - 1>},
    {"max_instances", "65536", "devices in all", check_number<0, UINT32_MAX>},
};

constexpr Key kCardKeys[] = {
    {"depth", "8", "what depth shows", check_number<0, 255>},
    {"domains", "0004 00ab", "the domains, and so the queues, that it has, in hexadecimal", check_domains},
    {"type", "CEX8C", "CEX4 to CEX8, and A (accelerator), C (CCA) or P (EP11)", check_card_type},
};

constexpr std::string_view kCards = "cards";

constexpr Group kGroups[] = {
    {kCards, "the cards, each by its number in hexadecimal; without any, 05 and 06", kCardKeys},
};

struct Card {
  unsigned adapter = 0;
  const ap::CardType* type = nullptr;
  std::string depth;
  ap::Mask domains;
};

// EINVAL: its name is no number.
Result<Card> card_of(const std::string& name, const Values& values) {
  const auto adapter = parse_hexadecimal(name);
  if (!adapter) return std::unexpected(adapter.error());
  const Reader read(values, kCardKeys, name);
  return Card{.adapter = *adapter,
              .type = ap::find_card_type(read.text("type")),
              .depth = read.text("depth"),
              .domains = parse_domains(read.text("domains")).value_or(ap::Mask())};
}

// In the order in which the bus finds them.
Result<std::vector<Card>> cards_of(const Settings& settings) {
  const auto found = settings.items.find(kCards);
  std::vector<std::pair<std::string, Values>> items;
  if (found != settings.items.end()) items = found->second;
  if (items.empty()) items = {{"05", {}}, {"06", {}}};
  std::vector<Card> cards;
  for (const auto& [name, values] : items) {
    auto card = card_of(name, values);
    if (!card) return std::unexpected(card.error());
    cards.push_back(std::move(*card));
  }
  std::ranges::sort(cards, {}, &Card::adapter);
  return cards;
}

ap::Configuration configuration_of(const Reader& read, const std::vector<Card>& cards) {
  ap::Configuration configuration;
  configuration.max_adapter = static_cast<unsigned>(read.number("max_adapter"));
  configuration.max_domain = static_cast<unsigned>(read.number("max_domain"));
  for (const Card& card : cards) {
    configuration.adapters.set(card.adapter);
    configuration.usage_domains |= card.domains;
  }
  const ap::Mask control = parse_domains(read.text("control_domains")).value_or(ap::Mask());
  configuration.control_domains = control.any() ? control : configuration.usage_domains;
  return configuration;
}

bool fits(const ap::Configuration& configuration) {
  const auto largest = [](const ap::Mask& mask) {
    unsigned last = 0;
    ap::for_each(mask, [&](unsigned number) { last = number; });
    return last;
  };
  return largest(configuration.adapters) <= configuration.max_adapter &&
         largest(configuration.usage_domains | configuration.control_domains) <= configuration.max_domain;
}

// ap_select_domain: the first one that has a queue and is the host's.
long long default_domain(const ap::Ownership& ownership, const std::vector<Card>& cards) {
  for (unsigned domain = 0; domain < ap::kNumbers; ++domain) {
    for (const Card& card : cards) {
      if (card.domains.test(domain) && ownership.is_reserved({card.adapter, domain})) return domain;
    }
  }
  return -1;
}

// The bus ap and all on it: what there is whether or not the module is. Thread-safety: none of its own.
class Hardware {
 public:
  Hardware(model::Core& core, std::shared_ptr<ap::Ownership> ownership, bool has_interrupts)
      : core_(core), bus_(core.make<ap::ApBus>(std::move(ownership), has_interrupts)) {}

  // ap_module_init, zcrypt_cex4_init, ap_scan_bus. EEXIST: there is a bus of that name.
  Result<void> add(const std::vector<Card>& cards) {
    if (core_.add_bus(bus_) != bus_) return fail(EEXIST);
    root_ = core_.make<ap::RootDevice>("ap", nullptr);
    if (const auto added = core_.add_host_device(root_); !added) {
      core_.remove_bus(*bus_);
      return added;
    }
    drivers_ = ap::make_zcrypt_drivers(core_, bus_);
    for (const auto& driver : drivers_) core_.add_bus_driver(driver).value();
    bus_->default_domain = default_domain(*bus_->ownership, cards);
    for (const Card& card : cards) add_card(card);
    bus_->scanned();
    return {};
  }

  void remove() {
    core_.remove_host_device(*root_);
    std::ranges::reverse(drivers_);
    for (const auto& driver : drivers_) core_.remove_bus_driver(*driver);
    core_.remove_bus(*bus_);
  }

  const std::shared_ptr<ap::ApBus>& bus() const { return bus_; }

 private:
  void add_card(const Card& card) {
    const auto device = core_.make<ap::ApCard>(bus_, root_, card.adapter, *card.type, card.depth);
    core_.add_host_device(device).value();
    ap::for_each(card.domains, [&](unsigned domain) {
      const auto queue = core_.make<ap::ApQueue>(bus_, device, domain);
      bus_->add_queue(queue);
      core_.add_host_device(queue).value();
    });
  }

  model::Core& core_;
  const std::shared_ptr<ap::ApBus> bus_;
  std::shared_ptr<model::HostDevice> root_;
  std::vector<std::shared_ptr<ap::ApDriver>> drivers_;
};

// Thread-safety: as Loaded; what it holds is set before anybody else has it.
class LoadedVfioAp final : public Loaded {
 public:
  LoadedVfioAp(model::Core& core, std::shared_ptr<model::Module> its_module,
               std::unique_ptr<Hardware> hardware)
      : Loaded(std::move(its_module)), core_(core), hardware_(std::move(hardware)) {}

  // vfio_ap_init. EEXIST, EBUSY: something of its names is there.
  Result<void> init(const Reader& read) {
    const bool has_ap_config = read.flag("ap_config");
    if (const auto created = create_matrix(has_ap_config); !created) return created;
    queue_driver_ = core_.make<ap::PassthroughQueueDriver>(hardware_->bus(), module);
    if (const auto added = core_.add_bus_driver(queue_driver_); !added) return added;
    const auto mdev_driver =
        core_.make<ap::MdevDriver>(module, hardware_->bus()->ownership,
                                   static_cast<unsigned>(read.number("max_instances")), has_ap_config);
    if (const auto added = core_.add_driver(mdev_driver); !added) return added;
    const auto parent = core_.register_parent(
        matrix_, mdev_driver, {{.sysfs_name = "passthrough", .pretty_name = "VFIO AP Passthrough Device"}});
    if (!parent) return std::unexpected(parent.error());
    matrix_driver_->parent = *parent;
    core_.module_loaded(*module);
    return {};
  }

  // vfio_ap_exit; then the hardware goes.
  void unload(model::Core& core) override {
    if (matrix_driver_ && matrix_driver_->parent) core.unregister_parent(*matrix_driver_->parent);
    if (queue_driver_) core.remove_bus_driver(*queue_driver_);
    if (matrix_driver_) core.remove_bus_driver(*matrix_driver_);
    if (root_) core.remove_host_device(*root_);
    if (bus_) core.remove_bus(*bus_);
    core.unload_module(*module);
    hardware_->remove();
  }

 private:
  // vfio_ap_matrix_dev_create.
  Result<void> create_matrix(bool has_ap_config) {
    const auto root = core_.make<ap::RootDevice>("vfio_ap", module);
    if (const auto added = core_.add_host_device(root); !added) return added;
    root_ = root;
    const auto bus = core_.make<model::Bus>("matrix");
    if (core_.add_bus(bus) != bus) return fail(EEXIST);
    bus_ = bus;
    matrix_ = core_.make<ap::MatrixDevice>(bus_, root_, has_ap_config);
    if (const auto added = core_.add_host_device(matrix_); !added) return added;
    matrix_driver_ = core_.make<ap::MatrixDriver>(bus_, module);
    return core_.add_bus_driver(matrix_driver_);
  }

  model::Core& core_;
  const std::unique_ptr<Hardware> hardware_;
  std::shared_ptr<model::HostDevice> root_;
  std::shared_ptr<model::Bus> bus_;
  std::shared_ptr<model::HostDevice> matrix_;
  std::shared_ptr<ap::MatrixDriver> matrix_driver_;
  std::shared_ptr<ap::PassthroughQueueDriver> queue_driver_;
};

Result<void> refuse(model::Core& core, const Settings& settings, std::string_view why) {
  core.log().print(model::Level::error, fmt::format("mdevfs: {}: {}", settings.name, why));
  return fail(EINVAL);
}

Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const Reader read(settings.values, kKeys, settings.name);
  const auto cards = cards_of(settings);
  if (!cards) return std::unexpected(refuse(core, settings, "a card's name is no number").error());
  const ap::Configuration configuration = configuration_of(read, *cards);
  if (!fits(configuration))
    return std::unexpected(refuse(core, settings, "a card or a domain is beyond the largest").error());
  const ap::Reserved reserved{ap::parse_mask(read.text("apmask")).value_or(ap::Mask()),
                              ap::parse_mask(read.text("aqmask")).value_or(ap::Mask())};
  auto hardware = std::make_unique<Hardware>(core, std::make_shared<ap::Ownership>(configuration, reserved),
                                             read.flag("interrupts"));
  if (const auto added = hardware->add(*cards); !added) return std::unexpected(added.error());
  const auto module = core.load_module({.name = "vfio_ap", .taint = ""});
  if (!module) {
    hardware->remove();
    return std::unexpected(module.error());
  }
  auto loaded = std::make_shared<LoadedVfioAp>(core, *module, std::move(hardware));
  if (const auto done = loaded->init(read); !done) {
    loaded->unload(core);
    return std::unexpected(done.error());
  }
  return loaded;
}

std::vector<Complaint> check(const Settings& settings) {
  std::vector<Complaint> complaints;
  for (const auto& [name, values] : items_of(settings, kCards)) {
    if (card_of(name, values)) continue;
    complaints.push_back(
        {std::string(kCards), name, "",
         fmt::format("{} is no card: one is called by its number to ff, in hexadecimal", name)});
  }
  if (!complaints.empty()) return complaints;
  const auto cards = cards_of(settings);
  if (!fits(configuration_of(Reader(settings.values, kKeys, settings.name), *cards)))
    complaints.push_back({"", "", "", "a card or a domain is beyond max_adapter or max_domain"});
  return complaints;
}

}  // namespace

Backend vfio_ap() {
  return {.name = "vfio_ap",
          .summary = "cryptographic queues of an IBM Z machine (s390): cards, and one parent, matrix",
          .keys = kKeys,
          .groups = kGroups,
          .load = load,
          .check = check};
}

}  // namespace mdevfs::backends
