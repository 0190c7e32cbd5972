// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Growing text for generated files. Any failure is remembered, so that the writers need no checks of their own. May be used under sleeping locks.
#include "../proc.h"

#include <kernel/slab.h>

#define FIRST_SIZE    1024u
#define SIZE_MAX_TEXT (1u << 20)

static bool room_make(struct proc_text *t, size_t n) {
    size_t size = MAX(t->size * 2, FIRST_SIZE);
    char *fresh;

    if (t->failed)
        return false;
    if (t->size - t->used > n)
        return true;
    while (size - t->used <= n)
        size *= 2;
    fresh = size <= SIZE_MAX_TEXT ? kmalloc(size) : NULL;
    if (fresh == NULL) {
        t->failed = true;
        return false;
    }
    if (t->used > 0)
        memcpy(fresh, t->buffer, t->used);
    kfree(t->buffer);
    t->buffer = fresh;
    t->size = size;
    return true;
}

void proc_append(struct proc_text *t, const char *bytes, size_t n) {
    if (!room_make(t, n))
        return;
    memcpy(t->buffer + t->used, bytes, n);
    t->used += n;
}

void proc_print(struct proc_text *t, const char *format, ...) {
    va_list args;

    if (!room_make(t, 256))
        return;
    va_start(args, format);
    int n = vsnprintf(t->buffer + t->used, t->size - t->used, format, args);
    va_end(args);
    if ((size_t)n >= t->size - t->used) {
        if (!room_make(t, (size_t)n + 1))
            return;
        va_start(args, format);
        n = vsnprintf(t->buffer + t->used, t->size - t->used, format, args);
        va_end(args);
    }
    t->used += (size_t)n;
}

void proc_show_number(struct proc_text *t, uint64_t n) {
    proc_print(t, "%lu\n", n);
}

bool proc_parse_number(const char *text, uint64_t *out) {
    const char *end;

    while (*text == ' ' || *text == '\t')
        text++;
    if (string_to_u64(text, &end, 0, out) != INV_OK)
        return false;
    while (*end == ' ' || *end == '\t' || *end == '\n')
        end++;
    return *end == '\0';
}

void proc_print_cpus(struct proc_text *t, const cpuset_t *set) {
    const char *comma = "";

    for (unsigned i = 0; i < cpu_count; i++) {
        unsigned last = i;
        if (!cpuset_has(set, i))
            continue;
        while (last + 1 < cpu_count && cpuset_has(set, last + 1))
            last++;
        proc_print(t, last > i ? "%s%u-%u" : "%s%u", comma, i, last);
        comma = ",";
        i = last;
    }
}

void proc_text_free(struct proc_text *t) {
    kfree(t->buffer);
    *t = (struct proc_text){0};
}
