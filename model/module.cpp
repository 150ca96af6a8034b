// SPDX-License-Identifier: Apache-2.0
#include "module.h"

#include <fmt/format.h>

#include "core.h"
#include "show.h"
#include "text.h"
#include "uevent.h"

namespace mdevfs::model {
namespace {

const ModuleInfo& info_of(Object& object) {
  return static_cast<Module&>(object).info;
}

Result<std::string> show_coresize(Object& object, Slot) {
  return fmt::format("{}\n", info_of(object).coresize);
}
Result<std::string> show_import_ns(Object& object, Slot) {
  return info_of(object).import_ns + "\n";
}
Result<std::string> show_srcversion(Object& object, Slot) {
  return info_of(object).srcversion + "\n";
}
Result<std::string> show_taint(Object& object, Slot) {
  return info_of(object).taint + "\n";
}
Result<std::string> show_version(Object& object, Slot) {
  return info_of(object).version + "\n";
}

// Live mdevs do not count, but open vfio descriptors of them do; and mdev's own counts the modules that use
// it.
Result<std::string> show_refcnt(Object& object, Slot) {
  const auto& module = static_cast<Module&>(object);
  const unsigned users = object.core.vfio_users_of(module);
  const SharedLock lock(kernfs_rwsem);
  return fmt::format("{}\n", users + module.holders());
}

Result<std::string> show_parameter(Object& object, Slot slot) {
  return kept_text(object, slot, info_of(object).parameters[extra_place(slot)].text);
}

Result<void> store_parameter(Object& object, Slot slot, std::string_view text) {
  keep_text(object, slot, std::string(without_newline(text)) + "\n");
  return {};
}

}  // namespace

Module::Module(Core& owner, ModuleInfo module_info) : Object(owner), info(std::move(module_info)) {
  for (const ModuleParameter& parameter : info.parameters) {
    add_extra(parameters_, file(parameter.name, parameter.mode, kParameters, Slot::module_parameters,
                                show_parameter, store_parameter));
  }
}

Members* Module::members(Slot slot) {
  if (slot == Slot::module_holders) return &holders_;
  return slot == Slot::module_drivers ? &drivers_ : nullptr;
}

void define_module(Schema& schema) {
  constexpr Slot in = Slot::module_directory;
  schema.begin(in);
  schema.add(in, {.kind = Kind::directory,
                  .mode = kDirectoryMode,
                  .place = [](Object& o) { return Node{&o.core.root(), Slot::module}; },
                  .subsystem = always<"module">});
  schema.add(Slot::module_coresize, file("coresize", 0444, kSelf, in, show_coresize));
  schema.add(Slot::module_drivers, directory("drivers", Module::kDrivers, in));
  schema.add(Slot::module_holders, directory("holders", kSelf, in));
  Entry import_ns = file("import_ns", 0444, Module::kImportNs, in, show_import_ns);
  import_ns.in_age = &KernelAge::import_ns;
  schema.add(Slot::module_import_ns, std::move(import_ns));
  schema.add(Slot::module_initsize, file("initsize", 0444, kSelf, in, show_text<"0\n">));
  schema.add(Slot::module_initstate, file("initstate", 0444, kSelf, in, show_text<"live\n">));
  schema.add(Slot::module_notes, directory("notes", kSelf, in));
  schema.add(Slot::module_parameters, directory("parameters", Module::kParameters, in));
  schema.add(Slot::module_refcnt, file("refcnt", 0444, kSelf, in, show_refcnt));
  schema.add(Slot::module_sections, directory("sections", kSelf, in));
  schema.add(Slot::module_srcversion, file("srcversion", 0444, Module::kSrcversion, in, show_srcversion));
  schema.add(Slot::module_taint, file("taint", 0444, kSelf, in, show_taint));
  schema.add(Slot::module_uevent, file("uevent", 0200, kSelf, in, nullptr, store_uevent));
  schema.add(Slot::module_version, file("version", 0444, Module::kVersion, in, show_version));
  schema.add(Slot::module_holder_link,
             link_elsewhere(
                 Module::kHolder, [](Object& o) { return Node{&o.core.mdev_module(), Slot::module_holders}; },
                 [](Object& o) { return Node{&o, Slot::module_directory}; }));
}

}  // namespace mdevfs::model
