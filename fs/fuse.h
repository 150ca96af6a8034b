// SPDX-License-Identifier: Apache-2.0
//
// libfuse's low-level interface at the version this is written for, and the kernel's protocol beneath it.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
