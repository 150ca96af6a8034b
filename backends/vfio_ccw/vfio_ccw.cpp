// SPDX-License-Identifier: Apache-2.0
//
// vfio_ccw, the subchannels of an IBM Z machine (drivers/s390/cio): each one that is bound to the driver
// vfio_ccw is a parent with one type and room for one mediated device.
#include "vfio_ccw.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <vector>

#include "../types.h"
#include "../values.h"
#include "css.h"

namespace mdevfs::backends {
namespace {

using model::fail;
using model::Level;
using model::Lock;
using model::Result;

constexpr std::string_view kVfioCcw = "vfio_ccw";
constexpr std::string_view kIoSubchannel = "io_subchannel";
constexpr std::string_view kFirstSubchannel = "0.0.0000";

Result<unsigned> parse_hexadecimal(std::string_view text, unsigned most) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size() || number > most) return fail(EINVAL);
  return number;
}

// 0.0.0313, as subchannels and the devices behind them are called: a subchannel set (0 to 3) and a number.
bool is_bus_id(std::string_view text) {
  return text.size() == 8 && text.starts_with("0.") && text[3] == '.' &&
         parse_hexadecimal(text.substr(2, 1), 3) && parse_hexadecimal(text.substr(4), 0xffff);
}

Result<std::string> take_device_number(std::string_view text) {
  auto checked = take_text(text);
  if (checked && !is_bus_id(*checked) && *checked != "none") return fail(EINVAL);
  return checked;
}

// So many bytes, those that are left out being 0, as `80 80 ff`.
template <std::size_t kCount>
Result<std::string> take_bytes(std::string_view text) {
  std::array<unsigned, kCount> bytes{};
  std::size_t count = 0;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word; ++count) {
    const auto byte = parse_hexadecimal(word, 0xff);
    if (!byte || count == kCount) return fail(EINVAL);
    bytes[count] = *byte;
  }
  return fmt::format("{:02x}", fmt::join(bytes, " "));
}

Result<std::string> take_driver(std::string_view text) {
  auto checked = take_text(text);
  if (checked && *checked != kVfioCcw && *checked != kIoSubchannel) return fail(EINVAL);
  return checked;
}

constexpr Check check_device_number{take_device_number, [] { return std::string("as 0.0.1234, or none"); }};
template <std::size_t kCount>
constexpr Check check_bytes{take_bytes<kCount>,
                            [] { return fmt::format("up to {} bytes in hexadecimal", kCount); }};
constexpr Check check_driver{take_driver, [] { return std::string("vfio_ccw or io_subchannel"); }};

constexpr Key kKeys[] = {
    {kStartEmpty, "0", "there is no subchannel where none is described", check_flag},
};

constexpr Key kParentKeys[] = {
    {"chpids", "00 00 00 00 00 00 00 00", "its channel paths, in hexadecimal", check_bytes<8>},
    {"dev_busid", kItemName, "the device behind it, as 0.0.1234, or none", check_device_number},
    {"driver", kVfioCcw, "what it is bound to at first: vfio_ccw or io_subchannel", check_driver},
    {"pimpampom", "80 80 ff", "the paths installed, available and operational, in hexadecimal",
     check_bytes<3>},
    {"qdio", "0", "it does QDIO, and so vfio_ccw refuses it", check_flag},
    {"type", "0", "its type: 0 is for I/O, and the only one that has drivers", check_number<0, 3>},
};

constexpr Group kGroups[] = {
    {kParents, "the subchannels, each by its name; without any, 0.0.0000", kParentKeys},
};

css::SubchannelInfo info_of(const std::string& name, const Values& values) {
  const Reader read(values, kParentKeys, name);
  return {.name = name,
          .type = static_cast<unsigned>(read.number("type")),
          .dev_busid = read.text("dev_busid"),
          .chpids = read.text("chpids"),
          .pimpampom = read.text("pimpampom"),
          .has_qdio = read.flag("qdio")};
}

// vfio_ccw_mdev. The core counts to one. Thread-safety: as Driver.
class MdevDriver final : public model::Driver {
 public:
  MdevDriver(model::Core& owner, std::shared_ptr<model::Module> its_module)
      : Driver(owner, std::move(its_module),
               {.name = "vfio_ccw_mdev",
                .device_api = "vfio-ccw",
                .uses_vfio = true,
                .max_instances = 1,
                .full_errno = EPERM,
                .waits = false,
                .groups = {}}) {}
  Result<void> probe(model::Device&) override { return {}; }
  void remove(model::Device&) noexcept override {}
};

// vfio_ccw on the bus css: what makes a subchannel a parent. Thread-safety: as BusDriver.
class SubchannelDriver final : public css::CssDriver {
 public:
  SubchannelDriver(model::Core& owner, std::shared_ptr<model::Bus> its_bus,
                   std::shared_ptr<MdevDriver> mdev_driver)
      : CssDriver(owner, std::move(its_bus), mdev_driver->module, std::string(kVfioCcw)),
        mdev_driver_(std::move(mdev_driver)) {}

  // vfio_ccw_sch_probe.
  Result<void> probe(model::HostDevice& device) override {
    auto& subchannel = static_cast<css::Subchannel&>(device);
    if (subchannel.subchannel.has_qdio) {
      device.print(Level::warning, fmt::format("vfio: ccw: does not support QDIO: {}", device.name()));
      return fail(ENODEV);
    }
    const auto parent = core.register_parent(
        std::static_pointer_cast<model::HostDevice>(device.shared_from_this()), mdev_driver_,
        {{.sysfs_name = "io", .pretty_name = "I/O subchannel (Non-QDIO)"}});
    if (!parent) return std::unexpected(parent.error());
    subchannel.parent = *parent;
    return {};
  }

  // vfio_ccw_sch_remove.
  void remove(model::HostDevice& device) noexcept override {
    auto& subchannel = static_cast<css::Subchannel&>(device);
    core.unregister_parent(*subchannel.parent);
    subchannel.parent.reset();
  }

 private:
  const std::shared_ptr<MdevDriver> mdev_driver_;
};

// Thread-safety: as Loaded; the drivers and what they are on are set before anybody else has it.
class LoadedVfioCcw final : public Loaded {
 public:
  LoadedVfioCcw(model::Core& core, std::shared_ptr<model::Module> its_module, std::shared_ptr<model::Bus> bus,
                std::shared_ptr<css::ChannelSubsystem> css,
                std::shared_ptr<css::IoSubchannelDriver> io_driver)
      : Loaded(std::move(its_module)),
        core_(core),
        bus_(std::move(bus)),
        css_(std::move(css)),
        io_driver_(std::move(io_driver)) {}

  // vfio_ccw_sch_init. EBUSY: there is a driver of that name.
  Result<void> init() {
    const auto mdev_driver = core_.make<MdevDriver>(module);
    if (const auto added = core_.add_driver(mdev_driver); !added) return added;
    driver_ = core_.make<SubchannelDriver>(bus_, mdev_driver);
    if (const auto added = core_.add_bus_driver(driver_); !added) return added;
    core_.module_loaded(*module);
    return {};
  }

  Result<void> add_parent(const std::string& name, const Values& values) override {
    if (has_parent(name)) return fail(EEXIST);
    const auto subchannel = add(name, values);
    if (!subchannel) return std::unexpected(subchannel.error());
    core_.probe_host_device(**subchannel);
    return {};
  }

  // As somebody does it by unbind and bind. ENODEV: vfio_ccw does not take it.
  Result<void> register_parent(const std::string& name, const Values& values) override {
    auto subchannel = find(name);
    if (!subchannel) {
      const auto added = add(name, values);
      if (!added) return std::unexpected(added.error());
      subchannel = *added;
    }
    const auto driver = subchannel->driver();
    if (driver == driver_) return fail(ENOMEM);
    if (driver) std::ignore = core_.unbind(*driver, name);
    const auto bound = core_.bind(*driver_, name);
    if (!bound) core_.probe_host_device(*subchannel);
    return bound;
  }

  Result<void> unregister_parent(const std::string& name) override {
    return is_registered(name) ? core_.unbind(*driver_, name) : fail(ENODEV);
  }

  Result<void> remove_parent(const std::string& name) override {
    const auto subchannel = find(name);
    if (!subchannel) return {};
    if (is_registered(name)) return fail(EBUSY);
    {
      const Lock lock(lock_);
      std::erase(subchannels_, subchannel);
    }
    core_.remove_host_device(*subchannel);
    return {};
  }

  bool has_parent(const std::string& name) override { return find(name) != nullptr; }

  bool is_registered(const std::string& name) override {
    const auto subchannel = find(name);
    return subchannel && core_.is_registered(*subchannel);
  }

  // vfio_ccw_sch_exit; then the hardware goes.
  void unload(model::Core& core) override {
    core.unload_module(*module);
    core.remove_host_device(*css_);
    core.remove_bus_driver(*io_driver_);
    core.remove_bus(*bus_);
    const Lock lock(lock_);
    subchannels_.clear();
  }

 private:
  std::shared_ptr<css::Subchannel> find(const std::string& name) {
    const Lock lock(lock_);
    const auto at =
        std::ranges::find(subchannels_, name, [](const auto& subchannel) { return subchannel->name(); });
    return at == subchannels_.end() ? nullptr : *at;
  }

  // Without a driver. EINVAL: its name is none for a subchannel. EEXIST: there is one.
  Result<std::shared_ptr<css::Subchannel>> add(const std::string& name, const Values& values) {
    if (!is_bus_id(name)) {
      core_.log().print(Level::error,
                        fmt::format("mdevfs: {}: {} is no name as 0.0.0313", module->name(), name));
      return fail(EINVAL);
    }
    const auto subchannel = core_.make<css::Subchannel>(bus_, css_, info_of(name, values));
    if (const auto added = core_.add_host_device(subchannel, false); !added)
      return std::unexpected(added.error());
    const Lock lock(lock_);
    subchannels_.push_back(subchannel);
    return subchannel;
  }

  model::Core& core_;
  const std::shared_ptr<model::Bus> bus_;
  const std::shared_ptr<css::ChannelSubsystem> css_;
  const std::shared_ptr<css::IoSubchannelDriver> io_driver_;
  std::shared_ptr<SubchannelDriver> driver_;
  model::Mutex lock_{model::Rank::group};
  std::vector<std::shared_ptr<css::Subchannel>> subchannels_ GUARDED_BY(lock_);
};

using Items = std::vector<std::pair<std::string, Values>>;

Items parents_of(const Settings& settings, const Reader& read) {
  const auto found = settings.items.find(kParents);
  if (found != settings.items.end() && !found->second.empty()) return found->second;
  return read.flag(kStartEmpty) ? Items{} : Items{{std::string(kFirstSubchannel), {}}};
}

// channel_subsystem_init, and the module. EEXIST: there is a bus, a device or a module of such a name.
// ENOENT: mdev or vfio is not there.
Result<std::shared_ptr<LoadedVfioCcw>> add_hardware(model::Core& core) {
  const auto bus = core.make<model::Bus>("css");
  if (core.add_bus(bus) != bus) return fail(EEXIST);
  const auto css = core.make<css::ChannelSubsystem>();
  if (const auto added = core.add_host_device(css); !added) {
    core.remove_bus(*bus);
    return std::unexpected(added.error());
  }
  const auto defunct = core.make<model::HostDevice>(
      model::HostDeviceInfo{.name = "defunct", .above = css, .is_parent = false});
  core.add_host_device(defunct).value();
  const auto io_driver = core.make<css::IoSubchannelDriver>(bus);
  core.add_bus_driver(io_driver).value();
  const auto module = core.load_module({.name = std::string(kVfioCcw), .taint = ""});
  if (module) return std::make_shared<LoadedVfioCcw>(core, *module, bus, css, io_driver);
  core.remove_host_device(*css);
  core.remove_bus_driver(*io_driver);
  core.remove_bus(*bus);
  return std::unexpected(module.error());
}

Result<void> add_subchannel(Loaded& loaded, const std::string& name, const Values& values) {
  const bool is_parent = Reader(values, kParentKeys, name).text("driver") == kVfioCcw;
  return is_parent ? loaded.register_parent(name, values) : loaded.add_parent(name, values);
}

Result<std::shared_ptr<Loaded>> load(model::Core& core, const Settings& settings) {
  const Reader read(settings.values, kKeys, settings.name);
  const auto loaded = add_hardware(core);
  if (!loaded) return std::unexpected(loaded.error());
  auto done = (*loaded)->init();
  for (const auto& [name, values] : parents_of(settings, read)) {
    if (done) done = add_subchannel(**loaded, name, values);
  }
  if (done) return *loaded;
  (*loaded)->unload(core);
  return std::unexpected(done.error());
}

std::vector<Complaint> check(const Settings& settings) {
  std::vector<Complaint> complaints;
  for (const auto& [name, values] : items_of(settings, kParents)) {
    if (is_bus_id(name)) continue;
    complaints.push_back(
        {std::string(kParents), name, "", fmt::format("{} is no subchannel: one is as 0.0.0313", name)});
  }
  return complaints;
}

}  // namespace

Backend vfio_ccw() {
  return {.name = kVfioCcw,
          .summary = "subchannels of an IBM Z machine (s390), each a parent for one device",
          .keys = kKeys,
          .groups = kGroups,
          .first_parent = kFirstSubchannel,
          .load = load,
          .check = check};
}

}  // namespace mdevfs::backends
