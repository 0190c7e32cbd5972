#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Makes a root archive (cpio, newc) with our init as /init. Called by the build and by "./invar run --root".
#
#     build.sh builtin INIT OUT          Debian's own static BusyBox, unmodified, with its links and a small /etc
#     build.sh from SOURCE INIT OUT      SOURCE is a folder, or an archive (tar or cpio, compressed or not)
#
# An archive is two members behind each other: the tree, then /init; the later one wins.
set -eu

fail() {
    echo "invar: $*" >&2
    exit 2
}

here=$(dirname "$0")
work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# Debian's binary: the installed one, or else taken out of its package, which apt has authenticated.
busybox_find() {
    for candidate in /bin/busybox /usr/bin/busybox; do
        if [ -x "$candidate" ] && [ "$(dpkg-query -W -f '${db:Status-Abbrev}' busybox-static 2>/dev/null)" = 'ii ' ]; then
            echo "$candidate"
            return
        fi
    done
    cache=$(dirname "$out")/busybox
    if [ ! -x "$cache/bin/busybox" ]; then
        mkdir -p "$cache"
        (cd "$cache" && apt-get download busybox-static >apt.log 2>&1) || fail "cannot get the package busybox-static (see $cache/apt.log)"
        dpkg-deb -x "$cache"/busybox-static_*.deb "$cache"
    fi
    [ -x "$cache/bin/busybox" ] && echo "$cache/bin/busybox" || echo "$cache/usr/bin/busybox"
}

tree_builtin() {
    busybox=$(busybox_find)
    mkdir -p "$1/bin" "$1/sbin" "$1/usr/bin" "$1/usr/sbin" "$1/etc" "$1/root" "$1/dev" "$1/proc" "$1/sys" "$1/tmp" "$1/run" \
        "$1/var/log" "$1/mnt"
    cp "$busybox" "$1/bin/busybox"
    chmod 755 "$1/bin/busybox"
    chmod 1777 "$1/tmp"
    chmod 700 "$1/root"
    "$busybox" --list-full | while read -r applet; do
        case $applet in
        bin/busybox | linuxrc | init | sbin/init) ;;
        *) ln -sf /bin/busybox "$1/$applet" ;;
        esac
    done
    cp "$here"/etc/* "$1/etc/"
    ln -sf /proc/mounts "$1/etc/mtab"
}

# The tree as one cpio, owned by root whoever builds it.
pack() {
    (cd "$1" && bsdtar --format newc --uid 0 --gid 0 --uname root --gname root -cf - .)
}

# The same by name, since a folder has no order of its own: every build of the built-in archive boots with the same figures.
pack_sorted() {
    (cd "$1" && find . -print0 | LC_ALL=C sort -z |
        bsdtar --format newc --uid 0 --gid 0 --uname root --gname root --null -n -cf - -T -)
}

pack_init() {
    mkdir -p "$work/init"
    cp "$1" "$work/init/init"
    chmod 755 "$work/init/init"
    (cd "$work/init" && bsdtar --format newc --uid 0 --gid 0 -cf - init)
}

kind=$1
shift
case $kind in
builtin)
    [ $# = 2 ] || fail "usage: build.sh builtin INIT OUT"
    init=$1 out=$2
    work=$(mktemp -d)
    umask 022 # the tree's modes are the same whoever builds it
    mkdir "$work/tree"
    tree_builtin "$work/tree"
    pack_sorted "$work/tree" >"$work/out"
    ;;
from)
    [ $# = 3 ] || fail "usage: build.sh from SOURCE INIT OUT"
    source=$1 init=$2 out=$3
    [ -e "$source" ] || fail "--root $source: no such file or folder"
    [ -r "$source" ] || fail "--root $source: cannot be read"
    work=$(mktemp -d)
    if [ -d "$source" ]; then
        pack "$source" >"$work/out" 2>"$work/errors" || fail "--root $source: $(head -n 1 "$work/errors")"
    elif [ "$(head -c 5 "$source")" = 07070 ]; then
        # already what the kernel reads; several archives may stand behind each other, so it is taken as it is
        bsdtar -tf "$source" >/dev/null 2>"$work/errors" ||
            fail "--root $source: broken or cut short"
        dd if="$source" of="$work/out" bs=4096 conv=sync status=none
    else
        bsdtar --format newc -cf "$work/out" "@$source" 2>"$work/errors" ||
            fail "--root $source: neither a folder nor a tar or cpio archive, or broken ($(head -n 1 "$work/errors" | sed 's/^bsdtar: //'))"
        bsdtar -tf "$work/out" 2>/dev/null | grep -q . || fail "--root $source: holds no files"
    fi
    ;;
*) fail "usage: build.sh builtin|from ..." ;;
esac
pack_init "$init" >>"$work/out"
mv -f "$work/out" "$out.$$" 2>/dev/null
mv -f "$out.$$" "$out"
