#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# ./invar test: runs suites in turn, counts their verdicts and says how to repeat each failure.
#
# A suite is a script that prints "ok NAME" or "FAIL NAME: repeat with: COMMAND" for each test, anything else it likes
# indented, and whose status is not zero when one failed. SUITE/REST runs a suite with REST as its argument. The last line
# is "N passed, N failed".
set -u

cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=$PWD/build}"

# name, budget in seconds on two cores, in the default set or not, script
suites='
build    180 yes tools/test/build.sh
host      60 yes tools/test/host.sh
selftest  90 yes tools/test/selftest.sh
command  150 yes tests/command/run
terminal  60 yes tests/terminal/run
native    60 yes tests/native/run
linux     90 yes tests/linux/run
hostile   90 yes tests/hostile/run
busybox   75 yes tests/busybox/run
programs  90 yes tests/programs/run
bench     90 yes tests/bench/run
release 12600 no  tests/release/run
'

fail() {
    printf 'invar: %s\n' "$*" >&2
    exit 2
}

suite_field() { # NAME FIELD
    printf '%s' "$suites" | awk -v name="$1" -v field="$2" '$1 == name { print $field }'
}

suite_list() {
    printf '%s' "$suites" | while read -r name budget default script; do
        [ -x "$script" ] || continue
        [ "$default" = yes ] && note= || note='  (not run by default)'
        printf '%-10s %5s s%s\n' "$name" "$budget" "$note"
    done
}

# Counts verdicts in the suite's output, which is shown as it comes; adds a failure of its own when the script broke.
suite_run() { # NAME ARG...
    name=$1
    shift
    script=$(suite_field "$name" 4)
    budget=$(suite_field "$name" 2)
    repeat="./invar test $name${*:+/$*}"
    begin=$(date +%s)
    printf '== %s (budget %s s)\n' "$name" "$budget"
    { "$script" "$@" 2>&1; echo "suite-status $?"; } | awk -v results="$results" -v name="$name" -v repeat="$repeat" '
        /^suite-status [0-9]+$/ { status = $2; next }
        { print; fflush() }
        /^ok / { passed++ }
        /^FAIL / { failed++; sub(/^FAIL /, ""); list = list "FAIL " $0 "\n" }
        END {
            if (status != 0 && failed == 0) {
                failed = 1
                list = "FAIL " name " (the suite ended with status " status "): repeat with: " repeat "\n"
                printf "%s", list
            }
            printf "%d %d\n%s", passed, failed, list >> results
        }'
    took=$(($(date +%s) - begin))
    [ "$took" -le "$budget" ] && over= || over=', over its budget'
    printf '== %s took %s s%s\n' "$name" "$took" "$over"
}

results=$(mktemp)
trap 'rm -f "$results"' EXIT
trap 'exit 130' INT TERM HUP

case ${1:-} in
--list)
    suite_list
    exit
    ;;
--record)
    shift
    exec tests/linux/run --record "$@"
    ;;
--help | -h)
    echo 'usage: ./invar test [--list | --record] [SUITE | SUITE/TEST]...'
    exit
    ;;
-*) fail "test $1: no such option" ;;
esac

for wanted in "$@"; do
    [ -n "$(suite_field "${wanted%%/*}" 4)" ] || fail "test $wanted: no such suite ($(suite_list | awk '{ printf "%s ", $1 }'))"
done
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(printf '%s' "$suites" | awk '$3 == "yes" { print $1 }')

started=$(date +%s)
for wanted in "$@"; do
    suite=${wanted%%/*}
    [ -x "$(suite_field "$suite" 4)" ] || continue # not written yet
    case $wanted in
    */*) suite_run "$suite" "${wanted#*/}" ;;
    *) suite_run "$suite" ;;
    esac
done

printf '== all took %s s\n' $(($(date +%s) - started))
grep '^FAIL ' "$results" || :
awk '/^[0-9]+ [0-9]+$/ { passed += $1; failed += $2 }
     END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$results"
