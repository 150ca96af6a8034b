# SPDX-License-Identifier: Apache-2.0
#
# The virtual machine with a real kernel, for scripts/record-kernel and scripts/differential, which source this: a kernel
# that Debian has packages of, for this release or as its backport, and busybox; the kernel's samples and slowmdev built for
# it, and the program that runs scenarios. Everything is under build/kernel and kept for the next time; that folder can be
# removed at will. Their working directory is the project's. Functions return 1 after a line on stderr that says what is
# missing.

machine=
kernel_version=6.1  # the series, if `choose_kernel` names no other
kernel_release=
readonly machine_timeout=1500  # seconds, for a boot with all its scenarios

choose_kernel() {  # choose_kernel SERIES
  [[ $1 =~ ^[0-9]+[.][0-9]+$ ]] || missing "'$1' is no series of kernels, expected one as 6.12" || return
  kernel_version=$1
}

missing() {
  echo "${0##*/}: $*" >&2
  return 1
}

# apt with this release's backports beside the machine's own sources, and lists of its own: the machine's stay as they are.
here_apt() {  # here_apt COMMAND ARGUMENT...
  "$1" -o Dir::Etc::sourcelist="$machine/apt/sources.list" -o Dir::State::lists="$machine/apt/lists" \
    -o Dir::Cache="$machine/apt/cache" -o APT::Sandbox::User= "${@:2}"
}

read_package_lists() {
  local release mirror
  [ ! -e "$machine/apt/lists/lock" ] || return 0
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $release" | head -n 1)
  [ -n "$mirror" ] || missing "apt has no source of $release" || return
  mkdir -p "$machine/apt/lists/partial" "$machine/apt/cache/archives/partial"
  {
    cat /etc/apt/sources.list 2> /dev/null
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release-backports main"
  } > "$machine/apt/sources.list"
  here_apt apt-get update -qq > "$machine/apt/log" 2>&1 || {
    rm -rf "$machine/apt/lists"
    missing "the lists of packages cannot be fetched: see ${machine#"$PWD/"}/apt/log"
  }
}

# The packages are unpacked here, not installed: neither a boot loader nor the real busybox need hear of them.
fetch_packages() {  # fetch_packages FOLDER PACKAGE...
  local folder=$machine/fetch into=$machine/$1 package
  shift
  [ ! -e "$into" ] || return 0
  rm -rf "$folder" && mkdir -p "$folder/unpacked"
  (cd "$folder" && here_apt apt-get download -q "$@") > "$into.log" 2>&1 \
    || missing "not all of these packages can be fetched: $*; see ${into#"$PWD/"}.log" || return
  for package in "$folder"/*.deb; do dpkg-deb -x "$package" "$folder/unpacked" || return; done
  mv "$folder/unpacked" "$into"
}

find_kernel() {
  [ "$(uname -m)" = x86_64 ] || missing "the recordings are of an x86-64 machine" || return
  command -v qemu-system-x86_64 > /dev/null || missing "qemu-system-x86_64 is not there: scripts/setup kernel" || return
  kernel_release=$(here_apt apt-cache pkgnames "linux-headers-$kernel_version." \
    | sed -n 's/^linux-headers-\([0-9.]*[-+][0-9a-z.]*-amd64\)$/\1/p' | sort -V | tail -n 1)
  [ -n "$kernel_release" ] \
    || missing "Debian has no packages of a Linux $kernel_version for this release, nor as its backport" || return
  fetch_packages image "linux-image-$kernel_release" \
    && fetch_packages headers "linux-headers-$kernel_release" $(here_apt apt-cache depends "linux-headers-$kernel_release" \
      | sed -n 's/^ *Depends: \(linux-\(headers\|kbuild\)-.*\)/\1/p') \
    && fetch_packages source "linux-source-$kernel_version" && fetch_packages busybox busybox-static
}

build_modules() {
  local headers=$machine/headers/usr/src/linux-headers-$kernel_release
  mkdir -p "$machine/modules"
  if [ ! -e "$machine/modules/mtty.c" ]; then
    tar -xJf "$machine/source/usr/src/linux-source-$kernel_version.tar.xz" -C "$machine/modules" --strip-components=3 \
      --no-anchored --wildcards 'samples/vfio-mdev/*.[ch]' || return
  fi
  cp -u test/kernel/slowmdev.c test/kernel/Kbuild "$machine/modules/" || return
  rm -f "$headers/vmlinux"  # or the modules get BTF, which needs one more tool and which no scenario looks at
  sed -i "s#include /usr/src#include $machine/headers/usr/src#" "$headers/Makefile" || return
  make -C "$headers" M="$machine/modules" modules > "$machine/modules.log" 2>&1 \
    || missing "the modules do not build: see ${machine#"$PWD/"}/modules.log"
}

build_runner() {
  if [ ! -e build/release/build.ninja ] || ! ninja -C build/release -t query scenario_kernel > /dev/null 2>&1; then
    cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DMDEVFS_TESTS=ON > "$machine/build.log" 2>&1 \
      || missing "the build cannot be configured: see ${machine#"$PWD/"}/build.log" || return
  fi
  nice ninja -C build/release --quiet scenario scenario_kernel || missing "the runner does not build"
}

make_root() {
  local root=$machine/root
  rm -rf "$root"
  mkdir -p "$root/bin" "$root/modules"
  cp "$machine/busybox/bin/busybox" build/release/test/conformance/scenario_kernel "$root/bin/" || return
  cp test/kernel/init "$root/init" || return
  cp "$machine"/modules/*.ko "$root/modules/" && strip --strip-debug "$root"/modules/*.ko || return
  # Not stripped: they are signed.
  find "$machine/image" \( -name 'mdev.ko*' -o -name 'vfio.ko*' -o -name 'vfio_iommu_type1.ko*' \) \
    -exec cp {} "$root/modules/" \;
  ! compgen -G "$root/modules/*.xz" > /dev/null || xz -d "$root"/modules/*.xz || return
  pack "$root" > "$machine/root.cpio"
}

pack() { (cd "$1" && find . | sort | cpio -o -H newc -R 0:0 --quiet); }

# What is there need not work: a processor inside a virtual machine, for one. Tried once, by a boot without scenarios.
choose_accelerator() {
  [ -e "$machine/accelerator" ] && return
  local found=tcg
  if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
    timeout 30 "$(command -v qemu-system-x86_64)" -accel kvm "${machine_options[@]}" -initrd "$machine/root.cpio" \
      -serial null -serial null > /dev/null 2>&1 && found=kvm
  fi
  echo "$found" > "$machine/accelerator"
}

# Everything that a boot needs.
prepare_machine() {
  scripts/setup kernel || return
  machine=$PWD/build/kernel/$kernel_version
  mkdir -p "$machine"
  read_package_lists && find_kernel && build_modules && build_runner && make_root || return
  machine_options=(-smp 2 -m 1024 -nodefaults -no-reboot -display none
    -kernel "$machine/image/boot/vmlinuz-$kernel_release"
    -append "console=ttyS0 quiet loglevel=3 panic=-1")
  choose_accelerator
}

# boot_machine FOLDER FILE.scn...: one boot; the transcripts are FOLDER/NAME.out afterwards.
boot_machine() {
  local folder=$1
  shift
  local work
  work=$(mktemp -d "$machine/boot.XXXXXX") || return
  mkdir -p "$work/root/scenarios" "$folder"
  cp "$@" "$work/root/scenarios/"
  { cat "$machine/root.cpio" && pack "$work/root"; } > "$work/initrd"
  local attempt
  for attempt in 1 2 3; do  # without hardware virtualization newer kernels die at times, before anything is run
    nice timeout "$machine_timeout" qemu-system-x86_64 -accel "$(< "$machine/accelerator")" "${machine_options[@]}" \
      -initrd "$work/initrd" -serial "file:$work/console" -serial "file:$work/output" > "$work/qemu" 2>&1
    ! grep -q '^==== ' "$work/output" && grep -q 'Kernel panic' "$work/console" || break
  done
  awk -v folder="$folder" '
    /^==== end / { close(out); out = ""; if (NF > 3) { print substr($0, 10) > "/dev/stderr"; bad = 1 } next }
    /^==== failed: / { print substr($0, 6) > "/dev/stderr"; bad = 1; next }
    /^==== ended$/ { ended = 1; next }
    /^==== / { out = folder "/" $2 ".out"; printf "" > out; next }
    out != "" { print > out }
    END { exit bad || !ended }' "$work/output"
  local status=$?
  if [ $status != 0 ]; then
    missing "a boot ended badly; what it printed is in ${work#"$PWD/"}"
  else
    rm -rf "$work"
  fi
  return $status
}
