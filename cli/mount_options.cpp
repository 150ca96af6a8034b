// SPDX-License-Identifier: Apache-2.0
#include "mount_options.h"

#include <unistd.h>

#include <algorithm>

namespace mdevfs::cli {
namespace {

enum class Fate { pass, drop, backend, cached, config, kernel, plugin, source };

struct KnownOption {
  std::string_view name;  // with its '=' where it takes a value; "x-" and "X-" are prefixes
  Fate fate;
};

// Dropped are the ones that concern mount(8) or the boot, and those that every mdevfs mount decides itself
// (mount.fuse3 adds "dev,suid" to every call).
constexpr KnownOption kOptions[] = {
    {"cached", Fate::cached},     {"backend=", Fate::backend},
    {"config=", Fate::config},    {"kernel=", Fate::kernel},
    {"plugin=", Fate::plugin},    {"fsname=", Fate::source},
    {"allow_other", Fate::pass},  {"allow_root", Fate::pass},
    {"auto_unmount", Fate::pass}, {"ro", Fate::pass},
    {"noatime", Fate::pass},      {"sync", Fate::pass},
    {"dirsync", Fate::pass},      {"context=", Fate::pass},
    {"fscontext=", Fate::pass},   {"rootcontext=", Fate::pass},
    {"rw", Fate::drop},           {"async", Fate::drop},
    {"atime", Fate::drop},        {"relatime", Fate::drop},
    {"defaults", Fate::drop},     {"default_permissions", Fate::drop},
    {"nosuid", Fate::drop},       {"nodev", Fate::drop},
    {"noexec", Fate::drop},       {"suid", Fate::drop},
    {"dev", Fate::drop},          {"exec", Fate::drop},
    {"auto", Fate::drop},         {"noauto", Fate::drop},
    {"user", Fate::drop},         {"user=", Fate::drop},
    {"users", Fate::drop},        {"nouser", Fate::drop},
    {"owner", Fate::drop},        {"group", Fate::drop},
    {"nofail", Fate::drop},       {"_netdev", Fate::drop},
    {"comment=", Fate::drop},     {"x-", Fate::drop},
    {"X-", Fate::drop},
};

const KnownOption* find_option(std::string_view option) {
  const auto matches = [&](const KnownOption& known) {
    const bool prefix = known.name.ends_with('=') || known.name.ends_with('-');
    return prefix ? option.starts_with(known.name) : option == known.name;
  };
  const auto* found = std::find_if(std::begin(kOptions), std::end(kOptions), matches);
  return found == std::end(kOptions) ? nullptr : found;
}

Outcome<> take_option(std::string_view option, MountOptions& options) {
  const KnownOption* known = find_option(option);
  if (known == nullptr) return failure("unknown mount option '{}' after -o", option);
  const std::string value(option.substr(known->name.size()));
  switch (known->fate) {
    case Fate::pass:
      options.filesystem.emplace_back(option);
      break;
    case Fate::backend:
      options.backends.push_back(value);
      break;
    case Fate::cached:
      options.cached = true;
      break;
    case Fate::config:
      options.configs.push_back(value);
      break;
    case Fate::kernel:
      options.kernel = value;
      break;
    case Fate::plugin:
      options.plugins.push_back(value);
      break;
    case Fate::source:
      options.source = value;
      break;
    case Fate::drop:
      break;
  }
  return {};
}

}  // namespace

Outcome<MountOptions> parse_mount_options(std::span<const std::string> texts) {
  MountOptions options{.filesystem = {"nosuid", "nodev", "noexec", "default_permissions"}};
  for (std::string_view text : texts) {
    while (!text.empty()) {
      const std::string_view option = text.substr(0, text.find(','));
      text.remove_prefix(std::min(text.size(), option.size() + 1));
      if (option.empty()) continue;
      if (auto taken = take_option(option, options); !taken) return std::unexpected(taken.error());
    }
  }
  // libfuse refuses allow_other beside allow_root.
  const bool chosen =
      std::ranges::any_of(options.filesystem, [](auto& o) { return o.starts_with("allow_"); });
  if (geteuid() == 0 && !chosen) options.filesystem.emplace_back("allow_other");
  return options;
}

}  // namespace mdevfs::cli
