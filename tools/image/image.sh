#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# ./invar image KIND [--profile P] [--root SOURCE] [--output FILE]
#     iso      hybrid image for CD and USB, starts under BIOS and UEFI (GRUB, Multiboot2): kernel and root archive
#     kernel   the kernel without debugging information, for "qemu -kernel" (PVH) and any Multiboot2 loader
# Called by ./invar, which has installed the packages.
set -eu

cd "$(dirname "$0")/../.."
: "${BUILD:=$PWD/build}"

fail() {
    printf 'invar: %s\n' "$*" >&2
    exit 2
}

kind=${1:-}
case $kind in
iso | kernel) shift ;;
disk) fail "image disk: not yet" ;;
*) fail "image ${kind:-}: iso or kernel is needed" ;;
esac
profile=release source='' output=''
while [ $# -gt 0 ]; do
    case $1 in
    --profile | --root | --output) [ $# -gt 1 ] || fail "$1: a value is missing" ;;
    *) fail "image $1: no such option" ;;
    esac
    case $1 in
    --profile) profile=$2 ;;
    --root) source=$2 ;;
    --output) output=$2 ;;
    esac
    shift 2
done

kernel=$(./invar build --profile "$profile")
mkdir -p "$BUILD/image"
work=$(mktemp -d "$BUILD/image/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/tree/boot/grub"
objcopy --strip-debug "$kernel" "$work/tree/boot/invar.elf"

if [ "$kind" = kernel ]; then
    output=${output:-$BUILD/image/invar.elf}
    cp "$work/tree/boot/invar.elf" "$output" || fail "--output $output: cannot be written"
else
    output=${output:-$BUILD/image/invar.iso}
    if [ -n "$source" ]; then
        tools/root/build.sh from "$source" "$BUILD/host/init" "$work/tree/boot/root.cpio"
    else
        cp "$BUILD/host/root.cpio" "$work/tree/boot/root.cpio"
    fi
    cp tools/image/grub.cfg "$work/tree/boot/grub/grub.cfg"
    [ -d /usr/lib/grub/i386-pc ] && [ -d /usr/lib/grub/x86_64-efi ] || fail "GRUB's modules for BIOS and UEFI are missing (./invar setup image)"
    printf 'invar: making %s\n' "$output" >&2
    grub-mkrescue -o "$work/image.iso" "$work/tree" >"$work/log" 2>&1 || fail "grub-mkrescue: $(tail -n 1 "$work/log")"
    mv "$work/image.iso" "$output" || fail "--output $output: cannot be written"
fi
printf '%s\n' "$output"
