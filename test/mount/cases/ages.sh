# SPDX-License-Identifier: Apache-2.0
#
# The kernel's ages, as a user chooses them.

UUID=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001

# The kernel that is shown, then the driver that a device has there.
seen() {
  "$MDEVFS" "$@" --no-uevents sh -c "
    cat /sys/kernel/config/mdevfs/kernel
    echo $UUID > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
    basename \"\$(readlink /sys/bus/mdev/devices/$UUID/driver)\"" | xargs
}

choose_a_kernel() {
  needs_user_namespaces
  expect_equal "6.12 mtty" "$(seen run)"
  expect_equal "5.10 vfio_mdev" "$(seen run --kernel 5.10)"
  expect_equal "6.1.192 mtty" "$(seen run --kernel 6.1.192)"
  cd "$WORK" || fail "no directory"
  printf 'kernel = "4.18"\n[parents.mtty]\nbackend = "mtty"\n' > old.toml
  expect_status 0 "$MDEVFS" check old.toml
  expect_equal "4.18 vfio_mdev" "$(seen run --config old.toml)"
  expect_equal "5.14 mtty" "$(seen run --config old.toml --kernel 5.14)"
}
root_choose_a_kernel() { choose_a_kernel; }
user_choose_a_kernel() { choose_a_kernel; }

refused_kernels() {
  expect_status 2 "$MDEVFS" run --kernel 4.9 true
  expect_equal "mdevfs: Linux 4.9 has no mediated devices, expected 4.10 or later" "$err"
  expect_status 2 "$MDEVFS" mount --kernel six "$WORK/mnt"
  expect_equal "mdevfs: 'six' is no version of the kernel, expected one as 6.12 or 6.1.192" "$err"
  printf 'kernel = 6.12\n' > "$WORK/number.toml"
  expect_status 1 "$MDEVFS" check "$WORK/number.toml"
  printf 'kernel = "6.x"\n' > "$WORK/text.toml"
  expect_status 1 "$MDEVFS" check "$WORK/text.toml"
  expect_equal "$WORK/text.toml:1:10: '6.x' is no version of the kernel, expected one as 6.12 or 6.1.192" "$err"
}
user_refused_kernels() { refused_kernels; }

user_list_of_ages() {
  expect_status 0 "$MDEVFS" ages
  case $out in A\ *002fe996*88a21f26*ff598081*) ;; *) fail "no table: $out" ;; esac
}
