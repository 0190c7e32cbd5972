// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The lines of /proc/net/unix. Thread context; sockets that come or go meanwhile are there or not.

#include "unix.h"

#define FLAG_LISTENS 0x10000u // __SO_ACCEPTCON
#define LINE_MAX     (UNIX_NAME_MAX + 4)

// Linux's SS_*: of a socket with a file, and of one that waits to be accepted.
static unsigned state_number(const struct unix_socket *u) {
    bool connected = u->state == UNIX_CONNECTED;
    if (u->base.ino != 0)
        return connected ? 3 : 1;
    return connected ? 2 : 4;
}

static void show(struct unix_socket *u, struct text_sink *sink) {
    char text[LINE_MAX];
    unsigned n = 0;
    const struct unix_name *name = atomic_load_explicit(&u->name, memory_order_acquire);
    if (name != NULL) {
        bool path = name->bytes[UNIX_PATH_OFFSET] != 0;
        unsigned end = path ? name->length - 1 : name->length;
        text[n++] = ' ';
        for (unsigned i = UNIX_PATH_OFFSET; i < end; i++)
            text[n++] = name->bytes[i] != 0 ? (char)name->bytes[i] : '@';
    }
    text[n] = 0;
    text_sink_print(sink, "%016lx: %08X %08X %08X %04X %02X %5lu%s\n", 0ul, (unsigned)u->count, 0u,
                    u->state == UNIX_LISTENING ? FLAG_LISTENS : 0u, (unsigned)u->base.type, state_number(u),
                    (unsigned long)u->base.ino, text);
}

void unix_show_all(struct text_sink *sink) {
    text_sink_print(sink, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    for (struct unix_socket *u = unix_next(NULL); u != NULL; u = unix_next(u))
        if (!u->dead)
            show(u, sink);
}
