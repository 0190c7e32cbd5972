// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Turns a kernel's symbols into the table that backtraces read. Host program, called by the Makefile between the two
// links: `nm -n kernel | ksyms > ksyms.S`; `ksyms --empty` writes the table of the first link.
//
// The table holds the functions between kernel_text_start and kernel_text_end, sorted by address, one name for each
// address (a global name wins over a local one). The tables lie behind all text, so the second link moves no function;
// the Makefile compares the tables of both links and fails if one did.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct symbol {
    uint64_t address;
    bool global;
    char *name;
};

struct table {
    struct symbol *symbols;
    size_t count, room;
};

static void fail(const char *what) {
    fprintf(stderr, "ksyms: %s\n", what);
    exit(1);
}

static void table_add(struct table *t, uint64_t address, bool global, const char *name) {
    if (t->count > 0 && t->symbols[t->count - 1].address == address) {
        if (global && !t->symbols[t->count - 1].global) {
            free(t->symbols[t->count - 1].name);
            t->symbols[t->count - 1].name = strdup(name);
            t->symbols[t->count - 1].global = true;
        }
        return;
    }
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 1024;
        t->symbols = realloc(t->symbols, t->room * sizeof(*t->symbols));
        if (t->symbols == NULL) {
            fail("out of memory");
        }
    }
    t->symbols[t->count++] = (struct symbol){address, global, strdup(name)};
}

// Names that stand for no function: the assembler's and the compiler's own labels, and prefix symbols.
static bool name_is_noise(const char *name) {
    return name[0] == '.' || name[0] == '$' || strncmp(name, "__pfx_", 6) == 0;
}

static uint64_t table_read(struct table *t, FILE *in) {
    char line[4096], type, name[2048];
    unsigned long long address;
    uint64_t start = 0, end = 0;

    while (fgets(line, sizeof(line), in) != NULL) {
        if (sscanf(line, "%llx %c %2047s", &address, &type, name) != 3) {
            continue;
        }
        if (strcmp(name, "kernel_text_start") == 0) {
            start = address;
        } else if (strcmp(name, "kernel_text_end") == 0) {
            end = address;
        } else if (strchr("tTwW", type) != NULL && !name_is_noise(name)) {
            table_add(t, address, type == 'T' || type == 'W', name);
        }
    }
    if (start == 0) {
        fail("no symbol kernel_text_start: does the linker script define it?");
    }
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (t->symbols[i].address >= start && (end == 0 || t->symbols[i].address < end)) {
            t->symbols[kept++] = t->symbols[i];
        }
    }
    t->count = kept;
    return start;
}

static void label(const char *name) {
    printf("    .balign 4\n    .globl %s\n    .type %s, @object\n%s:\n", name, name, name);
}

static void table_write(const struct table *t, uint64_t start) {
    size_t position = 0;

    printf("// Made by tools/ksyms. Do not edit.\n    .section .rodata.ksyms, \"a\", @progbits\n");
    label("ksyms_count");
    printf("    .long %zu\n", t->count);
    label("ksyms_offset");
    for (size_t i = 0; i < t->count; i++) {
        if (t->symbols[i].address - start > UINT32_MAX) {
            fail("a symbol lies further than 4 GiB from kernel_text_start");
        }
        printf("    .long %llu\n", (unsigned long long)(t->symbols[i].address - start));
    }
    label("ksyms_name_pos");
    for (size_t i = 0; i < t->count; i++) {
        printf("    .long %zu\n", position);
        position += strlen(t->symbols[i].name) + 1;
    }
    label("ksyms_names");
    for (size_t i = 0; i < t->count; i++) {
        printf("    .asciz \"%s\"\n", t->symbols[i].name);
    }
    printf("    .byte 0\n    .section .note.GNU-stack, \"\", @progbits\n");
}

int main(int argc, char **argv) {
    struct table table = {0};
    uint64_t start = 0;

    if (argc == 2 && strcmp(argv[1], "--empty") == 0) {
        table_write(&table, 0);
        return 0;
    }
    if (argc != 1) {
        fail("usage: nm -n KERNEL | ksyms, or ksyms --empty");
    }
    start = table_read(&table, stdin);
    table_write(&table, start);
    return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
