// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's own counts of events (/proc/invar/counters: lines "name value", cumulative), and what an operation cost of each.
#include "harness.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// One line of the file; a line of another form is passed over.
static void line_parse(struct counters *c, char *line) {
    char *space = strchr(line, ' ');

    if (space == NULL || (size_t)(space - line) >= sizeof(c->event[0].name) || c->count == COUNTERS_MAX) {
        return;
    }
    *space = '\0';
    strcpy(c->event[c->count].name, line);
    c->event[c->count++].value = strtoull(space + 1, NULL, 10);
}

void counters_read(struct counters *c) {
    char text[4096];
    int fd = open("/proc/invar/counters", O_RDONLY | O_CLOEXEC);
    size_t length = 0;

    c->count = 0;
    if (fd < 0) {
        return;
    }
    for (ssize_t n; length < sizeof(text) - 1 && (n = read(fd, text + length, sizeof(text) - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    close(fd);
    text[length] = '\0';
    for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        line_parse(c, line);
    }
}

void counters_print(const struct counters *idle, const struct counters *begin, const struct counters *end,
                    uint64_t operations, char *text, size_t capacity) {
    size_t length = 0;

    for (unsigned i = 0; i < end->count && i < begin->count && i < idle->count; i++) {
        uint64_t reading = begin->event[i].value - idle->event[i].value;
        uint64_t events = end->event[i].value - begin->event[i].value;
        uint64_t each = events > reading ? ((events - reading) * 100 + operations / 2) / operations : 0;

        if (each > 0 && length < capacity) {
            length += (size_t)snprintf(text + length, capacity - length, " %s=%" PRIu64 ".%02u", end->event[i].name,
                                       each / 100, (unsigned)(each % 100));
        }
    }
}
