#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Runs BusyBox's own test suites inside the machine: /suite/plan says which, a line each: FOLDER SUITE NAME SECONDS. The folder holds a tree as
# BusyBox's build leaves it (busybox, .config, testsuite, shell). Prints what they print between frames that tests/busybox/run takes apart:
#   @begin FOLDER SUITE NAME
#   @end STATUS SECONDS
# and, at last, @done.
#
# The suite's own runner makes a link for each of some 300 applets whenever it is called. Here they are made once; the environment of a test is the
# one that the runner gives it (bindir, tsdir, OPTIONFLAGS, PATH).
export SKIP_KNOWN_BUGS=y SKIP_INTERNET_TESTS=y SHELL=/bin/sh ECHO=/bin/echo LANG=C.UTF-8 LC_ALL=C.UTF-8 HOME=/root TERM=dumb USER=root
export PATH=/bin:/sbin:/usr/bin:/usr/sbin VERBOSE=1 bindir tsdir OPTIONFLAGS
mkdir -p /dev/shm /root

# The environment for a binary's tests.
folder_enter() {
    bindir=/suite/$1
    tsdir=$bindir/testsuite
    links=$bindir/runtest-tempdir-links
    cd "$tsdir" || exit 1
    OPTIONFLAGS=:$(sed -nr 's/^CONFIG_//p' "$bindir/.config" | sed 's/=.*//' | xargs | sed 's/ /:/g'):
    [ ! -d "$links" ] || return 0
    mkdir "$links"
    cd "$links" && "$bindir/busybox" --list | xargs -n 100 sh -c 'for applet; do ln -s ../busybox "$applet"; done' sh
    ln -sf ../busybox busybox
    cd "$tsdir" || exit 1
}

# A folder of scripts, each a test that ends at its first command that fails, where the applet and what it wants are there.
scripts_run() {
    upper=$(echo "$1" | tr a-z A-Z)
    for script in "$tsdir/$1"/*; do
        test=${script##*/}
        for feature in "CONFIG_$upper" $(sed -n 's/^# FEATURE: //p' "$script"); do
            grep -q "^# $feature is not set$" "$bindir/.config" && echo "UNTESTED: $test" && continue 2
        done
        rm -rf ".tmpdir.$1"
        mkdir -p ".tmpdir.$1"
        if (cd ".tmpdir.$1" && d=$tsdir PATH=$bindir:$PATH timeout -s KILL "$2" sh -x -e "$script" >"$test.stdout.txt" 2>&1); then
            echo "PASS: $test"
        else
            echo "FAIL: $test"
            cat ".tmpdir.$1/$test.stdout.txt"
        fi
        rm -rf ".tmpdir.$1"
    done
}

testsuite_run() { # NAME SECONDS
    [ ! -d "$tsdir/$1" ] || scripts_run "$1" "$2"
    [ -f "$tsdir/$1.tests" ] || return 0
    case $1 in
    busybox | parse | makedevs | mount | ls) ;; # checked by the test itself, or a test of more than an applet
    *)
        [ -e "$links/$1" ] || { echo "SKIPPED: $1 (not built)" && return 0; }
        ;;
    esac
    PATH=$links:$tsdir:$bindir:$PATH timeout -s KILL "$2" "$tsdir/$1.tests" 2>&1
}

shell_run() { # SUITE MODULE SECONDS
    cd "$bindir/shell/$1" || exit 1
    timeout -s KILL "$3" ./run-all "$2" 2>&1
    status=$?
    for file in *.fail; do
        [ ! -f "$file" ] || { echo "--- $file"; head -n 20 "$file"; rm -f "$file"; }
    done
    return "$status"
}

while read -r folder suite name seconds; do
    echo "@begin $folder $suite $name"
    begin=$(date +%s)
    folder_enter "$folder"
    case $suite in
    testsuite) testsuite_run "$name" "$seconds" ;;
    *) (shell_run "$suite" "$name" "$seconds") ;;
    esac </dev/null
    status=$?
    kill -KILL -1 # what a test left behind would take time from the others; it spares process 1 and the caller
    echo "@end $status $(($(date +%s) - begin))"
done </suite/plan
echo @done
