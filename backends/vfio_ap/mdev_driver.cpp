// SPDX-License-Identifier: Apache-2.0
#include "mdev_driver.h"

#include <array>

#include "model/show.h"

namespace mdevfs::backends::ap {
namespace {

using model::Device;
using model::Result;

Ownership& ownership_of(Device& device) {
  return *static_cast<MdevDriver&>(device.driver()).ownership;
}

template <Dimension kDimension>
Result<void> assign(Device& device, std::string_view text) {
  return ownership_of(device).assign(device, kDimension, text);
}

template <Dimension kDimension>
Result<void> unassign(Device& device, std::string_view text) {
  return ownership_of(device).unassign(device, kDimension, text);
}

template <auto kText>
Result<std::string> show_matrix(Device& device) {
  return kText(ownership_of(device).matrix(device));
}

Result<std::string> show_guest_matrix(Device& device) {
  return matrix_text(ownership_of(device).guest_matrix(device));
}

Result<void> store_configuration(Device& device, std::string_view text) {
  return ownership_of(device).configure(device, text);
}

model::AttributeGroup attributes(bool has_ap_config) {
  constexpr Dimension kAdapters = &Matrix::adapters;
  constexpr Dimension kDomains = &Matrix::domains;
  constexpr Dimension kControl = &Matrix::control_domains;
  model::AttributeGroup group{
      .name = "",
      .attributes = {
          {.name = "assign_adapter", .mode = 0200, .store = assign<kAdapters>},
          {.name = "unassign_adapter", .mode = 0200, .store = unassign<kAdapters>},
          {.name = "assign_domain", .mode = 0200, .store = assign<kDomains>},
          {.name = "unassign_domain", .mode = 0200, .store = unassign<kDomains>},
          {.name = "assign_control_domain", .mode = 0200, .store = assign<kControl>},
          {.name = "unassign_control_domain", .mode = 0200, .store = unassign<kControl>},
          {.name = "control_domains", .show = show_matrix<control_domains_text>},
          {.name = "matrix", .show = show_matrix<matrix_text>},
          {.name = "guest_matrix", .show = show_guest_matrix},
      }};
  if (has_ap_config) {
    group.attributes.push_back({.name = "ap_config",
                                .mode = 0644,
                                .show = show_matrix<configuration_text>,
                                .store = store_configuration});
  }
  return group;
}

QueueId queue_id(const model::HostDevice& device) {
  return static_cast<const ApQueue&>(device).queue;
}

// status_show. A guest has a queue once a kvm is behind the mediated device, which there is not.
Result<std::string> show_status(model::HostDevice& device) {
  const auto& ownership = *static_cast<const ApBus&>(*device.info.bus).ownership;
  return ownership.is_assigned(queue_id(device)) ? "assigned\n" : "unassigned\n";
}

}  // namespace

MdevDriver::MdevDriver(model::Core& owner, std::shared_ptr<model::Module> its_module,
                       std::shared_ptr<Ownership> its_ownership, unsigned max_instances, bool has_ap_config)
    : Driver(owner, std::move(its_module),
             {.name = "vfio_ap_mdev",
              .device_api = "vfio-ap",
              .uses_vfio = true,
              .max_instances = max_instances,
              .full_errno = EPERM,
              .waits = false,
              .groups = {attributes(has_ap_config)}}),
      ownership(std::move(its_ownership)) {}

std::span<const model::HostAttribute> PassthroughQueueDriver::files_for(ApDevice&) const {
  static const std::array<model::HostAttribute, 1> files = {{{.name = "status", .show = show_status}}};
  return files;
}

void PassthroughQueueDriver::bound(ApDevice& device) {
  ownership().queue_bound(queue_id(device));
}

void PassthroughQueueDriver::unbinding(ApDevice& device) {
  ownership().queue_unbound(queue_id(device));
}

// What a tool is to know about the driver is written there since the kernels that have ap_config.
MatrixDevice::MatrixDevice(model::Core& owner, std::shared_ptr<model::Bus> bus,
                           std::shared_ptr<HostDevice> root, bool has_ap_config)
    : HostDevice(owner, {.name = "matrix", .bus = std::move(bus), .above = std::move(root)}) {
  if (has_ap_config) add_attribute({.name = "features", .text = "guest_matrix dyn ap_config\n"});
}

RootDevice::RootDevice(model::Core& owner, std::string name, std::shared_ptr<model::Module> its_module)
    : HostDevice(owner, {.name = std::move(name), .is_parent = false}), module(std::move(its_module)) {
  if (!module) return;
  add_entry(model::link("module", model::kSelf, model::Slot::host_device_directory, [](model::Object& o) {
    return model::Node{static_cast<RootDevice&>(o).module.get(), model::Slot::module_directory};
  }));
}

}  // namespace mdevfs::backends::ap
