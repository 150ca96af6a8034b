# SPDX-License-Identifier: Apache-2.0
#
# Cards and the examples: a card of one's own, the list of them, and each example as a machine in which a device of each
# family can be made and unmade.

list_cards() {
  mkdir cards
  cat > cards/mine.toml << 'CARD'
summary = "A card of my own"
backend = "nvidia"
[parent]
device = 0x1234
[types]
7 = { name = "Mine 7", max_instances = 3 }
CARD
  expect_status 0 env MDEVFS_CARDS="$WORK/cards" "$MDEVFS" cards
  expect_equal "" "$err"
  for card in "mine         nvidia   A card of my own" "T4           nvidia   NVIDIA Tesla T4, 16 GB"; do
    case $out in *"$card"*) ;; *) fail "no line '$card' in: $out" ;; esac
  done
  printf 'backend = 5\n' > cards/broken.toml
  expect_status 1 env MDEVFS_CARDS="$WORK/cards" "$MDEVFS" cards
  expect_equal "$WORK/cards/broken.toml:1:11: backend is 5, expected a text" "$err"
  case $out in *"A card of my own"*) ;; *) fail "one broken card hides the others: $out" ;; esac
}
user_list_cards() { list_cards; }

# By its path, from the machine file's directory and wherever the daemon is; by its name, in $MDEVFS_CARDS and ~.
use_a_card_of_ones_own() {
  mkdir -p machine home/.config/mdevfs/cards
  printf 'backend = "nvidia"\nparent.vendor = 0x10de\n[types.7]\nname = "Mine 7"\nmax_instances = 3\n' > machine/mine.toml
  printf '[parents."0000:01:00.0"]\nbackend = "nvidia"\ncard = "mine.toml"\n' > machine/machine.toml
  expect_status 0 "$MDEVFS" check machine/machine.toml
  expect_status 0 "$MDEVFS" mount --config machine/machine.toml "$WORK/mnt"
  local types=$WORK/mnt/class/mdev_bus/0000:01:00.0/mdev_supported_types unit=$WORK/mnt/kernel/config/mdevfs/nvidia
  expect_equal "Mine 7 3" "$(cat "$types"/nvidia-7/{name,available_instances} | xargs)"
  expect_equal "mine.toml" "$(cat "$unit/parents/0000:01:00.0/card")"
  # Another, by the control files.
  mkdir "$unit/parents/0000:02:00.0" && echo mine.toml > "$unit/parents/0000:02:00.0/card"
  echo 1 > "$unit/parents/0000:02:00.0/live" || fail "it is not live"
  echo mien > "$unit/parents/0000:02:00.0/card" 2> /dev/null && fail "the card of a live parent was changed"
  mkdir "$unit/parents/0000:03:00.0" && echo mien > "$unit/parents/0000:03:00.0/card"
  expect_status 1 bash -c "echo 1 > '$unit/parents/0000:03:00.0/live'"
  case $err in *"Invalid argument"*) ;; *) fail "$err" ;; esac
  expect_status 0 fusermount3 -u "$WORK/mnt"

  mv machine/mine.toml home/.config/mdevfs/cards/
  printf '[parents."0000:01:00.0"]\nbackend = "nvidia"\ncard = "mine"\n' > machine/machine.toml
  expect_status 0 env -u XDG_CONFIG_HOME HOME="$WORK/home" "$MDEVFS" check machine/machine.toml
  expect_status 0 env MDEVFS_CARDS="$WORK/home/.config/mdevfs/cards" "$MDEVFS" check machine/machine.toml
  expect_status 1 env HOME=/ "$MDEVFS" check machine/machine.toml
  case $err in "machine/machine.toml:3:1: there is no card of nvidia called mine, expected "*) ;; *) fail "$err" ;; esac
}
root_use_a_card_of_ones_own() { use_a_card_of_ones_own; }
user_use_a_card_of_ones_own() { use_a_card_of_ones_own; }

# The first parent of each family has a device made and unmade, and all counts are then as they were.
exercise() {
  local bus=$1/class/mdev_bus parent before uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 type
  before=$(cat "$bus"/*/mdev_supported_types/*/available_instances | sha256sum)
  for parent in "${@:2}"; do
    [ -d "$bus/$parent/mdev_supported_types" ] || fail "there is no parent $parent: $(ls "$bus")"
    for type in "$bus/$parent"/mdev_supported_types/*; do
      [ "$(cat "$type/available_instances")" = 0 ] || break
    done
    echo $uuid > "$type/create" || fail "no device of $type"
    [ "$(cat "$bus"/*/mdev_supported_types/*/available_instances | sha256sum)" != "$before" ] ||
      fail "a device of $type costs nothing"
    echo 1 > "$1/bus/mdev/devices/$uuid/remove" || fail "the device of $type stays"
    expect_equal "$before" "$(cat "$bus"/*/mdev_supported_types/*/available_instances | sha256sum)"
  done
}

# example NAME COUNT PARENT...
example() {
  local name=$1 count=$2
  shift 2
  expect_status 0 "$MDEVFS" check "$WORK/bin/examples/$name.toml"
  expect_equal "" "$out$err"
  expect_status 0 "$MDEVFS" mount --config "$WORK/bin/examples/$name.toml" "$WORK/mnt"
  expect_equal "$count" "$(find "$WORK/mnt/class/mdev_bus/" -mindepth 1 | wc -l)"
  exercise "$WORK/mnt" "$@"
  expect_status 0 fusermount3 -u "$WORK/mnt"
}
user_example_laptop() {
  example laptop 1 0000:00:02.0
}
user_example_server_t4() {
  example server-t4 2 0000:65:00.0 0000:af:00.0
}
user_example_server_a16() {
  example server-a16 16 0000:41:00.4 0000:41:02.3
}
user_example_rack() {
  example rack 100 rack00 rack99
}
user_example_s390x() {
  example s390x 3 matrix 0.0.0010
}
user_every_example_has_a_test() {
  local file name
  for file in "$WORK"/bin/examples/*.toml; do
    name=$(basename "$file" .toml)
    declare -F "user_example_${name//-/_}" > /dev/null || fail "there is no test of $name"
  done
}
