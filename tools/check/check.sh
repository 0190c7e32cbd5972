#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# ./invar check [PART...]: what can be found without running anything. Findings are printed by file, one summary line for
# each part, and the status is 1 when a part found something. All parts are run; each keeps its results in build/check, so
# that only what has changed is read again. ./invar check --coverage [OPTION...] prints the table of the part coverage.
set -u

cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=$PWD/build}"
out=$BUILD/check
mkdir -p "$out"
jobs=$(nproc)
status=0
stack_limit=12288 # of 16384

kernel_sources() {
    git ls-files '*.c' | grep -E '^(kernel|executive|personality)/' | grep -v '_test\.c$'
}

all_sources() {
    git ls-files '*.c' '*.h' | grep -E '^(abi|kernel|executive|personality|system|user|tools|tests)/'
}

verdict() { # PART FINDINGS WHAT
    if [ "$2" = 0 ]; then
        printf 'ok %s: %s\n' "$1" "$3"
    else
        printf 'FINDINGS %s: %s\n' "$1" "$3"
        status=1
    fi
}

# Leaves out what known.txt explains.
unexplained() { # PART
    awk -F'|' -v part="$1" '
        FILENAME ~ /known\.txt$/ { if ($1 == part) { n++; file[n] = "^" $2 ":"; text[n] = $3 } next }
        { for (i = 1; i <= n; i++) if ($0 ~ file[i] && $0 ~ text[i]) next; print }' tools/check/known.txt -
}

part_includes() {
    # shellcheck disable=SC2046 # a list of files
    awk -f tools/check/includes.awk $(git ls-files '*.c' '*.h' '*.S' | grep -E '^(abi|kernel|executive|personality|system|user)/') >"$out/includes.txt"
    cat "$out/includes.txt"
    n=$(wc -l <"$out/includes.txt")
    verdict includes "$n" "$n includes against the arrows"
}

part_format() {
    all_sources | xargs -P "$jobs" -n 20 clang-format --dry-run >"$out/format.txt" 2>&1
    sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: .*clang-format-violations.*/\1/p' "$out/format.txt" | sort | uniq -c | awk '{ print $2 ": " $1 " places to format" }' >"$out/format-files.txt"
    cat "$out/format-files.txt"
    n=$(wc -l <"$out/format-files.txt")
    verdict format "$n" "$n files differ from .clang-format"
}

# analyser NAME MAKE-ARGUMENT...: runs a target of tools/check.mk and prints its findings.
analyser() {
    name=$1
    shift
    make -k -s -j"$jobs" BUILD="$BUILD" O="$out/$name" PROFILE=debug "$@" "check-$name" >"$out/$name.log" 2>&1
    find "$out/$name/check" -name "*.c.$name" -exec cat {} + 2>/dev/null | grep -E '(warning|error): ' | sort -u | unexplained "$name" >"$out/$name.txt"
    cat "$out/$name.txt"
    n=$(wc -l <"$out/$name.txt")
    files=$(find "$out/$name/check" -name "*.c.$name" 2>/dev/null | wc -l)
    [ "$files" -gt 0 ] || n=1
    verdict "$name" "$n" "$n findings in $files files"
}

part_clang() {
    analyser clang CC=clang-14
}

part_sparse() {
    analyser sparse CC=gcc
}

part_cppcheck() {
    make -s BUILD="$BUILD" O="$out/cppcheck" PROFILE=debug configuration >/dev/null
    mkdir -p "$out/cppcheck/cache"
    kernel_sources >"$out/cppcheck/files"
    cppcheck -q -j "$jobs" --std=c11 --platform=unix64 --cppcheck-build-dir="$out/cppcheck/cache" --inline-suppr --error-exitcode=0 \
        --enable=warning,portability --suppress=missingInclude --suppress=unknownMacro --suppress=preprocessorErrorDirective --suppress=comparePointers --suppress=va_end_missing:kernel/debug/panic.c \
        --template='{file}:{line}: {severity}: {message} [{id}]' --include="$out/cppcheck/include/config.h" \
        -D__x86_64__=1 -D__GNUC__=12 -Ikernel/include -Ikernel/arch/x86_64/include -Iabi/include -I"$BUILD/host/gen/include" -I"$BUILD/host/gen/kernel" -Iexecutive/include -Ipersonality/include \
        --file-list="$out/cppcheck/files" 2>&1 | grep -v ': information: ' | sort -u | unexplained cppcheck >"$out/cppcheck.txt"
    cat "$out/cppcheck.txt"
    n=$(wc -l <"$out/cppcheck.txt")
    verdict cppcheck "$n" "$n findings in $(wc -l <"$out/cppcheck/files") files"
}

part_stack() {
    mkdir -p "$out/stack"
    gcc -std=gnu17 -O2 -Wall -Wextra -o "$out/stack/stack" tools/check/stack.c || exit 2
    make -k -s -j"$jobs" BUILD="$BUILD" O="$out/stack" PROFILE=debug CC=gcc EXTRA=-fcallgraph-info=su check-stack >"$out/stack.log" 2>&1
    make -s BUILD="$BUILD" O="$out/stack" PROFILE=debug CC=gcc list-sources | sed -n "s|.*\.c\$|$out/stack/obj/&.ci|p" >"$out/stack/graphs"
    # shellcheck disable=SC2046 # a list of files
    "$out/stack/stack" "$stack_limit" tools/check/indirect.txt $(cat "$out/stack/graphs") >"$out/stack.txt"
    n=$?
    grep -v '^recursion: ' "$out/stack.txt"
    verdict stack "$n" "$(sed -n '1,/ bytes:/s/^\([0-9]*\) bytes:.*/\1/p' "$out/stack.txt" | head -n 1) bytes on the deepest path known, limit $stack_limit; recursions: $out/stack.txt"
}

part_sizes() {
    ./invar build >/dev/null || exit 2
    /usr/bin/python3 -B tools/bench/sizes.py "$BUILD/release" || exit 2
    # lines of code: neither blank nor comment alone
    core=$(git ls-files 'kernel/*.c' 'kernel/*.h' | grep -vE '^kernel/(arch|platform)/|_test\.c$|_selftest\.c$|/test/|selftest_threads' |
        xargs cat | grep -cvE '^[[:space:]]*(//.*)?$')
    limit=15000
    n=0
    [ "$core" -le "$limit" ] || n=1
    verdict sizes "$n" "the core has $core lines of code (guideline: $limit)"
}

part_coverage() {
    /usr/bin/python3 -B tools/check/coverage.py --brief >"$out/coverage.txt"
    case $? in 0 | 1) ;; *) exit 2 ;; esac
    sed '$d' "$out/coverage.txt"
    n=$(grep -c '^personality/linux/coverage/' "$out/coverage.txt")
    verdict coverage "$n" "$(tail -n 1 "$out/coverage.txt")"
}

if [ "${1:-}" = --coverage ]; then
    shift
    exec /usr/bin/python3 -B tools/check/coverage.py "$@"
fi
parts='includes format clang sparse cppcheck stack coverage sizes'
for part in "$@"; do
    case " $parts " in
    *" $part "*) ;;
    *)
        printf 'invar: check %s: one of %s is needed\n' "$part" "$parts" >&2
        exit 2
        ;;
    esac
done
[ $# -gt 0 ] || set -- $parts
for part in "$@"; do
    printf '== %s\n' "$part"
    "part_$part"
done
exit "$status"
