# SPDX-License-Identifier: Apache-2.0
#
# The client that most of the others stand on: Debian's own mdevctl, under `mdevfs run`.
# shellcheck disable=SC2016

first=11111111-1111-4111-8111-111111111111
second=22222222-2222-4222-8222-222222222222

needs_mdevctl() {
  needs_user_namespaces
  command -v mdevctl > /dev/null || skip "mdevctl is not installed"
  [ -d /etc/mdevctl.d ] || skip "there is no /etc/mdevctl.d"
}

# under SCRIPT: the script's stdout, without the empty lines that mdevctl ends its lists with
under() { "$MDEVFS" run sh -euc "$1" sh $first $second | sed '/^$/d'; }

types_and_counts() {
  needs_mdevctl
  expect_equal "Available instances: 24 23 21 23 24" "Available instances: $(under '
    count() { cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances; }
    count; mdevctl start -u $1 -p mtty --type mtty-1
    count; mdevctl start -u $2 -p mtty --type mtty-2
    count; mdevctl stop -u $2
    count; mdevctl stop -u $1
    count' | tr '\n' ' ' | sed 's/ $//')"
  expect_equal "mbochs mdpy mtty" "$(under 'mdevctl types' | grep -v '^ ' | tr '\n' ' ' | sed 's/ $//')"
  expect_equal 24 "$(under 'mdevctl types -p mtty' | sed -n '/mtty-1/,/mtty-2/s/.*Available instances: //p')"
}
root_types_and_counts() { types_and_counts; }
user_types_and_counts() { types_and_counts; }

start_list_stop() {
  needs_mdevctl
  expect_equal "$first mtty mtty-1 manual
$second mdpy mdpy-hd manual
then
$second mdpy mdpy-hd manual" "$(under '
    mdevctl start -u $1 -p mtty --type mtty-1; mdevctl start -u $2 -p mdpy --type mdpy-hd
    mdevctl list | sort
    mdevctl stop -u $1
    echo then; mdevctl list
    mdevctl stop -u $2; mdevctl list')"
}
root_start_list_stop() { start_list_stop; }
user_start_list_stop() { start_list_stop; }

define_and_start() {
  needs_mdevctl
  expect_equal "$first mtty mtty-2 manual
$first mtty mtty-2 auto
$first mtty mtty-2 auto (defined)" "$(under '
    mdevctl define -u $1 -p mtty --type mtty-2 && mdevctl list -d
    mdevctl modify -u $1 --auto && mdevctl list -d
    mdevctl start -u $1 && mdevctl list
    mdevctl stop -u $1 && mdevctl list
    mdevctl undefine -u $1 && mdevctl list -d')"
}
root_define_and_start() { define_and_start; }
user_define_and_start() { define_and_start; }

refused_for_a_reason() {
  needs_mdevctl
  expect_status 1 "$MDEVFS" run sh -euc '
    for i in 1 2 3 4; do mdevctl start -u $i$i$i$i$i$i$i$i-1111-4111-8111-111111111111 -p mdpy --type mdpy-hd; done
    mdevctl start -u 55555555-1111-4111-8111-111111111111 -p mdpy --type mdpy-vga'
  case $err in *"No available instances"*) ;; *) fail "mdevctl says: $err" ;; esac
  expect_status 1 "$MDEVFS" run sh -euc 'mdevctl start -u $1 -p mtty --type mtty-1
    mdevctl start -u $1 -p mdpy --type mdpy-hd' sh $first
  case $err in *"exists under different parent"*) ;; *) fail "mdevctl says: $err" ;; esac
}
root_refused_for_a_reason() { refused_for_a_reason; }
user_refused_for_a_reason() { refused_for_a_reason; }
