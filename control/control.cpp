// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include "model/show.h"
#include "unit.h"

namespace mdevfs::control {
namespace {

model::Result<std::string> show_kernel(model::Object& object, model::Slot) {
  return to_string(object.core.kernel()) + "\n";
}

const model::ExtraEntries& attributes() {
  static const auto entries = [] {
    model::ExtraEntries made;
    add_extra(made, model::file("kernel", 0444, model::kSelf, model::Slot::config_item, show_kernel));
    return made;
  }();
  return entries;
}

}  // namespace

// The directory kernel/config/mdevfs. Thread-safety: as Object.
class Subsystem final : public model::ConfigItem {
 public:
  Subsystem(model::Core& owner, Complete complete)
      : ConfigItem(owner, owner.root().shared_from_this(), model::Slot::kernel_config, "mdevfs",
                   attributes()),
        complete_(std::move(complete)) {}

  model::Result<void> make_item(std::string_view name) override {
    const auto unit = make_unit(name);
    return unit ? model::Result<void>{} : std::unexpected(unit.error());
  }

  // EEXIST: the file `kernel` has the name too.
  model::Result<std::shared_ptr<Unit>> make_unit(std::string_view name) {
    if (name == "kernel") return model::fail(EEXIST);
    const model::Lock lock(lock_);
    const auto [at, fresh] = units_.try_emplace(std::string(name));
    if (!fresh) return model::fail(EEXIST);
    at->second = core.make<Unit>(std::static_pointer_cast<model::ConfigItem>(shared_from_this()),
                                 std::string(name), complete_);
    core.tree().appear(*at->second, {model::kSelf});
    return at->second;
  }

  model::Result<void> drop_item(std::string_view name) override {
    const model::Lock lock(lock_);
    const auto at = units_.find(name);
    if (at == units_.end()) return model::fail(ENOENT);
    if (const auto done = at->second->take_away(); !done) return done;
    units_.erase(at);
    return {};
  }

  void end() {
    decltype(units_) gone;
    {
      const model::Lock lock(lock_);
      gone = std::exchange(units_, {});
    }
    for (const auto& [name, unit] : gone) unit->end();
    core.tree().vanish(*this, {model::kSelf});
  }

 private:
  const Complete complete_;
  model::Mutex lock_{model::Rank::units};
  std::map<std::string, std::shared_ptr<Unit>, std::less<>> units_ GUARDED_BY(lock_);
};

Control::Control(model::Core& core, Complete complete)
    : subsystem_(core.make<Subsystem>(std::move(complete))) {
  core.tree().appear(*subsystem_, {model::kSelf});
}

Control::~Control() {
  subsystem_->end();
}

model::Result<void> Control::load(const std::string& name, const backends::Backend& backend) {
  const auto unit = subsystem_->make_unit(name);
  if (!unit) return std::unexpected(unit.error());
  auto done = (*unit)->set_backend(backend.name);
  if (done && backend.complete) done = (*unit)->go_live();
  if (!done) std::ignore = subsystem_->drop_item(name);
  return done;
}

model::Result<void> Control::load(const backends::Settings& settings, const backends::Backend& backend) {
  const auto unit = subsystem_->make_unit(settings.name);
  if (!unit) return std::unexpected(unit.error());
  auto done = (*unit)->set_backend(backend.name);
  if (done) done = (*unit)->describe(settings);
  if (done) done = (*unit)->go_live();
  if (!done) std::ignore = subsystem_->drop_item(settings.name);
  return done;
}

}  // namespace mdevfs::control
