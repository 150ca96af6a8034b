#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A job, whichever system runs it: what is to be tested finds its hardware at /sys. Here that is mdevctl, on the GPU of
# gpu.toml; put your own tests in the place of the lines after `mdevfs run`.
set -eu
cd "$(dirname "$0")"
exec mdevfs run --config gpu.toml sh -euc '
  uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
  mdevctl types
  mdevctl start --uuid $uuid --parent 0000:65:00.0 --type nvidia-222
  mdevctl list
  test -e /sys/bus/mdev/devices/$uuid
  mdevctl stop --uuid $uuid'
