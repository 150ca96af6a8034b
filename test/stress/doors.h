// SPDX-License-Identifier: Apache-2.0
//
// The ways into the tree that a stress test can take: the model's own functions, the FUSE protocol, system
// calls on a mount. All do what a shell would: by path, open, one write or read, close.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/core.h"
#include "test/wire/kernel_side.h"

namespace mdevfs::test {

// Thread-safety: all functions from any thread.
class Door {
 public:
  virtual ~Door() = default;
  virtual int write(const std::string& path, std::string_view text) = 0;  // 0 or the errno
  virtual Result<std::string> read(const std::string& path) = 0;
  virtual std::vector<std::string> list(const std::string& path) = 0;  // empty: not there
  virtual bool exists(const std::string& path) = 0;
};

class ModelDoor final : public Door {
 public:
  explicit ModelDoor(model::Core& core) : core_(core) {}
  int write(const std::string& path, std::string_view text) override;
  Result<std::string> read(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  bool exists(const std::string& path) override { return find(path).has_value(); }

 private:
  Result<model::HeldNode> find(std::string_view path);
  model::Core& core_;
};

class WireDoor final : public Door {
 public:
  explicit WireDoor(KernelSide& kernel) : kernel_(kernel) {}
  int write(const std::string& path, std::string_view text) override;
  Result<std::string> read(const std::string& path) override { return kernel_.cat(path); }
  std::vector<std::string> list(const std::string& path) override { return kernel_.names_in(path); }
  bool exists(const std::string& path) override { return kernel_.find(path).has_value(); }

 private:
  KernelSide& kernel_;
};

class MountDoor final : public Door {
 public:
  explicit MountDoor(std::string mountpoint) : root_(std::move(mountpoint) + "/") {}
  int write(const std::string& path, std::string_view text) override;
  Result<std::string> read(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  bool exists(const std::string& path) override;

 private:
  const std::string root_;
};

}  // namespace mdevfs::test
