# SPDX-License-Identifier: Apache-2.0
#
# systemd-udevd under `mdevfs run --udev`: it does for the emulated devices what it does on a machine, mdevctl's rule
# included, and nothing of it is to be noticed outside.
# limit: 300
# as: root user container debian debian-user
# shellcheck disable=SC2016
. "${BASH_SOURCE%/*}/lib.sh"
needs /lib/systemd/systemd-udevd
PATH=$(dirname "$MDEVFS"):$PATH

first=11111111-1111-4111-8111-111111111111
second=22222222-2222-4222-8222-222222222222

# under [OPTION...] SCRIPT: what the script prints under `run --udev`
under() { mdevfs run --udev "${@:1:$#-1}" --backend mtty sh -euc "
  create=/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create first=$first second=$second
  ${*: -1}"; }

is_ready() {
  mkdir rules && cat > rules/10-test.rules << 'END'
SUBSYSTEM=="mtty", ACTION=="add", ENV{PARENT_SEEN}="yes"
SUBSYSTEM=="vfio", SYMLINK+="mdevfs-test-link"
END
  expect_equal "PARENT_SEEN=yes DRIVER=mtty vfio/0 DEVLINKS=/dev/mdevfs-test-link" "$(under --udev-rules rules '
    udevadm control --ping
    udevadm info -q property /sys/class/mdev_bus/mtty | grep ^PARENT_SEEN=
    echo $first > $create
    udevadm settle
    udevadm info -q property /sys/bus/mdev/devices/$first | grep ^DRIVER=
    readlink /dev/mdevfs-test-link
    udevadm info -q property /sys/class/vfio/0 | grep ^DEVLINKS=' 2>&1 | paste -sd ' ')"
  [ ! -L /dev/mdevfs-test-link ] || fail "the link is the host's"
}
check "it is ready before the command, and knows what there is" is_ready

# What the monitor prints, without the times: of the kernel, and of udevd.
monitored='
  : > heard  # at once: the one in the background may yet find what the check before it heard
  stdbuf -oL udevadm monitor > heard & monitor=$!
  until grep -q "^UDEV.* change .*/mtty/mtty " heard; do echo change > /sys/devices/virtual/mtty/mtty/uevent; sleep 0.05; done
  heard() { until grep -q "^UDEV.*$1" heard; do sleep 0.02; done; }
  '
monitor_hears() {
  local device=/devices/virtual/mtty/mtty/$first
  under "$monitored"'
    echo $first > $create
    heard "bind .*$first "
    echo 1 > /sys/bus/mdev/devices/$first/remove
    heard "remove .*$first "
    kill $monitor' || fail "no end: $(cat heard)"
  expect_equal "add $device (mdev)
bind $device (mdev)
unbind $device (mdev)
remove $device (mdev)" "$(sed -n "s,^KERNEL[^ ]* \([a-z]*\) *\($device (.*)\),\1 \2,p" heard)"
  expect_equal "$(grep -o "^KERNEL.*$first.*" heard | sed 's/^[^ ]* //' | sort)" "$(grep -o "^UDEV.*$first.*" heard | sed 's/^[^]]*] //' | sort)"
}
check "udevadm monitor hears the kernel, and udevd after it" monitor_hears

triggered() {
  expect_equal "triggered" "$(under "$monitored"'
    echo $first > $create
    udevadm trigger --settle --action=change --subsystem-match=mdev
    heard "change .*$first "
    udevadm trigger --settle --action=change --sysname-match=mtty
    udevadm info --export-db | grep -qx "P: /devices/virtual/mtty/mtty/$first"
    udevadm info --attribute-walk /sys/bus/mdev/devices/$first | grep -q "SUBSYSTEMS==\"mtty\""
    kill $monitor
    echo triggered' 2>&1)"
}
check "udevadm trigger, settle, info" triggered

many_at_once() {
  expect_equal "24 24" "$(under '
    for i in $(seq 10 33); do echo 000000$i-1111-4111-8111-111111111111 > $create; done
    udevadm settle
    udevadm info --export-db > all
    echo $(grep -c "^P: .*-4111-8111-111111111111$" all) $(grep -c "^N: vfio/" all)' 2>&1)"
}
check "a burst of events" many_at_once

users_rules() {
  mkdir changing && echo 'SUBSYSTEM=="mdev", ENV{OF_RULES}="before"' > changing/20-test.rules
  expect_equal "before after" "$(under --udev-rules changing '
    show() { udevadm settle; udevadm info -q property /sys/bus/mdev/devices/$first | sed -n s/OF_RULES=//p; }
    say() { udevadm trigger --settle --action=change --subsystem-match=mdev; show; }
    echo $first > $create; udevadm settle
    echo "SUBSYSTEM==\"mdev\", ENV{OF_RULES}=\"before\", TAG+=\"kept\"" > /run/udev/rules.d/20-test.rules
    udevadm control --reload; say
    echo "SUBSYSTEM==\"mdev\", ENV{OF_RULES}=\"after\", TAG+=\"kept\"" > /run/udev/rules.d/20-test.rules
    udevadm control --reload; say' 2>&1 | paste -sd ' ')"
  expect_status 1 mdevfs run --udev-rules no-such-directory true
  expect_equal "mdevfs: there is no directory no-such-directory with rules for udev" "$err"
}
check "rules of one's own, changed meanwhile" users_rules

autostart_later() {
  expect_equal "$first mtty mtty-2 auto (defined)
$second card card-small auto (defined)" "$(under '
    mdevctl define --auto --uuid $first --parent mtty --type mtty-2
    mdevctl define --auto --uuid $second --parent card --type card-small
    udevadm settle; test -z "$(mdevctl list)"
    cd /sys/kernel/config/mdevfs/mtty && echo 0 > live && echo 1 > live
    mdevfs load card types/small/name=Small
    udevadm settle; mdevctl list | grep . | sort' 2>&1)"
}
autostart_at_first() {
  mkdir definitions
  under --mdevctl-dir definitions 'mdevctl define --auto --uuid $first --parent mtty --type mtty-2' || fail "no definition"
  expect_equal "$first mtty mtty-2 auto (defined)" "$(under --mdevctl-dir definitions 'mdevctl list | grep .' 2>&1)"
}
if [ -e /usr/bin/mdevctl ] && [ -d /etc/mdevctl.d ]; then
  check "mdevctl starts what is defined when its parent comes" autostart_later
  check "and what is there at first" autostart_at_first
fi
as_the_manual_says() {
  code_below man/mdevfs.1.scd "starts one for _COMMAND_" > page.sh
  expect_status 0 bash -e page.sh
  grep -qx "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 card card-small auto (defined)" <<< "$out" || fail "it prints: $out $err"
  grep -qx "DRIVER=card" <<< "$out" || fail "it prints: $out $err"
}
[ ! -e /usr/bin/mdevctl ] || check "the manual's section WITH UDEV" as_the_manual_says

# In Perl, what hears the kernel (1) and udevd (2); what has been sent is there to be had.
listening='
  use Socket;
  sub listener { my $s; socket($s, 16, 3, 15) && bind($s, pack("SSLL", 16, 0, 0, 3)) or die "no listener: $!"; $s }
  sub heard { my $s = shift; my @heads; while (recv($s, my $m, 8192, 64)) { push @heads, (split /\0/, $m)[0] } @heads }
'
host_directories() {
  find /run /dev /usr/sbin /etc/mdevctl.d /etc/udev -xdev \( -path /dev/pts -o -path /dev/shm -o -path '*/mdevfs' \) -prune -o -printf '%p %y %m %u %l\n' 2> /dev/null | sort
}
unnoticed_outside() {
  host_directories > before
  perl -e "$listening"'
    my $s = listener();
    system(@ARGV) == 0 or die "the run failed";
    my @heard = grep { m{mtty|vfio|card} || /^libudev/ } heard($s);
    print "heard: @heard\n";' mdevfs run --udev --backend mtty sh -euc "
      echo $first > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
      mdevfs load card types/small/name=Small
      udevadm trigger --subsystem-match=mdev; udevadm settle
      ! command -v mdevctl > /dev/null || mdevctl define --auto --uuid $second --parent mtty --type mtty-1
      ! test -d /run/udev/data || touch /run/udev/data/test" > heard 2>&1
  expect_equal "heard: " "$(cat heard)"
  host_directories > after
  diff before after || fail "the host's directories differ"
}
check "outside nobody hears it, and nothing is written" unnoticed_outside

# Root's namespaces too are closed to the machine's own events, and its sysfs to writing: a trigger without a filter would
# be the host's.
unnoticed_inside() {
  local host=/sys/devices/virtual/mem/null/uevent
  [ -w $host ] && echo change > $host || { echo "skipped: $host cannot be written to here"; return 77; }
  rm -f listens told; mkfifo told
  mdevfs run --udev --backend mtty perl -e "$listening"'
    my $s = listener();
    open(my $f, ">", "listens"); close $f;
    open($f, "<", "told"); <$f>;
    open($f, ">", "/sys/devices/virtual/mtty/mtty/uevent"); syswrite($f, "change");
    print join(" ", grep { !/^libudev/ } heard($s)), "\n";' > inside-heard 2>&1 &
  eventually test -e listens
  echo change > $host
  echo > told
  wait $!
  expect_equal "change@/devices/virtual/mtty/mtty" "$(cat inside-heard)"
  expect_status 2 mdevfs run --udev sh -c "echo change > $host"
}
check "inside nobody hears the host, nor can write to its devices" unnoticed_inside

hosts_sys_is_useful() {
  expect_equal "$(cat /sys/devices/system/cpu/online) $(cat /sys/class/net/lo/address) $(ls /sys/fs/cgroup | paste -sd ' ')" \
    "$(under 'echo $(cat /sys/devices/system/cpu/online) $(cat /sys/class/net/lo/address) $(ls /sys/fs/cgroup)')"
  expect_equal "$(ls /dev | grep -vx 'block\|char' | paste -sd ' ')" "$(under 'ls /dev' | grep -vx 'block\|char' | paste -sd ' ')"
  expect_equal "written" "$(under 'echo written > /dev/null; head -c 1 /dev/zero > /dev/null; echo written')"
}
check "the host's own devices are there" hosts_sys_is_useful

ends_before_the_command() {
  expect_status 5 mdevfs run --udev sh -c 'udevadm control --exit; while [ -e /run/udev/control ] && udevadm control --ping --timeout=1 2> /dev/null; do :; done; sleep 0.3; exit 5'
  [[ $err == "mdevfs: systemd-udevd exited with status 0"* ]] || fail "stderr says '$err'"
}
check "its end is told, and the command goes on" ends_before_the_command

cannot_be() {
  expect_status 1 unshare --user --map-root-user --mount sh -c 'echo 0 > /proc/sys/user/max_net_namespaces && exec mdevfs run --udev true'
  [[ $err == *"systemd-udevd would hear the host's uevents: the kernel refuses a network namespace"* ]] || fail "stderr says '$err'"
  [ "$WHO" = root ] || return 0
  unshare --mount sh -c 'mount --bind /dev/null /lib/systemd/systemd-udevd && exec mdevfs run --udev true' 2> message && fail "it started"
  expect_equal "mdevfs: there is no systemd-udevd, which --udev starts: install the package udev" "$(cat message)"
}
check "what is missing is said" cannot_be

in_a_chroot() {
  [ "$WHO" = root ] || { echo "skipped: only root can make a chroot"; return 77; }
  make_chroot
  mkdir -p root/run root/etc/udev root/lib && mount --rbind /dev root/dev && mount -t proc none root/proc && mount -t sysfs none root/sys || fail "set-up"
  expect_equal "DRIVER=mtty" "$(chroot root "$MDEVFS" run --udev --backend mtty sh -euc "
    echo $first > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create
    udevadm trigger --settle --action=change --subsystem-match=mdev
    udevadm info -q property /sys/bus/mdev/devices/$first | grep ^DRIVER=" 2>&1)"
  remove_chroot
}
check "in a chroot" in_a_chroot
