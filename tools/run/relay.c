// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// One direction of one stream: a ring of bytes between two descriptors, driven by the poll loop of run.c.
//
// Invariants:
//   I1. used <= RELAY_ROOM; the bytes queued are buffer[head .. head + used), modulo RELAY_ROOM.
//   I2. ended and used == 0: a socket behind `to` has been half-closed. Not closed: QEMU drops what it has not read yet
//       when it sees the other end vanish, but reads to the end of a half-closed socket.

#include "run.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void relay_init(struct relay *r, int from, int to) {
    r->from = from;
    r->to = to;
    r->to_socket = r->drop_cr = r->broken = r->held = false;
    r->ended = from < 0;
    r->head = r->used = 0;
    r->filter = NULL;
    r->context = NULL;
}

void relay_push(struct relay *r, const char *data, size_t length) {
    for (size_t i = 0; i < length && r->used < RELAY_ROOM; i++) {
        r->buffer[(r->head + r->used++) % RELAY_ROOM] = data[i];
    }
}

int relay_poll(const struct relay *r, struct pollfd *fds) {
    int count = 0;

    if (!r->ended && RELAY_ROOM - r->used >= RELAY_PIECE) {
        fds[count++] = (struct pollfd){.fd = r->from, .events = POLLIN};
    }
    if (r->used > 0 && !r->held) {
        fds[count++] = (struct pollfd){.fd = r->to, .events = POLLOUT};
    }
    return count;
}

static size_t without_cr(char *data, size_t length) {
    size_t kept = 0;

    for (size_t i = 0; i < length; i++) {
        if (data[i] != '\r') {
            data[kept++] = data[i];
        }
    }
    return kept;
}

static void relay_fill(struct relay *r) {
    char piece[RELAY_PIECE];
    ssize_t n = read(r->from, piece, sizeof(piece));

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) { // an error ends a stream as its end does: a reset socket, a terminal that hung up
        r->ended = true;
        return;
    }
    size_t length = (size_t)n;
    if (r->filter != NULL) {
        length = r->filter(r->context, piece, length);
    }
    if (r->drop_cr) {
        length = without_cr(piece, length);
    }
    if (!r->broken) {
        relay_push(r, piece, length);
    }
}

static void relay_drain(struct relay *r) {
    size_t length = r->used < RELAY_PIECE ? r->used : RELAY_PIECE;

    if (length > RELAY_ROOM - r->head) {
        length = RELAY_ROOM - r->head;
    }
    ssize_t n = write(r->to, r->buffer + r->head, length);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0) {
        r->broken = true;
        r->used = 0;
        r->ended = r->ended || r->to_socket; // input for a machine that is gone stays with whoever reads it next
        return;
    }
    r->head = (r->head + (size_t)n) % RELAY_ROOM;
    r->used -= (size_t)n;
}

void relay_run(struct relay *r, const struct pollfd *fds, int count) {
    for (int i = 0; i < count; i++) {
        if (fds[i].revents == 0) {
            continue;
        }
        if (fds[i].events & POLLIN) {
            relay_fill(r);
        } else if (r->used > 0) {
            relay_drain(r);
        }
    }
    if (r->ended && r->used == 0 && r->to_socket && r->to >= 0) {
        shutdown(r->to, SHUT_WR);
        r->to_socket = false;
    }
}

bool relay_done(const struct relay *r) {
    return r->ended && r->used == 0;
}
