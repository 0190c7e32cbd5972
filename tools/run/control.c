// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The control port: lines between this program and the guest's init (system/init/init.c).
//
//     host to guest                              guest to host
//     env KEY=VALUE        before run or shell   ready      init is there
//     size ROWS COLUMNS    at any time           exit N     the program ended; 128 + signal if one killed it
//     run N, then N strings, each ended by NUL
//     shell
//     signal N             to the program
//
// Everything is queued at once: the guest's port holds it back until init reads.

#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void control_init(struct control *c, int fd) {
    c->fd = fd;
    c->ready = c->finished = false;
    c->status = 0;
    c->length = 0;
    relay_init(&c->out, -1, fd);
}

static void say(struct control *c, const char *text) {
    relay_push(&c->out, text, strlen(text));
}

void control_size(struct control *c) {
    int rows, columns;
    char line[64];

    if (terminal_size(&rows, &columns)) {
        snprintf(line, sizeof(line), "size %d %d\n", rows, columns);
        say(c, line);
    }
}

void control_signal(struct control *c, int number) {
    char line[32];

    snprintf(line, sizeof(line), "signal %d\n", number);
    say(c, line);
}

void control_start(struct control *c, const struct options *o) {
    const char *term = getenv("TERM");
    char line[128];

    if (term != NULL && *term != '\0' && strlen(term) < 64 && strchr(term, '\n') == NULL) {
        snprintf(line, sizeof(line), "env TERM=%s\n", term);
        say(c, line);
    }
    control_size(c);
    if (o->mode == MODE_SHELL) {
        say(c, "shell\n");
        return;
    }
    snprintf(line, sizeof(line), "run %d\n", o->argc);
    say(c, line);
    for (int i = 0; i < o->argc; i++) {
        relay_push(&c->out, o->argv[i], strlen(o->argv[i]) + 1);
    }
}

static void line_take(struct control *c) {
    int status;

    c->line[c->length] = '\0';
    c->length = 0;
    if (strcmp(c->line, "ready") == 0) {
        c->ready = true;
    } else if (sscanf(c->line, "exit %d", &status) == 1 && status >= 0 && status <= 255) {
        c->finished = true;
        c->status = status;
    }
}

void control_read(struct control *c) {
    char piece[512];
    ssize_t n = read(c->fd, piece, sizeof(piece));

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            c->fd = -1;
        }
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (piece[i] == '\n') {
            line_take(c);
        } else if (c->length < sizeof(c->line) - 1) {
            c->line[c->length++] = piece[i];
        }
    }
}
