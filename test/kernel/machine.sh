# SPDX-License-Identifier: Apache-2.0
#
# The virtual machine with a real kernel, for scripts/record-kernel and scripts/differential, which source this: Debian's
# kernel image and busybox as their packages have them, the kernel's samples and slowmdev built for it, and the program
# that runs scenarios. Everything is under build/kernel and kept for the next time; that folder can be removed at will.
# Their working directory is the project's. Functions return 1 after a line on stderr that says what is missing.

machine=$PWD/build/kernel
kernel_release=
readonly machine_timeout=1500  # seconds, for a boot with all its scenarios
readonly recorded_version=6.1  # of the kernel whose behaviour is recorded

missing() {
  echo "${0##*/}: $*" >&2
  return 1
}

# The packages that are unpacked here, not installed: neither a boot loader nor the real busybox need hear of them.
fetch_package() {  # fetch_package PACKAGE FOLDER
  [ -e "$machine/$2" ] && return
  local folder=$machine/fetch
  rm -rf "$folder" && mkdir -p "$folder"
  (cd "$folder" && apt-get download -q "$1") > "$machine/$2.log" 2>&1 \
    || missing "the package $1 cannot be fetched: see build/kernel/$2.log" || return
  dpkg-deb -x "$folder"/*.deb "$folder/unpacked" && mv "$folder/unpacked" "$machine/$2"
}

find_kernel() {
  [ "$(uname -m)" = x86_64 ] || missing "the recordings are of an x86-64 machine" || return
  command -v qemu-system-x86_64 > /dev/null || missing "qemu-system-x86_64 is not there: scripts/setup kernel" || return
  kernel_release=$(basename -a /usr/src/linux-headers-"$recorded_version".*-amd64 2> /dev/null \
    | sed -n 's/^linux-headers-\(.*-[0-9]*-amd64\)$/\1/p' | sort -V | tail -n 1)
  [ -n "$kernel_release" ] || missing "no headers of a Linux $recorded_version in /usr/src: scripts/setup kernel" || return
}

build_modules() {
  local sources=/usr/src/linux-source-$recorded_version.tar.xz
  [ -e "$sources" ] || missing "$sources is not there: scripts/setup kernel" || return
  mkdir -p "$machine/modules"
  if [ ! -e "$machine/modules/mtty.c" ]; then
    tar -xJf "$sources" -C "$machine/modules" --strip-components=3 --no-anchored --wildcards \
      'samples/vfio-mdev/*.[ch]' || return
  fi
  cp -u test/kernel/slowmdev.c test/kernel/Kbuild "$machine/modules/" || return
  nice make -C "/usr/src/linux-headers-$kernel_release" M="$machine/modules" modules > "$machine/modules.log" 2>&1 \
    || missing "the modules do not build: see build/kernel/modules.log"
}

build_runner() {
  if [ ! -e build/release/build.ninja ] || ! ninja -C build/release -t query scenario_kernel > /dev/null 2>&1; then
    cmake -S . -B build/release -G Ninja -DCMAKE_BUILD_TYPE=Release -DMDEVFS_TESTS=ON > "$machine/build.log" 2>&1 \
      || missing "the build cannot be configured: see build/kernel/build.log" || return
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
  # As they are: they are signed.
  find "$machine/image/lib/modules" \( -name mdev.ko -o -name vfio.ko -o -name vfio_iommu_type1.ko \) \
    -exec cp {} "$root/modules/" \;
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
  mkdir -p "$machine"
  find_kernel && fetch_package "linux-image-$kernel_release" image && fetch_package busybox-static busybox \
    && build_modules && build_runner && make_root || return
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
  nice timeout "$machine_timeout" qemu-system-x86_64 -accel "$(< "$machine/accelerator")" "${machine_options[@]}" \
    -initrd "$work/initrd" -serial "file:$work/console" -serial "file:$work/output" > "$work/qemu" 2>&1
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
