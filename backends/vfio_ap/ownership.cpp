// SPDX-License-Identifier: Apache-2.0
#include "ownership.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/number.h"
#include "model/text.h"

namespace mdevfs::backends::ap {
namespace {

using model::fail;
using model::Level;
using model::Lock;
using model::Result;

template <typename Visit>
void for_each_queue(const Mask& adapters, const Mask& domains, Visit visit) {
  for_each(adapters, [&](unsigned adapter) {
    for_each(domains, [&](unsigned domain) { visit(QueueId{adapter, domain}); });
  });
}

// vfio_ap_mdev_log_sharing_err, vfio_ap_mdev_log_in_use_err.
void print_conflict(const model::Device* assignee, const model::Device& assigned_to, const Mask& adapters,
                    const Mask& domains) {
  for_each_queue(adapters, domains, [&](QueueId queue) {
    if (assignee != nullptr) {
      assignee->print(Level::warning,
                      fmt::format("Userspace may not assign queue {} to mdev: already assigned to {}",
                                  to_text(queue), assigned_to.name()));
    } else {
      assigned_to.print(
          Level::warning,
          fmt::format("Can not reserve queue {} for host driver: in use by mdev", to_text(queue)));
    }
  });
}

bool has_beyond(const Mask& mask, unsigned last) {
  return last + 1 < kNumbers && (mask >> (last + 1)).any();
}

// The next of ap_config's masks, up to a comma or a newline. EINVAL.
Result<Mask> take_mask(std::string_view& text, bool& ended) {
  if (ended) return fail(EINVAL);
  const auto end = text.find_first_of(",\n");
  ended = end == std::string_view::npos;
  const auto mask = parse_mask(text.substr(0, end));
  text.remove_prefix(ended ? text.size() : end + 1);
  return mask;
}

Result<Matrix> parse_matrix(std::string_view text) {
  text = model::up_to_nul(text);
  Matrix matrix;
  bool ended = false;
  for (const Dimension dimension : {&Matrix::adapters, &Matrix::domains, &Matrix::control_domains}) {
    const auto mask = take_mask(text, ended);
    if (!mask) return std::unexpected(mask.error());
    matrix.*dimension = *mask;
  }
  return matrix;
}

}  // namespace

std::string to_text(QueueId queue) {
  return fmt::format("{:02x}.{:04x}", queue.adapter, queue.domain);
}

// --- what is reserved

Reserved Ownership::reserved() const {
  const Lock lock(lock_);
  return reserved_;
}

// ap_owned_by_def_drv.
bool Ownership::is_reserved(QueueId queue) const {
  const Lock lock(lock_);
  return reserved_.adapters.test(queue.adapter) && reserved_.domains.test(queue.domain);
}

// What is new in one mask is looked at with all of the other.
Result<std::pair<Mask, Mask>> Ownership::reserve(ReservedMask which, std::string_view text) {
  const Lock lock(lock_);
  const Mask old = reserved_.*which;
  const auto wanted = parse_mask_or_changes(text, old);
  if (!wanted) return std::unexpected(wanted.error());
  Reserved added = reserved_;
  added.*which = *wanted & ~old;
  if (!check_not_shared(nullptr, added.adapters, added.domains)) return fail(EBUSY);
  reserved_.*which = *wanted;
  return std::pair(old, *wanted);
}

// --- what is bound to vfio_ap

// vfio_ap_mdev_probe_queue.
void Ownership::queue_bound(QueueId queue) {
  const Lock lock(lock_);
  bound_.insert(queue);
  for (Assigned& mdev : mdevs_) {
    if (mdev.matrix.adapters.test(queue.adapter) && mdev.matrix.domains.test(queue.domain)) filter(mdev);
  }
}

// vfio_ap_mdev_remove_queue: a single queue cannot be kept from a guest, so its adapter is.
void Ownership::queue_unbound(QueueId queue) {
  const Lock lock(lock_);
  bound_.erase(queue);
  for (Assigned& mdev : mdevs_) {
    if (mdev.guest.domains.test(queue.domain)) mdev.guest.adapters.reset(queue.adapter);
  }
}

bool Ownership::is_assigned(QueueId queue) const {
  const Lock lock(lock_);
  return std::ranges::any_of(mdevs_, [&](const Assigned& mdev) {
    return mdev.matrix.adapters.test(queue.adapter) && mdev.matrix.domains.test(queue.domain);
  });
}

// --- what is assigned

void Ownership::add(const model::Device& device) {
  const Lock lock(lock_);
  mdevs_.push_back({.device = &device, .matrix = {}, .guest = {}});
}

void Ownership::remove(const model::Device& device) {
  const Lock lock(lock_);
  std::erase_if(mdevs_, [&](const Assigned& mdev) { return mdev.device == &device; });
}

Ownership::Assigned& Ownership::assigned(const model::Device& device) {
  return *std::ranges::find(mdevs_, &device, &Assigned::device);
}
const Ownership::Assigned& Ownership::assigned(const model::Device& device) const {
  return *std::ranges::find(mdevs_, &device, &Assigned::device);
}

Result<unsigned> Ownership::number_in(Dimension dimension, std::string_view text) const {
  const auto number = model::parse_unsigned(text);
  if (!number) return std::unexpected(number.error());
  const unsigned last = dimension == &Matrix::adapters ? configuration.max_adapter : configuration.max_domain;
  if (*number > last) return fail(ENODEV);
  return static_cast<unsigned>(*number);
}

// assign_adapter_store, assign_domain_store, assign_control_domain_store. Control domains may be shared.
Result<void> Ownership::assign(const model::Device& device, Dimension dimension, std::string_view text) {
  const auto number = number_in(dimension, text);
  if (!number) return std::unexpected(number.error());
  const Lock lock(lock_);
  Assigned& mdev = assigned(device);
  Mask& mask = mdev.matrix.*dimension;
  if (mask.test(*number)) return {};
  mask.set(*number);
  if (dimension == &Matrix::control_domains) return {};
  if (const auto valid = validate(mdev); !valid) {
    mask.reset(*number);
    return valid;
  }
  filter(mdev);
  return {};
}

// unassign_adapter_store and the like: what the guest has not for another reason does not come back by it.
Result<void> Ownership::unassign(const model::Device& device, Dimension dimension, std::string_view text) {
  const auto number = number_in(dimension, text);
  if (!number) return std::unexpected(number.error());
  const Lock lock(lock_);
  Assigned& mdev = assigned(device);
  (mdev.matrix.*dimension).reset(*number);
  (mdev.guest.*dimension).reset(*number);
  return {};
}

// ap_config_store, of kernels since 6.10.
Result<void> Ownership::configure(const model::Device& device, std::string_view text) {
  const auto wanted = parse_matrix(text);
  if (!wanted) return std::unexpected(wanted.error());
  const Lock lock(lock_);
  Assigned& mdev = assigned(device);
  const Matrix old = std::exchange(mdev.matrix, *wanted);
  auto valid = validate(mdev);
  if (valid && exceeds(*wanted)) valid = fail(ENODEV);
  if (!valid) {
    mdev.matrix = old;
    return valid;
  }
  filter(mdev);
  return {};
}

// vfio_ap_mdev_validate_masks, ap_apqn_in_matrix_owned_by_def_drv.
Result<void> Ownership::validate(const Assigned& mdev) const {
  const bool is_reserved =
      (mdev.matrix.adapters & reserved_.adapters).any() && (mdev.matrix.domains & reserved_.domains).any();
  if (is_reserved) return fail(EADDRNOTAVAIL);
  return check_not_shared(&mdev, mdev.matrix.adapters, mdev.matrix.domains);
}

// vfio_ap_mdev_verify_no_sharing, vfio_ap_mdev_resource_in_use (without an assignee).
Result<void> Ownership::check_not_shared(const Assigned* assignee, const Mask& adapters,
                                         const Mask& domains) const {
  for (auto mdev = mdevs_.rbegin(); mdev != mdevs_.rend(); ++mdev) {
    if (assignee == &*mdev) continue;
    const Mask shared_adapters = mdev->matrix.adapters & adapters;
    const Mask shared_domains = mdev->matrix.domains & domains;
    if (shared_adapters.none() || shared_domains.none()) continue;
    print_conflict(assignee != nullptr ? assignee->device : nullptr, *mdev->device, shared_adapters,
                   shared_domains);
    return fail(EADDRINUSE);
  }
  return {};
}

// ap_matrix_overflow_check.
bool Ownership::exceeds(const Matrix& matrix) const {
  return has_beyond(matrix.adapters, configuration.max_adapter) ||
         has_beyond(matrix.domains, configuration.max_domain) ||
         has_beyond(matrix.control_domains, configuration.max_domain);
}

// vfio_ap_mdev_filter_matrix.
void Ownership::filter(Assigned& mdev) const {
  mdev.guest.adapters = mdev.matrix.adapters & configuration.adapters;
  mdev.guest.domains = mdev.matrix.domains & configuration.usage_domains;
  std::vector<QueueId> queues;
  for_each_queue(mdev.guest.adapters, mdev.guest.domains, [&](QueueId queue) { queues.push_back(queue); });
  for (const QueueId queue : queues) {
    if (!bound_.contains(queue)) mdev.guest.adapters.reset(queue.adapter);
  }
}

Matrix Ownership::matrix(const model::Device& device) const {
  const Lock lock(lock_);
  return assigned(device).matrix;
}

Matrix Ownership::guest_matrix(const model::Device& device) const {
  const Lock lock(lock_);
  return assigned(device).guest;
}

// --- texts

// vfio_ap_mdev_matrix_show.
std::string matrix_text(const Matrix& matrix) {
  std::string text;
  if (matrix.adapters.any() && matrix.domains.any()) {
    for_each_queue(matrix.adapters, matrix.domains, [&](QueueId queue) { text += to_text(queue) + "\n"; });
    return text;
  }
  for_each(matrix.adapters, [&](unsigned adapter) { text += fmt::format("{:02x}.\n", adapter); });
  for_each(matrix.domains, [&](unsigned domain) { text += fmt::format(".{:04x}\n", domain); });
  return text;
}

std::string control_domains_text(const Matrix& matrix) {
  std::string text;
  for_each(matrix.control_domains, [&](unsigned domain) { text += fmt::format("{:04x}\n", domain); });
  return text;
}

std::string configuration_text(const Matrix& matrix) {
  return fmt::format("{},{},{}\n", to_text(matrix.adapters), to_text(matrix.domains),
                     to_text(matrix.control_domains));
}

}  // namespace mdevfs::backends::ap
