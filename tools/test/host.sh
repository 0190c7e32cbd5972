#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# The suite "host": unit tests of kernel modules as ordinary programs under sanitizers. A test is a host-test-y line of a
# build.mk; comment lines at the top of the file say what it is linked with and how it is checked:
#
#     // host-test-sources: kernel/lib/rbtree.c tests/host/shim.c
#     // host-test-sanitize: thread             (default: address,undefined)
#
# Argument: the name of one test, without _test.c.
set -u

cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=$PWD/build}"
out=$BUILD/host-test

directive() { # FILE NAME
    sed -n "1,40s|^// host-test-$2:[[:space:]]*||p" "$1" | tr '\n' ' '
}

test_one() { # FILE
    file=$1
    name=$(basename "$file" _test.c)
    sanitize=$(directive "$file" sanitize | tr -d ' ')
    binary=$out/$name
    begin=$(date +%s)
    # shellcheck disable=SC2046 # a list of files
    if gcc -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize="${sanitize:-address,undefined}" -fno-sanitize-recover=all \
        -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
        -DHOST_TEST=1 -include "$out/include/config.h" -Itests/host -Ikernel/include -Ikernel/arch/x86_64/include -Iabi/include -I"$BUILD/host/gen/include" -I"$BUILD/host/gen-test/include" -I"$BUILD/host/gen-test" -Iuser/lib/include \
        -Iexecutive/include -Ipersonality/include -pthread -o "$binary" "$file" $(directive "$file" sources) >"$binary.log" 2>&1 &&
        timeout 60 "$binary" >>"$binary.log" 2>&1 </dev/null; then
        echo "ok host/$name"
    else
        tail -n 30 "$binary.log" | sed 's/^/    /'
        took=$(($(date +%s) - begin))
        [ "$took" -lt 60 ] && note= || note=' (no end after 60 s)'
        echo "FAIL host/$name$note: repeat with: ./invar test host/$name"
    fi
}

if [ "${1:-}" = --one ]; then
    # one write, so that two tests at a time do not mix their lines
    report=$(test_one "$2")
    printf '%s\n' "$report"
    exit
fi

mkdir -p "$out"
make -s O="$out" PROFILE=debug configuration interfaces-test || exit 1
tests=$(make -s O="$out" PROFILE=debug list-host-tests)
if [ $# -gt 0 ]; then
    tests=$(printf '%s\n' "$tests" | grep "/$1_test\.c$") || {
        echo "no such unit test: $1"
        exit 2
    }
fi
export BUILD
printf '%s\n' "$tests" | grep . | xargs -P "$(nproc)" -I '{}' "$0" --one '{}' | tee "$out/results"
! grep -q '^FAIL ' "$out/results"
