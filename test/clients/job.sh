# SPDX-License-Identifier: Apache-2.0
#
# The job of examples/ci, by everybody whom a CI system may run it as. What the systems' own files say is tried in
# engine.sh.
# as: root user container debian debian-user
. "${BASH_SOURCE%/*}/lib.sh"
needs mdevctl /etc/mdevctl.d

job() {
  expect_status 0 env PATH="${MDEVFS%/*}:$PATH" "$WORK/bin/examples/ci/job.sh"
  expect_equal "0000:65:00.0
83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 0000:65:00.0 nvidia-222 manual" "$(grep -v '^ ' <<< "$out" | sed '/^$/d')"
  expect_equal "" "$err"
}
check "examples/ci/job.sh" job

# What goes wrong in it ends the job.
job_that_fails() {
  cp -r "$WORK/bin/examples/ci" "$WORK/ci"
  sed -i 's/--type nvidia-222/--type nvidia-1/' "$WORK/ci/job.sh"
  expect_status 1 env PATH="${MDEVFS%/*}:$PATH" "$WORK/ci/job.sh"
  expect_equal "Error: Parent 0000:65:00.0 does not support mdev type nvidia-1" "$err"
}
check "a job that fails" job_that_fails
