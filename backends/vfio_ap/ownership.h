// SPDX-License-Identifier: Apache-2.0
//
// Whose a queue is. The host reserves queues for its own drivers (apmask and aqmask, ap_bus.c's ap_perms); of
// the others, mediated devices get adapters and domains assigned, and with them every queue where one crosses
// the other (vfio_ap_ops.c). A guest sees of these only what the driver vfio_ap is bound to.
//
// The kernel has three locks for it, of which no two can be told apart from outside; here it is one.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mask.h"
#include "model/device.h"
#include "model/errno.h"
#include "model/lock.h"

namespace mdevfs::backends::ap {

// A queue (APQN): an adapter's share of a domain.
struct QueueId {
  unsigned adapter = 0;
  unsigned domain = 0;
  auto operator<=>(const QueueId&) const = default;
};
std::string to_text(QueueId queue);  // 05.0004

// What the machine has, as the firmware says (struct ap_config_info).
struct Configuration {
  unsigned max_adapter = 0;
  unsigned max_domain = 0;
  Mask adapters;
  Mask usage_domains;
  Mask control_domains;
};

// What can be assigned to a mediated device (struct ap_matrix).
struct Matrix {
  Mask adapters;
  Mask domains;
  Mask control_domains;
};
using Dimension = Mask Matrix::*;

// Queues with both bits set are the host's own (struct ap_perms).
struct Reserved {
  Mask adapters;
  Mask domains;
};
using ReservedMask = Mask Reserved::*;

// Thread-safety: all functions from any thread. A device is added before, and removed after, anything else is
// asked of it.
class Ownership {
 public:
  Ownership(Configuration machine, Reserved reserved) : configuration(machine), reserved_(reserved) {}

  const Configuration configuration;

  // --- what is reserved

  Reserved reserved() const EXCLUDES(lock_);
  bool is_reserved(QueueId queue) const EXCLUDES(lock_);
  // apmask_store and aqmask_store, without what follows from them: what the mask was and is. EINVAL. EBUSY: a
  // mediated device has one of the queues.
  model::Result<std::pair<Mask, Mask>> reserve(ReservedMask which, std::string_view text) EXCLUDES(lock_);

  // --- what is bound to vfio_ap

  void queue_bound(QueueId queue) EXCLUDES(lock_);
  void queue_unbound(QueueId queue) EXCLUDES(lock_);
  bool is_assigned(QueueId queue) const EXCLUDES(lock_);

  // --- what is assigned

  void add(const model::Device& device) EXCLUDES(lock_);
  void remove(const model::Device& device) EXCLUDES(lock_);
  // By the text of a number. EINVAL, ERANGE: none. ENODEV: beyond the largest. EADDRNOTAVAIL: a queue is
  // reserved. EADDRINUSE: another device has it. What is assigned already, or not, is no error.
  model::Result<void> assign(const model::Device& device, Dimension dimension, std::string_view text)
      EXCLUDES(lock_);
  model::Result<void> unassign(const model::Device& device, Dimension dimension, std::string_view text)
      EXCLUDES(lock_);
  // ap_config_store: three masks, all or nothing.
  model::Result<void> configure(const model::Device& device, std::string_view text) EXCLUDES(lock_);
  Matrix matrix(const model::Device& device) const EXCLUDES(lock_);
  Matrix guest_matrix(const model::Device& device) const EXCLUDES(lock_);

 private:
  struct Assigned {
    const model::Device* device = nullptr;
    Matrix matrix;
    Matrix guest;  // the kernel's shadow_apcb, which changes at certain moments only
  };
  Assigned& assigned(const model::Device& device) REQUIRES(lock_);
  const Assigned& assigned(const model::Device& device) const REQUIRES(lock_);
  model::Result<unsigned> number_in(Dimension dimension, std::string_view text) const;
  model::Result<void> validate(const Assigned& mdev) const REQUIRES(lock_);
  model::Result<void> check_not_shared(const Assigned* assignee, const Mask& adapters,
                                       const Mask& domains) const REQUIRES(lock_);
  bool exceeds(const Matrix& matrix) const;
  void filter(Assigned& mdev) const REQUIRES(lock_);

  mutable model::Mutex lock_{model::Rank::backend};
  Reserved reserved_ GUARDED_BY(lock_);
  std::set<QueueId> bound_ GUARDED_BY(lock_);
  std::vector<Assigned> mdevs_ GUARDED_BY(lock_);  // the newest last
};

// The texts of the files `matrix` and `guest_matrix`, `control_domains` and `ap_config`.
std::string matrix_text(const Matrix& matrix);
std::string control_domains_text(const Matrix& matrix);
std::string configuration_text(const Matrix& matrix);

}  // namespace mdevfs::backends::ap
