#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Copyright The Invar Authors
#
# Records the session that the README shows: boots Invar in a terminal of its own, types at it like a person, and writes an asciicast (version 2) that
# termtosvg (Debian's package) renders:
#     tools/recording/record.py build/session.cast && termtosvg render build/session.cast docs/session.svg -M 1500 -D 4000
# Every byte is what the machine printed.
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

COLUMNS, ROWS = 92, 26
# What is typed, and what has to be on the screen before the next line is (all of it after the typing began).
SESSION = [
    ("./invar run --smp 4\n", b"~# "),
    ("uname -srvm; nproc; free -m | head -2\n", b"~# "),
    ("ps\n", b"~# "),
    ("for i in 1 2 3 4; do (seq 1 20000 | md5sum) & done; wait\n", b"~# "),
    ("sleep 100\n", None),
    ("\x1a", b"~# "),
    ("jobs\n", b"~# "),
    ("fg\n", None),
    ("\x03", b"~# "),
    ("dmesg | tail -4\n", b"~# "),
    ("exit 7\n", b"$ "),
    ("echo $?\n", b"$ "),
]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: record.py FILE")
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(PS1="$ ", TERM="xterm-256color")
        os.execvp("bash", ["bash", "--norc", "--noprofile"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    start = time.monotonic()
    events = []

    def read_until(wanted, limit):
        seen, end = b"", time.monotonic() + limit
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    data = os.read(terminal, 65536)
                except OSError:
                    return
                seen += data
                events.append([time.monotonic() - start, "o", data.decode("utf-8", "replace")])
            elif wanted is not None and wanted in seen:
                return
        if wanted is not None:
            sys.exit("record: %r did not come after %r" % (wanted, seen[-300:]))

    read_until(b"$ ", 5)
    for text, wanted in SESSION:
        for letter in text[:-1]:
            os.write(terminal, letter.encode())
            read_until(None, 0.04)
        os.write(terminal, text[-1:].encode())
        read_until(wanted, 120 if wanted else 1)
        time.sleep(0.3)
    os.close(terminal)
    with open(sys.argv[1], "w") as out:
        out.write(json.dumps({"version": 2, "width": COLUMNS, "height": ROWS}) + "\n")
        for event in events:
            out.write(json.dumps(event) + "\n")


main()
