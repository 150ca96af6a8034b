# SPDX-License-Identifier: Apache-2.0
#
# Backends that are loaded: the example (examples/plugin), built against what was installed, and what must be refused.
# shellcheck disable=SC2016

a=83b8f4f2-509f-382f-3c1e-e6bfe0fa100
slots_parent=class/mdev_bus/slots
slots_types=$slots_parent/mdev_supported_types

listed_plugin() {
  expect_status 0 "$MDEVFS" backends --plugin "$WORK/plugins/slots.so"
  case $out in *"slots "*"    pairs "*"pairs of slots on the card (2)"*) ;; *) fail "not in the list: $out" ;; esac
  case $out in *"mtty "*) ;; *) fail "the others are not in the list: $out" ;; esac
  expect_status 0 "$MDEVFS" backends
  case $out in *slots*) fail "it is in the list without being loaded" ;; esac
}
root_plugin_is_listed() { listed_plugin; }
user_plugin_is_listed() { listed_plugin; }

# Two pairs: a single in each, and no double fits though there are two slots.
plugin_in_use() {
  needs_user_namespaces
  expect_status 0 "$MDEVFS" run --plugin "$WORK/plugins/slots.so" --backend slots -- bash -c '
    a=$1 parent=/sys/$2
    cd "$parent/mdev_supported_types" && cat slots-single/available_instances slots-double/available_instances
    echo ${a}1 > slots-single/create && echo ${a}2 > slots-double/create && echo ${a}3 > slots-single/create
    cat slots-single/available_instances slots-double/available_instances
    echo ${a}4 > slots-single/create
    cd "$parent" && cat ${a}[123]/slots/place ${a}1/slots/reads ${a}1/slots/reads ${a}1/slots/limit
    echo 7 > ${a}1/slots/limit && cat ${a}1/slots/limit
    echo 101 > ${a}1/slots/limit
    echo x > ${a}1/slots/limit
    echo 1 > ${a}2/remove && echo 1 > ${a}1/remove && echo 1 > ${a}3/remove
    cat mdev_supported_types/*/available_instances
    ls /sys/class/mdev_bus /sys/bus/mdev/devices; cat /sys/module/slots/parameters/pairs' bash $a $slots_parent
  expect_equal $'4\n2\n0\n0\n0\n2 3\n1\n1\n2\n100\n7\n2\n4\n/sys/bus/mdev/devices:\n\n/sys/class/mdev_bus:\nslots\n2' "$out"
  case $err in
    *"No space left on device"*"Numerical result out of range"*"Invalid argument"*) ;;
    *) fail "stderr says '$err'" ;;
  esac
}
root_plugin_in_use() { plugin_in_use; }
user_plugin_in_use() { plugin_in_use; }

root_plugin_of_the_manual() {
  expect_equal 4 "$("$MDEVFS" run --plugin "$WORK/plugins/four.so" --backend four cat /sys/class/mdev_bus/four/mdev_supported_types/four-place/available_instances)"
}

# What is loaded is a backend like any other for mdevfs load.
plugin_by_control_files() {
  "$MDEVFS" mount --plugin "$WORK/plugins/slots.so" --backend mtty "$WORK/mnt" || fail "mount"
  expect_equal mtty "$(ls "$WORK/mnt/class/mdev_bus")"
  expect_status 1 "$MDEVFS" load --sys "$WORK/mnt" card backend=slots pairs=65
  "$MDEVFS" load --sys "$WORK/mnt" card backend=slots pairs=3 || fail "load"
  expect_equal 3 "$(cat "$WORK/mnt/$slots_types/slots-double/available_instances")"
  "$MDEVFS" unload --sys "$WORK/mnt" card || fail "unload"
  fusermount3 -u "$WORK/mnt"
}
root_plugin_by_control_files() { plugin_by_control_files; }
user_plugin_by_control_files() { plugin_by_control_files; }

# Without --backend it is there like all others, also as an option of mount's.
plugin_beside_the_others() {
  "$MDEVFS" mount --plugin "$WORK/plugins/slots.so" --plugin "$WORK/plugins/slots.so" "$WORK/mnt" || fail "mount"
  expect_equal "mbochs mdpy mtty slots" "$(ls "$WORK/mnt/class/mdev_bus" | paste -sd " ")"
  fusermount3 -u "$WORK/mnt"
  eventually is_not_mounted
  "$MDEVFS" mount -o "plugin=$WORK/plugins/slots.so,backend=slots" "$WORK/mnt" || fail "mount -o"
  expect_equal slots "$(ls "$WORK/mnt/class/mdev_bus")"
  fusermount3 -u "$WORK/mnt"
}
root_plugin_beside_the_others() { plugin_beside_the_others; }
user_plugin_beside_the_others() { plugin_beside_the_others; }

# The program is in $WORK/bin, so its LIBDIR is $WORK/lib.
plugin_by_its_name() {
  expect_refusal 1 "there is neither $PWD/slots nor $WORK/lib/mdevfs/slots.so" "$MDEVFS" backends --plugin slots
  mkdir -p "$WORK/lib/mdevfs" && cp "$WORK/plugins/slots.so" "$WORK/lib/mdevfs/" || fail "set-up"
  expect_status 0 "$MDEVFS" backends --plugin slots
  expect_status 0 "$MDEVFS" backends --plugin slots.so
  mkdir slots && expect_status 0 "$MDEVFS" backends --plugin slots
  cd "$WORK/plugins" || fail "set-up"
  expect_status 0 "$MDEVFS" backends --plugin ./slots.so
  rm -r "$WORK/lib" && expect_status 0 "$MDEVFS" backends --plugin slots.so
  expect_refusal 1 "the plugin $WORK/plugins/none/slots.so is not there" "$MDEVFS" backends --plugin none/slots.so
}
root_plugin_by_its_name() { plugin_by_its_name; }

# refused TEXT PLUGIN: by every command, with nothing mounted.
refused() {
  expect_refusal 1 "$1" "$MDEVFS" backends --plugin "$2"
  expect_refusal 1 "$1" "$MDEVFS" mount --plugin "$2" "$WORK/mnt"
  expect_refusal 1 "$1" "$MDEVFS" mount -o "plugin=$2" "$WORK/mnt"
  expect_refusal 1 "$1" "$MDEVFS" run --plugin "$2" -- touch "$WORK/ran"
  [ ! -e "$WORK/ran" ] || fail "the command ran"
}

refused_plugins() {
  local in=$WORK/plugins
  refused "the plugin $in/none.so is not there" "$in/none.so"
  refused "the plugin $in is not there" "$in"
  refused "the plugin's name is empty" ""
  refused "the plugin $in/text.so is not a shared object" "$in/text.so"
  refused "$in/no_symbol.so is no mdevfs plugin: it has no mdevfs_plugin" "$in/no_symbol.so"
  refused "$in/wrong_version.so was built for plugin interface 3; this mdevfs has 1" "$in/wrong_version.so"
  refused "$in/other_layout.so does not fit this mdevfs: it was built for mdevfs " "$in/other_layout.so"
  refused "$in/no_backend.so has no backend" "$in/no_backend.so"
  refused "$in/throwing.so cannot give its backend: there is no card" "$in/throwing.so"
  refused "$in/taken_name.so cannot be used: there is a backend 'mtty' already" "$in/taken_name.so"
  refused "$in/bad_name.so cannot be used: its name 'a/b' is no name" "$in/bad_name.so"
  refused "$in/bad_key.so cannot be used: the key 'count' has no check" "$in/bad_key.so"
  refused "$in/undefined.so cannot be loaded: undefined symbol: " "$in/undefined.so"
}
root_plugin_refused() { refused_plugins; }
user_plugin_refused() { refused_plugins; }

root_plugin_not_readable() {
  chmod 000 "$WORK/plugins/slots.so"
  expect_refusal 1 "cannot be read" setpriv --reuid=65534 --regid=65534 --clear-groups "$MDEVFS" backends --plugin "$WORK/plugins/slots.so"
}

plugin_in_a_machine_file() {
  cp "$WORK/plugins/slots.so" "$WORK/"
  printf 'plugin = ["slots.so"]\n[parents.slots]\nbackend = "slots"\npairs = 3\n' > "$WORK/machine.toml"
  expect_status 0 "$MDEVFS" check "$WORK/machine.toml"
  expect_status 0 "$MDEVFS" run --config "$WORK/machine.toml" \
    cat /sys/class/mdev_bus/slots/mdev_supported_types/slots-double/available_instances
  expect_equal 3 "$out"
  rm "$WORK/slots.so"
  expect_status 1 "$MDEVFS" run --config "$WORK/machine.toml" true
  case $err in "$WORK/machine.toml:1:11: the plugin $WORK/slots.so is not there"*) ;; *) fail "$err" ;; esac
}
root_plugin_in_a_machine_file() { plugin_in_a_machine_file; }
user_plugin_in_a_machine_file() { plugin_in_a_machine_file; }
