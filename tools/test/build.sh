#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# The suite "build": both compilers build every profile without a warning, and a second build does nothing. Argument: one
# of the names below.
set -u

cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=$PWD/build}"
log=$BUILD/log/test-build.log
mkdir -p "$BUILD/log"
failed=0

# build PROFILE CC FOLDER
build() {
    flock "$BUILD/lock" make -j"$(nproc)" BUILD="$BUILD" O="$BUILD/$3" PROFILE="$1" CC="$2" kernel tools root >"$log" 2>&1
}

for name in ${1:-gcc-release gcc-debug gcc-sanitize clang-14-release clang-14-debug}; do
    profile=${name##*-}
    compiler=${name%-*}
    [ "$compiler" = gcc ] && folder=$profile || folder=$profile-$compiler
    begin=$(date +%s)
    if ! build "$profile" "$compiler" "$folder"; then
        grep -E 'error|warning|\*\*\*' "$log" | head -n 20 | sed 's/^/    /'
        echo "FAIL build/$name: repeat with: ./invar build --profile $profile --cc $compiler"
        failed=1
        continue
    fi
    echo "    $name: $(($(date +%s) - begin)) s"
    if build "$profile" "$compiler" "$folder" && ! grep -qE '^  (CC|AS|LD|HOSTCC|MUSLCC|ROOT) ' "$log"; then
        echo "ok build/$name"
    else
        sed 's/^/    /' "$log" | head -n 20
        echo "FAIL build/$name (a second build did something again): repeat with: ./invar test build/$name"
        failed=1
    fi
done
exit "$failed"
