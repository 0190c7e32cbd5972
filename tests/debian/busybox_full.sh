# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# BusyBox with every applet, from Debian's source with upstream's own choice of options (defconfig), static, built once below build/debian. Read behind
# packages.sh, with the root of the tree as current folder.
#
#     busybox_full_build    $full is the folder with busybox and its .config

busybox_full_build() {
    debian_source busybox
    busybox_source=$PWD/$debian_folder
    full=$PWD/build/debian/busybox-full-${version#*:}
    [ ! -x "$full/busybox" ] || return 0
    echo "    building BusyBox with every applet, once" >&2
    rm -rf "$full"
    mkdir -p "$full"
    {
        make -C "$busybox_source" O="$full" KCONFIG_NOTIMESTAMP=1 defconfig &&
            # tc needs headers that Debian's have no more
            sed -i 's/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/; s/^CONFIG_TC=y/# CONFIG_TC is not set/' "$full/.config" &&
            make -C "$full" -j"$(nproc)" CC=gcc busybox
    } >"$full/log" 2>&1 || { rm -f "$full/busybox"; debian_die "BusyBox does not build, see $full/log"; }
}
