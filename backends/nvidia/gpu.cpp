// SPDX-License-Identifier: Apache-2.0
#include "gpu.h"

#include <algorithm>

namespace mdevfs::backends::vgpu {

unsigned Gpu::available_locked(std::size_t type, const std::string& function) const {
  if (description.by_functions && functions_.contains(function)) return 0;
  const auto of_type = used_.find(type);
  if (description.homogeneous && !used_.empty() && of_type == used_.end()) return 0;
  const VgpuType& wanted = description.types[type];
  const unsigned used = of_type == used_.end() ? 0 : of_type->second;
  unsigned available = wanted.max_instances - std::min(used, wanted.max_instances);
  if (description.framebuffer != 0 && wanted.framebuffer != 0)
    available = std::min(available, (description.framebuffer - framebuffer_) / wanted.framebuffer);
  return description.by_functions ? std::min(available, 1U) : available;
}

unsigned Gpu::available(std::size_t type, const std::string& function) {
  const model::Lock lock(lock_);
  return available_locked(type, function);
}

bool Gpu::take_locked(std::size_t type, const std::string& function) {
  if (available_locked(type, function) == 0) return false;
  ++used_[type];
  ++functions_[function];
  framebuffer_ += description.types[type].framebuffer;
  return true;
}

void Gpu::give_back_locked(std::size_t type, const std::string& function) {
  if (--used_[type] == 0) used_.erase(type);
  if (--functions_[function] == 0) functions_.erase(function);
  framebuffer_ -= description.types[type].framebuffer;
}

bool Gpu::take(std::size_t type, const std::string& function) {
  const model::Lock lock(lock_);
  return take_locked(type, function);
}

void Gpu::give_back(std::size_t type, const std::string& function) {
  const model::Lock lock(lock_);
  give_back_locked(type, function);
}

std::uint64_t Gpu::chosen(const std::string& function) {
  const model::Lock lock(lock_);
  const auto at = chosen_.find(function);
  return at != chosen_.end() ? std::stoull(description.types[at->second].id) : 0;
}

model::Result<void> Gpu::choose(const std::string& function, std::uint64_t number) {
  const auto type = std::ranges::find(description.types, std::to_string(number), &VgpuType::id);
  if (number != 0 && type == description.types.end()) return model::fail(EINVAL);
  const model::Lock lock(lock_);
  const auto at = chosen_.find(function);
  if (number == 0) {
    if (at == chosen_.end()) return {};
    give_back_locked(at->second, function);
    chosen_.erase(at);
    return {};
  }
  const auto place = static_cast<std::size_t>(type - description.types.begin());
  if (at != chosen_.end() || !take_locked(place, function)) return model::fail(description.full_errno);
  chosen_[function] = place;
  return {};
}

}  // namespace mdevfs::backends::vgpu
