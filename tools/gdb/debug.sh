#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# ./invar debug: starts the machine stopped before its first instruction, and gdb on it, with the kernel's symbols and the
# commands of invar.py. The machine's own output goes to build/log/debug.log; it ends with gdb.
#
#     debug.sh KERNEL RUNNER RUNNER-ARGUMENT...
#
# INVAR_GDB_COMMANDS: a file of gdb commands to execute, instead of a person at the prompt.
set -eu

here=$(dirname "$0")
: "${BUILD:=$here/../../build}"
kernel=$1 runner=$2
shift 2

socket=$BUILD/gdb-$$.socket
log=$BUILD/log/debug.log
"$runner" --gdb "$socket" "$@" </dev/null >"$log" 2>&1 &
machine=$!
trap 'kill "$machine" 2>/dev/null || :; rm -f "$socket"' EXIT
trap : INT # Ctrl-C is for gdb

tries=0
while [ ! -S "$socket" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$machine" 2>/dev/null; then
        echo "invar: the machine did not start: $(tail -n 1 "$log")" >&2
        exit 2
    fi
    sleep 0.1
done
echo "invar: the machine stands before its first instruction; \"continue\" starts it; its output: $log" >&2
set -- -q -iex 'set auto-load safe-path /' -ex 'set pagination off' -ex 'set confirm off' -ex "target remote $socket" \
    -ex "source $here/invar.py"
if [ -n "${INVAR_GDB_COMMANDS:-}" ]; then
    set -- "$@" -batch -x "$INVAR_GDB_COMMANDS"
else
    set -- "$@" -ex 'hbreak kernel_main'
fi
gdb "$@" "$kernel"
