# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Debian's own kernel for comparisons: fetching and booting it. Read by the scripts that need it, with the root of the
# tree as current folder. shellcheck shell=sh

# Fetches Debian's kernel, authenticated by apt, and unpacks it below build/; sets $vmlinuz.
debian_fetch() {
    read -r package version <tests/linux/KERNEL
    vmlinuz=build/linux/$package-$version/vmlinuz
    [ -f "$vmlinuz" ] && return
    debian_unpack && return
    echo "$package $version is gone from the archive, taking the release's current one" >&2
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -n 1)
    version=$(apt-cache policy "$package" | sed -n 's/ *Candidate: //p')
    vmlinuz=build/linux/$package-$version/vmlinuz
    [ -f "$vmlinuz" ] && return
    debian_unpack || {
        echo "cannot fetch $package $version with apt-get download (try apt-get update)" >&2
        exit 2
    }
}

debian_unpack() {
    folder=$(dirname "$vmlinuz")
    rm -rf "$folder.part"
    mkdir -p "$folder.part" || return 1
    (cd "$folder.part" && apt-get -qq download "$package=$version") >/dev/null 2>&1 || { rm -rf "$folder.part"; return 1; }
    dpkg-deb -x "$folder.part"/*.deb "$folder.part/unpacked" || return 1
    cp "$folder.part"/unpacked/boot/vmlinuz-* "$folder.part/vmlinuz" || return 1
    rm -rf "$folder.part/unpacked" "$folder.part"/*.deb "$folder"
    mv "$folder.part" "$folder"
}

# Boots an archive on it: debian_boot ARCHIVE OUTPUT CONSOLE SECONDS [QEMU OPTION...]. OUTPUT is what /init prints on
# the second serial port. Five-level page tables and protection keys are off: the record is that of an ordinary
# processor. The check of the timer is off too: under load an emulated one may fail it. Further words for the command line are in $append.
debian_boot() {
    archive=$1 output=$2 console=$3 limit=$4
    shift 4
    timeout "$limit" qemu-system-x86_64 -M q35 -accel tcg -cpu max -nodefaults -display none -no-reboot "$@" \
        -kernel "$vmlinuz" -initrd "$archive" -append "console=ttyS0 quiet panic=-1 loglevel=1 no5lvl nopku no_timer_check ${append:-}" \
        -serial "file:$console" -serial "file:$output" </dev/null
}
