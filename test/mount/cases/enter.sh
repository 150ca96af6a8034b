# SPDX-License-Identifier: Apache-2.0
#
# Runs with names, which others enter, and the shell of run and enter.
# shellcheck disable=SC2016

uuid=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
wait_for_end="touch \$WORK/ready; until [ -e \$WORK/end ]; do sleep 0.02; done"

own_runtime_directory() {
  needs_user_namespaces
  mkdir "$WORK/runtime" && export XDG_RUNTIME_DIR=$WORK/runtime
}

# start_kept NAME [ARGUMENT...]: a run of this name, until there is $WORK/end; it ends with 3.
start_kept() {
  rm -f "$WORK/end"
  run_in_background --keep "$@" --backend mtty sh -c "$wait_for_end; exit 3"
}
end_kept() {
  touch "$WORK/end"
  wait $runner
  expect_equal 3 $?
}

enters_and_is_there() {
  own_runtime_directory
  start_kept one
  expect_equal "$(readlink /proc/$runner/ns/mnt)" "$("$MDEVFS" enter one readlink /proc/self/ns/mnt)"
  expect_equal mtty "$("$MDEVFS" enter one ls /sys/class/mdev_bus)"
  expect_equal "$WORK 0 0 lo" "$("$MDEVFS" enter one sh -c 'echo "$PWD $(id -u) $SYSTEMD_DEVICE_VERIFY_SYSFS $(ls /sys/class/net)"')"
  "$MDEVFS" enter one sh -c "echo $uuid > /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create" || fail "no create"
  expect_equal $uuid "$("$MDEVFS" enter one -- ls /sys/bus/mdev/devices)"
  expect_status 6 "$MDEVFS" enter one sh -c 'exit 6'
  expect_status 127 "$MDEVFS" enter one no-such-command
  expect_equal "$("$MDEVFS" enter one readlink /proc/self/ns/net)" "$("$MDEVFS" enter one "$MDEVFS" enter one readlink /proc/self/ns/net)"
  end_kept
  expect_equal "" "$(ls "$WORK/runtime")"
}
root_enters_and_is_there() { enters_and_is_there; }
user_enters_and_is_there() { enters_and_is_there; }

names_of_runs() {
  own_runtime_directory
  expect_refusal 1 "nothing of yours runs as one: 'mdevfs run --keep one' would" "$MDEVFS" enter one true
  start_kept one
  expect_refusal 1 "the name one is taken: 'mdevfs enter one' goes there" "$MDEVFS" run --keep one true
  expect_refusal 1 "nothing of yours runs as two: there are one" "$MDEVFS" enter two true
  expect_status 0 "$MDEVFS" run --keep two true
  end_kept
  start_kept one
  kill -9 $runner
  eventually nothing_inside
  eventually test ! -e "$WORK/runtime/mdevfs"
  # What nobody holds is no name: of a machine that was switched off for instance.
  mkdir "$WORK/runtime/mdevfs" && touch "$WORK/runtime/mdevfs/one"
  expect_refusal 1 "nothing of yours runs as one" "$MDEVFS" enter one true
  expect_status 0 "$MDEVFS" run --keep one true
  expect_equal "" "$(ls "$WORK/runtime")"
  mkdir -m 777 "$WORK/runtime/mdevfs" && chmod 777 "$WORK/runtime/mdevfs"
  expect_refusal 1 "$WORK/runtime/mdevfs is not yours alone: set XDG_RUNTIME_DIR" "$MDEVFS" run --keep one true
}
root_names_of_runs() { names_of_runs; }
user_names_of_runs() { names_of_runs; }

# Of another user there is nothing to be seen, whoever XDG_RUNTIME_DIR belongs to.
root_names_of_other_users() {
  needs_user_namespaces
  chmod 777 "$WORK"
  mkdir -m 700 "$WORK/runtime" && chown 65534:65534 "$WORK/runtime"
  export XDG_RUNTIME_DIR=$WORK/runtime
  MDEVFS_INSIDE=1 setpriv --reuid=65534 --regid=65534 --clear-groups "$MDEVFS" run --keep theirs sh -c "$wait_for_end; exit 3" &
  runner=$!
  eventually test -e ready
  expect_refusal 1 "nothing of yours runs as theirs" "$MDEVFS" enter theirs true
  setpriv --reuid=65534 --regid=65534 --clear-groups "$MDEVFS" enter theirs true || fail "it is not there"
  end_kept
}

# Who enters while the run starts waits until it has started.
enters_what_starts() {
  own_runtime_directory
  MDEVFS_INSIDE=1 "$MDEVFS" run --keep one sh -c "$wait_for_end; exit 3" &
  runner=$!
  eventually test -e "$WORK/runtime/mdevfs/one"
  expect_status 0 "$MDEVFS" enter one ls /sys/class/mdev_bus/mtty
  end_kept
}
root_enters_what_starts() { enters_what_starts; }
user_enters_what_starts() { enters_what_starts; }

ends_with_the_run() {
  own_runtime_directory
  start_kept one
  MDEVFS_INSIDE=1 "$MDEVFS" enter one sh -c 'setsid sleep 1000 & touch $WORK/entered; sleep 1000' &
  local entered=$!
  eventually test -e entered
  end_kept
  wait $entered
  expect_equal 137 $?
  eventually nothing_inside
}
root_ends_with_the_run() { ends_with_the_run; }
user_ends_with_the_run() { ends_with_the_run; }

# The run ends while others are about to enter: they are refused or killed, and never left.
race_with_the_end() {
  own_runtime_directory
  export MDEVFS_INSIDE=1
  local i enterers=()
  for i in 1 2 3; do
    (until [ -e stop ]; do "$MDEVFS" enter one sleep 1000; done) > /dev/null 2>&1 &
    enterers+=($!)
  done
  for ((i = 0; i < 25; i++)); do
    "$MDEVFS" run --backend mtty --keep one true || fail "run $i"
  done
  touch stop
  wait "${enterers[@]}"
  unset MDEVFS_INSIDE
  eventually nothing_inside
  expect_equal "" "$(ls "$WORK/runtime")"
}
root_race_with_the_end() { race_with_the_end; }
user_race_with_the_end() { race_with_the_end; }

root_enters_in_a_chroot() {
  make_chroot
  mkdir -p "$WORK/root/run" && mount --rbind /dev "$WORK/root/dev" && mount -t proc none "$WORK/root/proc" &&
    mount -t sysfs none "$WORK/root/sys" || fail "set-up"
  touch "$WORK/root/in-the-chroot"
  MDEVFS_INSIDE=1 chroot "$WORK/root" env WORK="$WORK" "$MDEVFS" run --keep one --backend mtty sh -c "$wait_for_end; exit 3" &
  runner=$!
  eventually test -e ready
  expect_equal "/in-the-chroot mtty" "$(chroot "$WORK/root" "$MDEVFS" enter one sh -c 'cd /; echo /in-the-chroot $(ls /sys/class/mdev_bus)')"
  expect_status 0 chroot "$WORK/root" "$MDEVFS" enter one test -e /in-the-chroot
  end_kept
  remove_chroot
}

# at_terminal COMMAND: runs it at a terminal, whose output goes to the file `screen`; descriptor 9 is its keyboard.
at_terminal() {  # the shell starts background jobs with SIGINT and SIGQUIT ignored
  command -v script > /dev/null || skip "there is no script(1)"
  rm -f keyboard screen
  mkfifo keyboard
  env --default-signal=INT,QUIT script -qefc "$1" screen < keyboard > /dev/null 2>&1 &
  terminal=$!
  exec 9> keyboard
}
shown() { grep -qF -e "$1" screen; }

shell_at_a_terminal() {
  needs_user_namespaces
  own_runtime_directory
  local shell
  for shell in bash dash; do
    command -v $shell > /dev/null || { echo "skipped: there is no $shell"; continue; }
    at_terminal "env HOME=$WORK SHELL=$(command -v $shell) $MDEVFS run --backend mtty --keep one"
    eventually shown "(mdevfs one)"
    shown "mdevfs: emulated here, in /sys: mtty" || fail "it shows: $(cat screen)"
    shown "'mdevfs enter one' joins it from another terminal" || fail "it shows: $(cat screen)"
    # Ctrl-C is for what the shell runs, and the shell stays.
    echo "sh -c 'echo now''here; exec sleep 1000'" >&9
    eventually shown "nowhere"
    printf '\003' >&9
    echo 'echo st''ays; exit 7' >&9
    wait $terminal
    expect_equal 7 $?
    shown stays || fail "it shows: $(cat screen)"
    exec 9>&-
  done
  start_kept two
  at_terminal "env HOME=$WORK SHELL=/bin/bash $MDEVFS enter two"
  eventually shown "(mdevfs two)"
  echo 'exit 8' >&9
  wait $terminal
  expect_equal 8 $?
  end_kept
}
root_shell_at_a_terminal() { shell_at_a_terminal; }
user_shell_at_a_terminal() { shell_at_a_terminal; }

# The user's own start-up file is read, and its prompt kept behind ours.
shell_with_start_up_file() {
  needs_user_namespaces
  echo 'PS1="own-prompt> "; alias own="echo own-alias; exit 9"' > .bashrc
  at_terminal "env HOME=$WORK SHELL=/bin/bash $MDEVFS run --shell --backend mtty"
  eventually shown "(mdevfs) own-prompt> "
  echo own >&9
  wait $terminal
  expect_equal 9 $?
  shown own-alias || fail "it shows: $(cat screen)"
}
user_shell_with_start_up_file() { shell_with_start_up_file; }

shell_without_a_terminal() {
  needs_user_namespaces
  local shell
  for shell in /bin/bash /bin/sh /usr/sbin/nologin /no/such/shell ""; do
    expect_equal "mtty" "$(echo 'ls /sys/class/mdev_bus' | SHELL=$shell "$MDEVFS" run --backend mtty 2>&1)"
  done
  echo 'exit 5' | "$MDEVFS" run --shell
  expect_equal 5 $?
}
root_shell_without_a_terminal() { shell_without_a_terminal; }
user_shell_without_a_terminal() { shell_without_a_terminal; }
