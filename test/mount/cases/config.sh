# SPDX-License-Identifier: Apache-2.0
#
# Machine files: --config of mount and run, config= after -o, and `mdevfs check`.

make_machine() {
  cat > "$WORK/card.toml" << 'MACHINE'
[units.card]
backend = "sim"
counting = "pool"
pool = 8
types.small = { name = "Small card" }
types.big = { weight = 4 }
attributes.color = { value = "red" }

[parents.card1]
unit = "card"

[parents.card0]
unit = "card"
types = ["small"]

[parents.mdpy]
backend = "mdpy"
count = 0x2
MACHINE
}

# The tree at $1 is the machine's, and has nothing else.
expect_machine() {
  expect_equal "card0 card1 mdpy" "$(ls "$1/class/mdev_bus" | xargs)"
  expect_equal "card kernel mdpy" "$(ls "$1/kernel/config/mdevfs" | xargs)"
  cd "$1/kernel/config/mdevfs" || fail "no config"
  expect_equal "pool 8 Small card 4 small red card1 card0 2" \
    "$(cat card/{counting,pool,types/small/name,types/big/weight,parents/card0/types,attributes/color/value} \
      card/parent_names mdpy/count | xargs)"
  expect_equal "1 1 1" "$(cat card/live card/parents/card0/live mdpy/live | xargs)"
  cd ../../../class/mdev_bus || fail "no class"
  expect_equal "card-small" "$(ls card0/mdev_supported_types)"
  expect_equal "8 2 8" "$(cat card0/mdev_supported_types/*/available_instances \
    card1/mdev_supported_types/card-{big,small}/available_instances | xargs)"
  cd "$WORK" || fail "no way back"
}

mount_a_machine() {
  make_machine
  local option
  for option in --config -o; do
    expect_status 0 "$MDEVFS" mount $option "$([ $option = --config ] || echo config=)card.toml" "$WORK/mnt"
    expect_equal "" "$out$err"
    expect_machine "$WORK/mnt"
    expect_status 0 fusermount3 -u "$WORK/mnt"
  done
  expect_status 0 "$MDEVFS" mount --config card.toml --backend mtty "$WORK/mnt"
  expect_equal "card0 card1 mdpy mtty" "$(ls "$WORK/mnt/class/mdev_bus" | xargs)"
  expect_status 0 fusermount3 -u "$WORK/mnt"
  : > empty.toml
  expect_status 0 "$MDEVFS" mount --config empty.toml "$WORK/mnt"
  expect_equal "kernel" "$(ls "$WORK/mnt/class/mdev_bus" 2>&1; ls "$WORK/mnt/kernel/config/mdevfs" 2>&1)"
  expect_status 0 fusermount3 -u "$WORK/mnt"
}
root_mount_a_machine() { mount_a_machine; }
user_mount_a_machine() { mount_a_machine; }

run_with_a_machine() {
  needs_user_namespaces
  make_machine
  declare -f fail expect_equal expect_machine > inside
  echo 'expect_machine /sys' >> inside
  expect_status 0 "$MDEVFS" run --config card.toml env WORK="$WORK" bash inside
  expect_equal "" "$err"
}
root_run_with_a_machine() { run_with_a_machine; }
user_run_with_a_machine() { run_with_a_machine; }

wrong_machines() {
  cat > wrong.toml << 'MACHINE'
[units.card]
backend = "sim"
pol = 8
types.small = { weight = 0 }

[parents.card0]
unit = "card"
types = ["big"]
MACHINE
  local errors="wrong.toml:3:1: there is no key of a unit of sim called pol, expected perhaps pool
wrong.toml:4:26: weight is 0, expected a number from 1 to 4294967295
wrong.toml:8:1: there is no type big: there are small"
  local command
  for command in check "mount --config" "mount -f --config" "run --config"; do
    # shellcheck disable=SC2086
    case $command in
      check) expect_status 1 "$MDEVFS" $command wrong.toml ;;
      mount*) expect_status 1 "$MDEVFS" $command wrong.toml "$WORK/mnt" ;;
      run*) expect_status 1 "$MDEVFS" $command wrong.toml touch ran ;;
    esac
    expect_equal "$errors" "$err"
    expect_equal "" "$out"
    expect_no_mount
  done
  expect_status 1 "$MDEVFS" mount -o config=wrong.toml "$WORK/mnt"
  expect_equal "$errors" "$err"
  [ ! -e ran ] || fail "the command was run"
}
root_wrong_machines() { wrong_machines; }
user_wrong_machines() { wrong_machines; }

check_a_machine() {
  make_machine
  expect_status 0 "$MDEVFS" check card.toml
  expect_equal "" "$out$err"
  mkfifo fifo
  local file
  for file in "none.toml: No such file or directory" "mnt: it is a directory, expected a file" \
    "fifo: expected a regular file"; do
    expect_status 1 timeout 10 "$MDEVFS" check "${file%%:*}"
    expect_equal "$file" "$err"
  done
  printf '[units.card\n' > syntax.toml
  expect_status 1 "$MDEVFS" check syntax.toml
  case $err in syntax.toml:1:12:*) ;; *) fail "$err" ;; esac
  expect_refusal 2 "FILE is required" "$MDEVFS" check
}
user_check_a_machine() { check_a_machine; }

# Each unit is right, and both cannot be.
units_that_clash() {
  cat > clash.toml << 'MACHINE'
[units.card]
backend = "sim"
types.a = {}
[units.other]
backend = "sim"
class = "card"
types.a = {}
MACHINE
  expect_status 1 "$MDEVFS" check clash.toml
  case $err in "clash.toml:4:8: cannot load the unit other: File exists ("*) ;; *) fail "$err" ;; esac
  expect_refusal 1 "clash.toml:4:8: cannot load the unit other: File exists" \
    "$MDEVFS" mount --config clash.toml "$WORK/mnt"
  expect_refusal 2 "more than one --config" "$MDEVFS" mount --config a --config b "$WORK/mnt"
}
root_units_that_clash() { units_that_clash; }
user_units_that_clash() { units_that_clash; }
