# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Judges what inside.sh printed: awk -v mode=record -f judge.awk LOG prints the record of Linux; awk -v mode=invar|linux -v wanted=N -f judge.awk
# RECORD EXPECTED CHANCE LOG prints verdicts, "ok NAME" or "FAIL NAME: repeat with: COMMAND" for each applet or module of a shell's tests.
#
# The record: a line "ITEM passed failed skipped" for each item BINARY/SUITE/NAME, and "fail ITEM: TEST" for each test that fails on Linux.
# What depends on chance: "SUITE/NAME: TEST | why".
# The expected failures: "ITEM: TEST | what Linux does | which piece is missing".

function flag(text) { # one line of reasons why the item is not well
    reasons = reasons "    " text "\n"
}

function outcome(test, result) {
    count[result]++
    key = item ": " test
    if (result != "failed") {
        if (result == "passed" && (key in expected) && !(key in failing)) passes_now = passes_now key "\n"
        if (result == "passed" && (key in linux_fails) && !(key in failing)) better[key] = 1
        collecting = ""
        return
    }
    failing[key] = 1
    collecting = ""
    if (mode == "record") print "fail " key
    else if (key in linux_fails) alike++
    else if ((suite "/" module ": " test) in chance) lost++
    else if (key in expected) { known++; seen[key] = 1 }
    else { flag(test); collecting = 14 }
}

function item_end(status) {
    if (status == 137) outcome("(ended by the time limit)", "failed")
    if (mode == "record") {
        print item, count["passed"] + 0, count["failed"] + 0, count["skipped"] + 0
        return
    }
    all_passed += count["passed"]
    skipped += count["skipped"]
    if (!(item in linux)) flag("nothing is recorded for it (tests/busybox/run --record)")
    else if (linux[item] != count["passed"] + count["failed"] + count["skipped"])
        flag("on Linux it makes " linux[item] " tests, here " count["passed"] + count["failed"] + count["skipped"])
    for (key in expected)
        if (index(key, item ": ") == 1 && !(key in seen))
            flag("passes, and is expected to fail (expected_failures): " substr(key, length(item) + 3))
    ended++
    printf "%s", details
    if (reasons == "") { print "ok busybox/" item; return }
    failures++
    print "FAIL busybox/" item ": repeat with: ./invar test busybox/" item
    printf "%s", reasons
}

mode != "record" && FILENAME ~ /linux_results$/ {
    if (/^fail /) linux_fails[substr($0, 6)] = 1
    else if (NF == 4) linux[$1] = $2 + $3 + $4
    next
}

mode != "record" && FILENAME ~ /chance$/ {
    if (!/^#/ && split($0, part, / \| /) == 2) chance[part[1]] = 1
    next
}

mode != "record" && FILENAME ~ /expected_failures$/ {
    if (/^#/ || NF == 0) next
    if (split($0, part, / \| /) != 3) { print "FAIL busybox/expected_failures: repeat with: less tests/busybox/expected_failures"; print "    " $0; failures++; next }
    expected[part[1]] = 1
    next
}

/^@begin / { item = $2 "/" $3 "/" $4; suite = $3; module = $4; split("", count); split("", failing); reasons = ""; collecting = ""; open = 1; next }
/^@end / { open = 0; item_end($2); next }
/^@done$/ { done = 1; next }
!open { next }
suite == "testsuite" && /^PASS: / { outcome(substr($0, 7), "passed"); next }
suite == "testsuite" && /^FAIL: / { outcome(substr($0, 7), "failed"); next }
suite == "testsuite" && /^SKIPPED: / { outcome(substr($0, 10), "skipped"); next }
suite == "testsuite" && /^UNTESTED: / { outcome(substr($0, 11), "skipped"); next }
suite != "testsuite" && index($0, module "/") == 1 && / (ok|fail)( \([0-9]+\))?$/ {
    test = $0
    sub(/^[^\/]*\//, "", test)
    sub(/: *(ok|fail)( \([0-9]+\))?$/, "", test) # hush's runner says the status too
    outcome(test, / ok$/ ? "passed" : "failed")
    next
}
suite != "testsuite" && /^--- .*\.fail$/ {
    test = $2
    sub(/\.fail$/, "", test)
    sub(/^[^#]*-[a-z_]*-/, "", test)
    collecting = ((item ": " test) in linux_fails) || ((item ": " test) in expected) || ((suite "/" module ": " test) in chance) ? "" : 14
}
/^======================$/ { collecting = "" }
collecting > 0 && mode != "record" { flag("    " $0); collecting-- }

END {
    if (mode == "record") exit !done
    if (open) { failures++; print "FAIL busybox/" item ": repeat with: ./invar test busybox/" item; print "    the machine stopped in it"; ended++ }
    else if (!done || ended < wanted) { failures++; print "FAIL busybox/whole: repeat with: ./invar test busybox"; print "    " ended + 0 " of " wanted " were run" }
    tried = all_passed + known
    if (tried > 0 && known * 20 > tried) { failures++; print "FAIL busybox/expected: repeat with: ./invar test busybox"; print "    more than 5 % are expected to fail" }
    for (key in better) print "    passes here and fails on Linux: " key
    if (lost > 0) printf "    %d that depend on chance failed (chance)\n", lost
    printf "busybox: %d tests passed, %d failed as expected, %d fail on Linux alike, %d skipped by the suite itself\n", all_passed, known, alike, skipped
    exit failures > 0
}
