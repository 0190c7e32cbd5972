// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The machine's named ports (virtio-serial), and lines read from one of them. Used by init alone, in one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Opens the port `name` ("invar.ctl") with open(2)'s flags, close-on-exec. Looks in /dev/virtio-ports, as Invar and udev
// name it, and then in /sys/class/virtio-ports, which has the names on a bare Linux. Returns -1 when there is none (yet).
int port_open(const char *name, int flags);

// The same, trying again until `seconds` have passed: names arrive some time after the device.
int port_wait(const char *name, int flags, int seconds);

enum { READER_ROOM = 131072 };

struct reader {
    int fd;
    bool ended;
    size_t used;
    char buffer[READER_ROOM];
};

// Reads once (it blocks when nothing is there). False: the port has ended.
bool reader_fill(struct reader *r);

// Takes the next piece up to `stop` ('\n' or NUL), which becomes NUL; NULL when none is complete. The piece is valid
// until the next call.
char *reader_take(struct reader *r, char stop);
