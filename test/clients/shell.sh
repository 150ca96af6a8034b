# SPDX-License-Identifier: Apache-2.0
#
# The idioms of shell scripts, as mdevctl was one until 0.78: redirections into attributes, tests, find, realpath, ls. By each
# shell that is here.
# limit: 120
# as: root user container debian debian-user
# shellcheck disable=SC2016
. "${BASH_SOURCE%/*}/lib.sh"
needs_user_namespaces

# prints EXPECTED SCRIPT [OPTION...]: says this under `mdevfs run OPTION...`, on stdout and stderr, whichever shell runs it.
prints() {
  local expected=$1 script=$2 shell
  shift 2
  for shell in bash dash 'busybox ash'; do
    command -v "${shell% *}" > /dev/null || continue
    # shellcheck disable=SC2086
    expect_equal "$expected" "$("$MDEVFS" run "$@" $shell -uc "$beginning$script" 2>&1 < /dev/null)"
  done
}
beginning='
  u=11111111-1111-4111-8111-111111111111 v=22222222-2222-4222-8222-222222222222
  bus=/sys/class/mdev_bus devices=/sys/bus/mdev/devices
'
u=11111111-1111-4111-8111-111111111111

types() {
  prints 'mtty mtty-1 24 vfio-pci Single port serial
mtty mtty-2 12 vfio-pci Dual port serial' '
    for parent in $(find $bus/ -maxdepth 1 -mindepth 1 -type l); do
      for type in $(find "$(realpath $parent)/mdev_supported_types" -maxdepth 1 -mindepth 1 -type d | sort); do
        [ -e $type/description ] && echo "description"
        echo "$(basename $parent) $(basename $type) $(cat $type/available_instances) $(cat $type/device_api) $(cat $type/name)"
      done
    done' --backend mtty
}
check "types: find -type l and -type d, realpath, cat" types

start_and_stop() {
  prints "yes
$u mtty mtty-1
$u
Device exists
21 10
gone
24 12" '
    types=$bus/mtty/mdev_supported_types
    count() { read -r one < $types/mtty-1/available_instances; read -r two < $types/mtty-2/available_instances; echo $one $two; }
    [ -L $devices/$u ] && echo "there already"
    echo $u > $types/mtty-1/create && [ -L $devices/$u ] && [ -d $devices/$u ] && [ -e $devices/$u ] && echo yes
    for device in $(find $devices/ -maxdepth 1 -mindepth 1 -type l); do
      at=$(realpath $device)
      echo "$(basename $at) $(basename "$(dirname $at)") $(basename "$(realpath $device/mdev_type)")"
    done
    ls $devices
    [ -L $devices/$u ] && echo "Device exists"
    printf %s $v > $types/mtty-2/create; count
    echo 1 > $devices/$u/remove; [ -L $devices/$u ] || [ -e $devices/$u ] || echo gone
    echo 1 > $bus/mtty/$v/remove; count' --backend mtty
}
check "echo uuid > create, [ -L ], realpath, echo 1 > remove" start_and_stop

all_ways_to_remove() {
  prints '24
24
24
24' '
    types=$bus/mtty/mdev_supported_types
    for way in $devices $bus/mtty $types/mtty-1/devices /sys/devices/virtual/mtty/mtty; do
      echo $u > $types/mtty-1/create; echo 1 > $way/$u/remove; cat $types/mtty-1/available_instances
    done' --backend mtty
}
check "each way to remove" all_ways_to_remove

listings() {
  prints "/sys/bus/mdev/devices/$u
$u
mtty
create
l -
../../../devices/virtual/mtty/mtty/$u
/sys/devices/virtual/mtty/mtty/$u
no
--w------- create
-r--r--r-- available_instances" '
    type=$bus/mtty/mdev_supported_types/mtty-1; echo $u > $type/create
    ls -d $devices/*; ls $devices/; ls $bus
    cd $type; ls -d cr*
    echo "$(ls -ld $devices/$u | cut -c 1) $(ls -l create | cut -c 1)"
    readlink $devices/$u; (cd -P $devices/$u && pwd -P)
    ls -d $devices/$v > /dev/null 2>&1 || echo no
    for file in create available_instances; do ls -l $file | sed "s/ .* / /"; done' --backend mtty
}
check "ls, ls -d, ls -l, globs, readlink, cd -P" listings

tests_of_files() {
  prints 'create: -e -f -w -s
name: -e -f -r -s
mdev_type: -L -e -d -r -x' '
    echo $u > $bus/mtty/mdev_supported_types/mtty-1/create
    tests() {
      result=
      for one in $2; do [ $one $3 ] && result="$result $one"; done
      echo "$1:$result"
    }
    tests create "-L -e -f -d -w -x -s" $bus/mtty/mdev_supported_types/mtty-1/create
    tests name "-L -e -f -d -r -x -s" $bus/mtty/mdev_supported_types/mtty-1/name
    tests mdev_type "-L -e -f -d -r -x -p" $devices/$u/mdev_type' --backend mtty
}
check "[ -e ], [ -f ], [ -d ], [ -r ], [ -w ], [ -x ], [ -s ]" tests_of_files

attributes() {
  prints 'yes
no
05.0004
Write error' '
    echo $u > $bus/matrix/mdev_supported_types/vfio_ap-passthrough/create
    cd $devices/$u
    [ -w assign_adapter ] && echo yes; [ -w nosuch ] || echo no
    echo 5 > assign_adapter; echo 0x4 > assign_domain; cat matrix
    echo 999 > assign_domain 2> /dev/null || echo "Write error"' --backend vfio_ap
}
check "[ -w ] and echo value > attribute" attributes

errors() {
  prints 'create twice: File exists
create nothing: Invalid argument
create nonsense: Invalid argument
remove nonsense: Invalid argument
a new file: Permission denied
read create: Permission denied
write name: Permission denied
mkdir: Operation not permitted
rm: Operation not permitted
rm link: Operation not permitted
mv: Operation not permitted
ln: Operation not permitted
full: Too many users' '
    type=$bus/mtty/mdev_supported_types/mtty-1; echo $u > $type/create
    try() {
      name=$1; shift
      reason=$(LC_ALL=C "$@" 2>&1) && { echo "$name: done"; return; }
      case $reason in
        *"File exists"*) reason="File exists" ;; *"Invalid argument"*) reason="Invalid argument" ;;
        *"Permission denied"*) reason="Permission denied" ;; *"ot permitted"*) reason="Operation not permitted" ;;
        *"oo many users"*) reason="Too many users" ;;
      esac
      echo "$name: $reason"
    }
    write() { echo "$1" | tee "$2" > /dev/null; }  # not the shell: dash calls each error of a write an I/O error
    try "create twice" write $u $type/create; try "create nothing" write "" $type/create
    try "create nonsense" write nonsense $type/create; try "remove nonsense" write yes $devices/$u/remove
    try "a new file" write x $type/new; try "read create" cat $type/create; try "write name" write x $type/name
    try mkdir mkdir $type/new; try rm rm -f $type/name; try "rm link" rm -f $devices/$u; try mv mv $type/name $type/other
    try ln ln -s x $bus/new
    full=/sys/class/mdev_bus/mdpy/mdev_supported_types/mdpy-hd
    for i in 4 5 6 7; do echo ${i}1111111-1111-4111-8111-111111111111 > $full/create; done
    try full write $v $full/create' --backend mtty --backend mdpy
}
check "errors" errors

loops() {
  prints '24 then 0 then 24
No room' '
    type=$bus/mtty/mdev_supported_types/mtty-1; before=$(cat $type/available_instances)
    n=10
    while [ "$(cat $type/available_instances)" -gt 0 ]; do
      echo 111111$n-1111-4111-8111-111111111111 > $type/create || break; n=$((n + 1))
    done
    between=$(cat $type/available_instances)
    { echo $u > $type/create; } 2> /dev/null || refused="No room"
    for device in $devices/*; do echo 1 > $device/remove; done
    echo "$before then $between then $(cat $type/available_instances)"; echo "$refused"
    for device in $devices/*; do [ -e "$device" ] && echo "left: $device"; done; :' --backend mtty
}
check "all that are available, and all removed by a glob" loops
