#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# The suite "selftest": boots the debug kernel with its self-tests on several machines. Arguments: [--profile P]
# [MACHINE-PROCESSORS]. The kernel prints "selftest: NAME ok|FAILED" and "selftest: N passed, N failed" and powers off.
set -u

cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=$PWD/build}"
profile=debug
if [ "${1:-}" = --profile ]; then
    profile=$2
    shift 2
fi
out=$BUILD/selftest
mkdir -p "$out"
kernel=$(./invar build --profile "$profile") || exit 1
failed=0

for machine in ${1:-q35-1 q35-2 q35-4 q35-8 microvm-2}; do
    log=$out/$machine.log
    "$BUILD/host/invar-run" --plain --kernel "$kernel" --initrd "$BUILD/host/root.cpio" \
        --machine "${machine%-*}" --smp "${machine#*-}" --append selftest --timeout 120 >"$log" 2>&1 </dev/null
    status=$?
    counts=$(sed -n 's/.*selftest: \([0-9]* passed, [0-9]* failed\)$/\1/p' "$log")
    case $counts in
    *' passed, 0 failed')
        echo "    $machine: $counts"
        echo "ok selftest/$machine"
        ;;
    *)
        failed=1
        grep -E 'selftest: .* FAILED$|check failed' "$log" | sed 's/^/    /'
        [ -n "$counts" ] || tail -n 30 "$log" | sed 's/^/    /'
        echo "    $machine: ${counts:-no result, status $status}; all of it: $log"
        echo "FAIL selftest/$machine: repeat with: ./invar test selftest/$machine"
        ;;
    esac
done
exit "$failed"
