# SPDX-License-Identifier: Apache-2.0
#
# The files of examples/ci, README and manual for containers, by a real engine: podman, under the name of docker, with an
# image of the fresh Debian and this build. And what is said in containers that lack something.
# limit: 480
# as: root
# with: debian
# shellcheck disable=SC2016
. "${BASH_SOURCE%/*}/lib.sh"
needs podman runc python3
[ -e "$MDEVFS_TEST_DEBIAN/mdevfs-test" ] || skip "there is no fresh Debian: see the test clients.debian"
python3 -c 'import yaml' 2> /dev/null || skip "there is no python3-yaml"
examples=$WORK/bin/examples/ci

# Everything of the engine's is in $WORK and in directories of the test's own, but for its control groups, which are
# removed. It may not raise limits where root may not.
mkdir -p "$WORK/engine/bin" "$WORK/engine/state" /var/lib/containers
for directory in /run /dev/shm /var/lib/containers; do mount -t tmpfs none $directory || skip "there can be no tmpfs here"; done
engine_groups() { find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*'; }
[ -n "$(engine_groups)" ] || trap 'engine_groups | xargs -r rmdir' EXIT
cat > "$WORK/engine/containers.conf" << CONF
[containers]
netns = "none"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
CONF
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s"\nrunroot = "%s"\n' "$WORK/engine/state" "$WORK/engine/run" > "$WORK/engine/storage.conf"
ln -s "$(command -v podman)" "$WORK/engine/bin/docker"
export CONTAINERS_CONF=$WORK/engine/containers.conf CONTAINERS_STORAGE_CONF=$WORK/engine/storage.conf PATH=$WORK/engine/bin:$PATH

make_image() {
  mkdir "$WORK/engine/"{installed,image}
  DESTDIR=$WORK/engine/installed cmake --install "$MDEVFS_TEST_BUILD" --prefix /usr > /dev/null || return
  mount -t overlay -o "lowerdir=$WORK/engine/installed:$MDEVFS_TEST_DEBIAN" none "$WORK/engine/image" || return
  tar -C "$WORK/engine/image" -c . | docker import -q - mdevfs > /dev/null
  local status=$?
  umount "$WORK/engine/image"
  return $status
}
make_image || skip "podman makes no image here"
docker run --rm mdevfs true 2> "$WORK/engine/error" || skip "podman runs nothing here: $(tail -n 1 "$WORK/engine/error")"

in_container() { docker run --rm "$@"; }  # in_container OPTION... IMAGE COMMAND...
lists_types() { [[ $1 == *"mtty-1"*"Single port serial"* ]] || fail "no types, but: $1"; }

pasted() {  # what is written, but for building the image
  lists_types "$(code_below "$1" "$2" | grep '^docker run' | bash 2>&1)"
}
check "README: in a container" pasted README.md "In a container:"
check "manual: in a container" pasted man/mdevfs.1.scd "A container has to be given"
check "Containerfile: as its head says" bash -c "grep -o 'docker run.*' $examples/Containerfile | bash"

# The least that is needed, and by whom.
least_podman() { lists_types "$(in_container --device /dev/fuse mdevfs mdevfs run mdevctl types 2>&1)"; }
check "podman needs the device alone" least_podman
least_user() { lists_types "$(in_container --device /dev/fuse --user 65534:65534 mdevfs mdevfs run mdevctl types 2>&1)"; }
check "so does the container's ordinary user" least_user
no_complaint() {
  expect_equal "/sys/class/mdev_bus/mtty" "$(in_container "$@" --device /dev/fuse mdevfs mdevfs run --backend mtty ls -d /sys/class/mdev_bus/mtty 2>&1)"
}
check "with CAP_SYS_ADMIN there are uevents too" no_complaint --cap-add SYS_ADMIN
check "with seccomp=unconfined too" no_complaint --security-opt seccomp=unconfined
check "with privileged too" no_complaint --privileged

says() {  # says TEXT OPTION... COMMAND...
  local text=$1
  shift
  expect_status 1 in_container "$@"
  [[ $err == mdevfs:*"$text"* ]] || fail "stderr says '$err', without '$text'"
  expect_equal 1 "$(wc -l < "$WORK/err")"
}
check "without the device" says "start the container with --device /dev/fuse" mdevfs mdevfs run true
check "without the device, but with the capability" says "start the container with --device /dev/fuse" --cap-add SYS_ADMIN mdevfs mdevfs run true
check "mount without the capability" says "start the container with --cap-add SYS_ADMIN" --device /dev/fuse mdevfs mdevfs mount /mnt
# A node of one's own making, which the engine forbids to open.
check "a device that is not the container's" says "start the container with --device /dev/fuse" mdevfs sh -c 'mknod /dev/fuse c 10 229 && exec mdevfs run true'

# from FILE EXPRESSION: what Python makes of the YAML document, as words that end with NUL each
from() { python3 -c 'import sys, yaml; document = yaml.safe_load(open(sys.argv[1])); [print(word, end="\0") for word in eval(sys.argv[2])]' "$examples/$1" "$2"; }

github() {
  local steps
  mapfile -d '' -t steps < <(from github.yml '[step.get("run", step.get("uses")) for step in document["jobs"]["mdev"]["steps"]]')
  expect_equal 4 ${#steps[@]}
  expect_equal "$(code_below README.md "AppArmor wants to be told" | sed 's/ *&& */\n/' | grep -v '^mdevfs run' | sort)" \
    "$(printf '%s\n' "${steps[@]:1:2}" | grep . | sort)"
  cd "$WORK/bin" || return
  chown -R 65534:65534 "$WORK/bin/examples"
  # shellcheck disable=SC2154
  PATH="${MDEVFS%/*}:$PATH" setpriv --reuid=65534 --regid=65534 --clear-groups bash -e -c "${steps[3]}"
}
check "github.yml: its steps are README's, and its test runs" github

gitlab() {
  local script options
  mapfile -d '' -t script < <(from gitlab.yml 'document["mdev"]["script"]')
  # The runner's settings, as options.
  mapfile -t options < <(sed -n 's/^# *devices = \["\(.*\)"\].*/--device=\1/p; s/^# *cap_add = \["\(.*\)"\].*/--cap-add=\1/p
    s/^# *security_opt = \["\(.*\)"\].*/--security-opt=\1/p' "$examples/gitlab.yml" | sed 's/apparmor:/apparmor=/')
  expect_equal 3 ${#options[@]}
  in_container "${options[@]}" -v "$WORK/bin:/builds/project:ro" -w /builds/project \
    "$(from gitlab.yml '[document["mdev"]["image"]]' | tr -d '\0')" sh -e -c "$(printf '%s\n' "${script[@]}")"
}
check "gitlab.yml: its script runs with its runner's settings" gitlab

kubernetes() {
  local container words
  expect_equal "v1 Pod Never" "$(from kubernetes.yml '[document["apiVersion"], document["kind"], document["spec"]["restartPolicy"]]' | tr '\0' ' ' | sed 's/ $//')"
  container='document["spec"]["containers"][0]'
  mapfile -d '' -t words < <(from kubernetes.yml "(['--privileged'] * (${container}['securityContext']['privileged'] is True) +
    [${container}['image']] + ${container}['command'] + ${container}['args'])")
  expect_equal --privileged "${words[0]}"
  [[ $(in_container "${words[@]}") == *"83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 mtty mtty-1 manual"* ]]
}
check "kubernetes.yml: its container runs as it says" kubernetes

# What the Containerfile says, as README has it built; packages are fetched. Only with MDEVFS_TEST_IMAGE, a checkout, is the
# program compiled in it, which takes ten minutes (so MDEVFS_TEST_LIMIT=1800); otherwise this build is taken for it.
build() {
  local context=${MDEVFS_TEST_IMAGE:-$WORK/engine/context}
  if [ -z "${MDEVFS_TEST_IMAGE:-}" ]; then
    mkdir -p "$context/examples/ci"
    cp -r "$WORK/engine/installed" "$context/"
    expect_equal 2 "$(grep -c '^RUN scripts/' "$examples/Containerfile")"
    sed '/^RUN scripts/d; s,^RUN DESTDIR=/image .*,RUN cp -r installed /image,' "$examples/Containerfile" > "$context/examples/ci/Containerfile"
  fi
  tar -C "$MDEVFS_TEST_DEBIAN" -c . | docker import -q - debian:12 > /dev/null && docker rmi mdevfs > /dev/null || return
  sed -i 's/^netns.*/netns = "host"/' "$CONTAINERS_CONF"
  cd "$context" && code_below README.md "In a container:" | bash > "$WORK/engine/log" 2>&1
  ! grep -qE 'Temporary failure|Failed to fetch|Unable to fetch' "$WORK/engine/log" || skip "the packages' source does not answer"
  lists_types "$(tail -n 20 "$WORK/engine/log")"
}
check "Containerfile: it builds, and README's lines are all that it takes" build
