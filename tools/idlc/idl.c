// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory and messages of a run, and the list of statuses, which is that of the C header.
#include "idlc.h"

#include <invar/status.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    max_align_t memory[];
};

void *idl_alloc(struct idl *idl, size_t size) {
    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (!block) {
        fputs("idlc: out of memory\n", stderr);
        exit(2);
    }
    block->next = idl->arena;
    idl->arena = block;
    return block->memory;
}

void idl_free(struct idl *idl) {
    while (idl->arena) {
        struct arena_block *next = idl->arena->next;
        free(idl->arena);
        idl->arena = next;
    }
    memset(idl, 0, sizeof(*idl));
}

static char *format_list(struct idl *idl, const char *format, va_list list) {
    va_list again;
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = idl_alloc(idl, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, list);
    return text;
}

char *idl_format(struct idl *idl, const char *format, ...) {
    va_list list;
    va_start(list, format);
    char *text = format_list(idl, format, list);
    va_end(list);
    return text;
}

static void report_line(struct idl *idl, struct position at, const char *message) {
    const char *line = idl_format(idl, "%s:%u:%u: error: %s", at.file, at.line, at.column, message);
    idl->errors++;
    if (idl->report)
        idl->report(idl->report_context, line);
    else
        fprintf(stderr, "%s\n", line);
}

void idl_error(struct idl *idl, struct position at, const char *format, ...) {
    va_list list;
    va_start(list, format);
    report_line(idl, at, format_list(idl, format, list));
    va_end(list);
}

void idl_fail(struct idl *idl, struct position at, const char *format, ...) {
    va_list list;
    va_start(list, format);
    report_line(idl, at, format_list(idl, format, list));
    va_end(list);
    longjmp(*idl->give_up, 1);
}

bool status_find(const char *name, int *out_number, const char **out_text) {
    static const struct {
        const char *name;
        int number;
        const char *text;
    } statuses[] = {
#define X(name, number, text) {#name, number, text},
        INV_STATUS_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strncmp(statuses[i].name, "ERR_", 4) == 0 && strcmp(statuses[i].name + 4, name) == 0) {
            *out_number = statuses[i].number;
            *out_text = statuses[i].text;
            return true;
        }
    }
    return false;
}
