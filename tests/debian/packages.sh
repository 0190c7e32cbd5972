# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Programs and sources of Debian's archive for tests: fetched at the versions that stand in `versions`, authenticated by apt, unpacked below
# build/debian and never installed. Read by the scripts that need it, with the root of the tree as current folder.
#
#     debian_binary PACKAGE    unpacks a binary package; $debian_folder is where
#     debian_source PACKAGE    unpacks a source package with Debian's patches; $debian_folder is where
#
# When a version has left the archive, the release's current one is taken, and said.

debian_die() {
    echo "tests/debian: $*" >&2
    exit 2
}

debian_version() { # KIND PACKAGE
    awk -v kind="$1" -v package="$2" '$1 == kind && $2 == package { print $3 }' tests/debian/versions
}

# The package lists of sources are kept apart from the system's: few systems have them, and they change nothing there.
debian_apt() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=${top:-$PWD}/build/debian/apt/parts" \
        -o "Dir::State::lists=${top:-$PWD}/build/debian/apt/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"
}

debian_lists() {
    mkdir -p build/debian/apt/parts build/debian/apt/lists/partial
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$list" ] || sed -n 's/^deb /deb-src /p' "$list" >"build/debian/apt/parts/${list##*/}.list"
    done
    for list in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$list" ] || sed 's/^Types:.*/Types: deb-src/' "$list" >"build/debian/apt/parts/${list##*/}"
    done
    debian_apt update >build/debian/apt/log 2>&1 || debian_die "apt-get update of the sources failed (build/debian/apt/log)"
}

debian_binary() {
    version=$(debian_version binary "$1")
    [ -n "$version" ] || debian_die "no version of $1 is written down"
    debian_folder=build/debian/$1-${version#*:}
    [ ! -d "$debian_folder" ] || return 0
    rm -rf "$debian_folder.part"
    mkdir -p "$debian_folder.part"
    (cd "$debian_folder.part" && apt-get -qq download "$1=$version") >"$debian_folder.part/log" 2>&1 || {
        echo "tests/debian: $1 $version is gone from the archive, taking the release's current one" >&2
        (cd "$debian_folder.part" && apt-get -qq download "$1") >"$debian_folder.part/log" 2>&1 || debian_die "cannot fetch $1 (try apt-get update)"
    }
    dpkg-deb -x "$debian_folder.part"/*.deb "$debian_folder.part/tree" || debian_die "cannot unpack $1"
    mv "$debian_folder.part/tree" "$debian_folder"
    rm -rf "$debian_folder.part"
}

debian_source() {
    version=$(debian_version source "$1")
    [ -n "$version" ] || debian_die "no version of the source of $1 is written down"
    debian_folder=build/debian/$1-source-${version#*:}
    [ ! -d "$debian_folder" ] || return 0
    [ -d build/debian/apt/lists ] || debian_lists
    rm -rf "$debian_folder.part"
    mkdir -p "$debian_folder.part"
    debian_source_get "$1=$version" || {
        debian_lists # they may be old
        debian_source_get "$1=$version" || {
            echo "tests/debian: the source of $1 $version is gone from the archive, taking the release's current one" >&2
            debian_source_get "$1" || debian_die "cannot fetch the source of $1 (build/debian/apt/log)"
        }
    }
    dpkg-source -x "$debian_folder.part"/*.dsc "$debian_folder.part/tree" >build/debian/apt/log 2>&1 || debian_die "cannot unpack the source of $1"
    mv "$debian_folder.part/tree" "$debian_folder"
    rm -rf "$debian_folder.part"
}

# Into $debian_folder.part. apt's options name folders of the tree, so that it may run there.
debian_source_get() { # PACKAGE[=VERSION]
    top=$PWD
    (cd "$debian_folder.part" && debian_apt source --download-only "$1") >build/debian/apt/log 2>&1
}
