# SPDX-License-Identifier: Apache-2.0
#
# Runs one case, the function of cases/*.sh that is called as the argument says. The runner starts it.
here=${BASH_SOURCE%/*}
for file in "$here/lib.sh" "$here"/cases/*.sh; do
  # shellcheck source=/dev/null
  . "$file"
done
cd "$WORK" || exit 1
"$1"
