# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Running a list of tests under tests/linux/runner.c in a machine, and judging what they printed against the record. Read by the scripts of suites that
# work so, with the root of the tree as current folder. They set: suite (its name), here (its folder), out and work (folders for results), on
# (linux or invar), boots_max, and have boot_linux ARCHIVE and boot_invar ARCHIVE, which leave $work/frames and $work/console, and pack LIST ARCHIVE.

# Takes the frames apart: result files in $work/results; prints the names of the tests that ended, then "@open NAME" for
# one that did not.
split_frames() {
    tr -d '\r' <"$work/frames" | awk -v out="$work/results" -v times="$work/times" '
        /^@begin / { name = $2; file = out "/" name; folder = file; sub(/\/[^\/]*$/, "", folder); text = ""; next }
        /^\| /     { text = text substr($0, 3) "\n"; next }
        /^@end /   { system("mkdir -p " folder); printf "%sended: %s %s\n", text, $3, $4 > file; close(file); print $2; print $5, $2 > times; name = ""; next }
        END        { if (name != "") print "@open", name }' | sed 's/[[:space:]]*$//'
}

# Runs the list of tests ($1), in further boots where the machine stopped in the middle.
run_tests() {
    cp "$1" "$work/todo"
    rm -rf "$work/results" "$work/crashed"
    mkdir -p "$work/results"
    : >"$work/crashed"
    boots=0
    while [ -s "$work/todo" ] && [ "$boots" -lt "$boots_max" ]; do
        boots=$((boots + 1))
        rm -f "$work/frames" "$work/console"
        pack "$work/todo" "$work/tests.cpio"
        "boot_$on" "$work/tests.cpio"
        [ -f "$work/frames" ] || : >"$work/frames"
        split_frames >"$work/ended"
        open=$(sed -n 's/^@open //p' "$work/ended")
        if [ -n "$open" ]; then
            echo "$open" >>"$work/crashed"
            cp "$work/console" "$out/crash.$(echo "$open" | tr / -)" 2>/dev/null
        elif [ ! -s "$work/ended" ]; then
            echo "tests/$suite/run: the machine did not get as far as the runner; its last words:" >&2
            tail -n 5 "$work/console" >&2
            break
        fi
        # What ended or crashed is done; `grep -v` gives 1 when nothing is left.
        { cat "$work/ended"; echo "$open"; } | sed 's/^@open //' | grep . >"$work/done"
        grep -v -x -F -f "$work/done" "$work/todo" >"$work/rest"
        mv "$work/rest" "$work/todo"
    done
}

record_results() {
    failed=0
    while read -r name; do
        if [ ! -f "$work/results/$name" ]; then
            echo "FAIL $suite/$name: no result on Linux"
            failed=$((failed + 1))
        elif ! tail -n 1 "$work/results/$name" | grep -q -x 'ended: exit 0' || grep -q '^set-up failed' "$work/results/$name"; then
            echo "FAIL $suite/$name: is wrong in itself:"
            tail -n 3 "$work/results/$name" | sed 's/^/    /'
            failed=$((failed + 1))
        elif cmp -s "$work/results/$name" "$here/$name.expected"; then
            echo "same $suite/$name"
        else
            echo "new $suite/$name"
            cp "$work/results/$name" "$here/$name.expected"
        fi
    done <"$1"
    echo "$suite: $(grep -c . "$1") recorded, $failed failed"
    [ "$failed" -eq 0 ]
}

compare_results() {
    failed=0
    while read -r name; do
        if [ ! -f "$here/$name.expected" ]; then
            reason="nothing recorded for it (./invar test --record)"
        elif grep -q -x "$name" "$work/crashed"; then
            reason="the machine stopped in it, see $out/crash.$(echo "$name" | tr / -)"
        elif [ ! -f "$work/results/$name" ]; then
            reason="not run"
        elif cmp -s "$work/results/$name" "$here/$name.expected"; then
            echo "ok $suite/$name"
            continue
        else
            reason=
        fi
        failed=$((failed + 1))
        if [ "$on" = linux ]; then
            echo "FAIL $suite/$name: repeat with: tests/$suite/run --on linux $name"
        else
            echo "FAIL $suite/$name: repeat with: ./invar test $suite/$name"
        fi
        if [ -n "$reason" ]; then
            echo "    $reason"
        else
            diff -a "$here/$name.expected" "$work/results/$name" | grep -a '^[<>]' | sed 's/^</    linux:/; s/^>/    here: /' | head -n 12
        fi
    done <"$1"
    echo "$suite: $(($(grep -c . "$1") - failed)) passed, $failed failed"
    [ "$failed" -eq 0 ]
}
