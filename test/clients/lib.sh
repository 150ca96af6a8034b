# SPDX-License-Identifier: Apache-2.0
#
# What the clients' tests are written with, beside ../mount/lib.sh. A test is a script of its own, in which each check is
# a function that ends well or says why not:
#
#   # limit: 120                 seconds, if 60 are not enough
#   # as: root user              who runs it: a test each, see ../mount/runner
#   . "${BASH_SOURCE%/*}/lib.sh"
#   needs mdevctl jq             or it is skipped
#   check "a title" a_function
#
# Its status says whether all checks passed, wherever it ends. $WHO is who runs it. By hand, with checks whose title has
# TEXT in it: test/mount/runner build/release/cli/mdevfs root test/clients/mdevctl.sh TEXT
# shellcheck source=test/mount/lib.sh
. "${BASH_SOURCE%/*}/../mount/lib.sh"
cd "$WORK" || exit 1
wanted=${1:-}

needs() {  # needs COMMAND|FILE...
  local what
  needs_user_namespaces
  for what in "$@"; do
    [ -e "$what" ] || PATH=$PATH:/usr/sbin:/sbin command -v "$what" > /dev/null || skip "there is no $what"
  done
}

passed=0 failed=0
check() {  # check TITLE COMMAND...: PASS or FAIL, and goes on
  local title=$1 status
  shift
  [[ $title == *"$wanted"* ]] || return 0
  ("$@") > "$WORK/check" 2>&1
  status=$?
  case $status in
    0) echo "PASS $title"; passed=$((passed + 1)) ;;
    77) echo "$(cat "$WORK/check") ($title)" ;;
    *)
      echo "FAIL $title"
      sed 's/^/     /' "$WORK/check"
      failed=$((failed + 1))
      ;;
  esac
}

# code_of FILE SECTION: what README.md or mdevfs.1.scd has between lines of ``` in that section.
code_of() {
  awk -v section="$2" '/^```/ {code = !code; next} code && inside; !code && /^#/ {sub(/^#+ /, ""); inside = $0 == section}' \
    "$WORK/share/$1"
}

# expect_transcript TEXT COMMAND...: whoever types its lines with "$ " into a bash that COMMAND starts, sees the others. Empty
# lines do not count.
expect_transcript() {
  local text=$1
  shift
  [[ $text == *'$ '* ]] || fail "there is no command in '$text'"
  # shellcheck disable=SC2016
  expect_equal "$text" "$("$@" bash -c 'while IFS= read -r line <&3; do echo "$ $line"; eval "$line"; done 2>&1' \
    3< <(sed -n 's/^\$ //p' <<< "$text") | sed '/^$/d')"
}

# What mdevctl 1.2.0 says of an mtty without devices.
mtty_types='mtty
  mtty-1
    Available instances: 24
    Device API: vfio-pci
    Name: Single port serial
  mtty-2
    Available instances: 12
    Device API: vfio-pci
    Name: Dual port serial'

end_checks() {
  local status=$?
  [ $status != 77 ] || exit 77
  echo "$WHO: $passed checks passed, $failed failed"
  [ $status = 0 ] && [ $failed = 0 ] && [ $passed != 0 ] || exit 1
}
trap end_checks EXIT
