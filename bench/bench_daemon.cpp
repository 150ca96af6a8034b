// SPDX-License-Identifier: Apache-2.0
//
// mdevfs as mount_bench measures it: mdpy, with room for any number of devices, mtty beside it, and
// kernel/config/mdevfs.
//
//   bench_daemon MOUNTPOINT [POLL-US [cached]]     until SIGTERM or the mount is gone
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "backends/backends.h"
#include "control/control.h"
#include "fs/filesystem.h"
#include "model/core.h"

namespace {

mdevfs::fs::Filesystem* served = nullptr;

void stop(int) {
  served->stop();
}

bool read_arguments(int argc, char** argv, mdevfs::fs::Options& options) {
  if (argc < 2 || argc > 4 || (argc == 4 && argv[3] != std::string_view("cached"))) {
    std::fputs("usage: bench_daemon MOUNTPOINT [POLL-US [cached]]\n", stderr);
    return false;
  }
  if (argc > 2) options.poll = std::chrono::microseconds(std::atoi(argv[2]));
  options.cached = argc == 4;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  mdevfs::fs::Options options{.mount_options = {"default_permissions"}};
  if (!read_arguments(argc, argv, options)) return 2;
  mdevfs::model::Core core({getuid(), getgid()});
  mdevfs::control::Control control(core);
  if (!control.load({"mdpy", {{"count", "-1"}}}, *mdevfs::backends::find("mdpy"))) return 1;
  if (!control.load("mtty", *mdevfs::backends::find("mtty"))) return 1;
  mdevfs::fs::Filesystem filesystem(core, options);
  if (const auto mounted = filesystem.mount(argv[1]); !mounted) {
    std::fprintf(stderr, "%s\n", mounted.error().c_str());
    return 1;
  }
  served = &filesystem;
  std::signal(SIGTERM, stop);
  filesystem.serve();
  return 0;
}
