// SPDX-License-Identifier: Apache-2.0
//
// A GPU of NVIDIA's as its vGPUs share it: its framebuffer, and, unless it is told otherwise, one type at a
// time. What is counted together is the whole GPU, with all its virtual functions where it has some: of those
// each holds one vGPU.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/errno.h"
#include "model/lock.h"

namespace mdevfs::backends::vgpu {

struct VgpuType {
  std::string id;  // as in nvidia-ID, and what is written to current_vgpu_type
  std::string name;
  std::string description;
  unsigned framebuffer = 0;    // MB
  unsigned max_instances = 0;  // on the whole GPU
};

struct GpuDescription {
  std::vector<VgpuType> types;
  unsigned framebuffer = 0;  // MB; 0: only max_instances counts
  bool homogeneous = true;
  bool by_functions = false;  // vGPUs are on virtual functions
  bool has_mdevs = true;      // or the vendor's own files
  int full_errno = 0;
};

// Thread-safety: all functions from any thread.
class Gpu {
 public:
  explicit Gpu(GpuDescription its_description) : description(std::move(its_description)) {}

  // How many vGPUs of the type (its place in the list) fit still on a function: at most one where that is a
  // virtual one.
  unsigned available(std::size_t type, const std::string& function) EXCLUDES(lock_);
  // False: none fits.
  bool take(std::size_t type, const std::string& function) EXCLUDES(lock_);
  void give_back(std::size_t type, const std::string& function) EXCLUDES(lock_);

  // The vendor's framework: the type of a function by its number, 0 is none.
  std::uint64_t chosen(const std::string& function) EXCLUDES(lock_);
  // EINVAL: no such type. The description's full_errno: it does not fit, or the function has one.
  model::Result<void> choose(const std::string& function, std::uint64_t number) EXCLUDES(lock_);

  const GpuDescription description;

 private:
  void give_back_locked(std::size_t type, const std::string& function) REQUIRES(lock_);
  unsigned available_locked(std::size_t type, const std::string& function) const REQUIRES(lock_);

  bool take_locked(std::size_t type, const std::string& function) REQUIRES(lock_);

  model::Mutex lock_{model::Rank::backend};
  std::map<std::string, std::size_t, std::less<>> chosen_ GUARDED_BY(lock_);
  std::map<std::size_t, unsigned> used_ GUARDED_BY(lock_);                    // vGPUs by type; none is 0
  std::map<std::string, unsigned, std::less<>> functions_ GUARDED_BY(lock_);  // vGPUs by function; none is 0
  unsigned framebuffer_ GUARDED_BY(lock_) = 0;                                // in use
};

}  // namespace mdevfs::backends::vgpu
