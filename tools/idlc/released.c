// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The compatibility check (idlc --check FILE, --accept FILE). Everything that a program was compiled against is one line:
//
//     syscall 0x1008 handle_duplicate = (rawhandle, u32) -> (rawhandle)
//
// What stands before the "=" names it, what stands behind may never change. The file of released lines only grows: a line of it that the declarations do
// not give any more, or give differently, is an error; a line that is new is added by --accept, at a release. A reserved number has no line.
#include "released.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lines {
    char **line;
    size_t count, room;
};

static void lines_add(struct idl *idl, struct lines *l, char *text) {
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 64;
        char **more = idl_alloc(idl, room * sizeof(*more));
        if (l->count)
            memcpy(more, l->line, l->count * sizeof(*more));
        l->line = more;
        l->room = room;
    }
    l->line[l->count++] = text;
}

// --- the lines of the declarations ---------------------------------------------------------------------------------------

static char *types_text(struct idl *idl, const struct field *fields) {
    char *text = NULL, *type = NULL;
    size_t length;
    for (const struct field *f = fields; f; f = f->next) {
        FILE *memory = open_memstream(&type, &length);
        emit_type_name(memory, f->type);
        fclose(memory);
        text = text ? idl_format(idl, "%s, %s", text, type) : idl_format(idl, "%s", type);
        free(type);
    }
    return text ? text : idl_format(idl, "%s", "");
}

static void call_lines(struct idl *idl, struct lines *l, const struct declaration *d) {
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind == CALL_RESERVED)
            continue;
        const char *parameters = types_text(idl, c->parameters), *results = types_text(idl, c->results);
        if (d->kind == DECLARE_SYSCALLS)
            lines_add(idl, l,
                      idl_format(idl, "syscall 0x%x %s = (%s) -> (%s)", c->number, c->name, parameters, results));
        else
            lines_add(idl, l,
                      idl_format(idl, "operation %s %u %s = %s (%s) -> (%s)", d->name, c->number, c->name,
                                 c->kind == CALL_CALL ? "call" : "submit", parameters, results));
    }
}

static void member_lines(struct idl *idl, struct lines *l, const struct declaration *d) {
    const char *kind = d->kind == DECLARE_ENUM ? "enum" : "flags";
    lines_add(idl, l, idl_format(idl, "%s %s = u%u", kind, d->name, d->type->bytes * 8));
    for (const struct member *m = d->members; m; m = m->next)
        lines_add(idl, l, idl_format(idl, "%s %s %s = 0x%llx", kind, d->name, m->name, (unsigned long long)m->value));
}

static void struct_lines(struct idl *idl, struct lines *l, const struct declaration *d) {
    lines_add(idl, l, idl_format(idl, "struct %s = %u bytes", d->name, d->type->bytes));
    for (struct field *f = d->fields; f; f = f->next) {
        struct field one = *f;
        one.next = NULL;
        lines_add(idl, l,
                  idl_format(idl, "struct %s %s = %s at %u", d->name, f->name, types_text(idl, &one), f->offset));
    }
}

static void declaration_lines(struct idl *idl, struct lines *l, const struct declaration *d) {
    switch (d->kind) {
    case DECLARE_CONST:
        lines_add(idl, l, idl_format(idl, "const %s = 0x%llx", d->name, (unsigned long long)d->value));
        break;
    case DECLARE_ENUM:
    case DECLARE_FLAGS: member_lines(idl, l, d); break;
    case DECLARE_STRUCT: struct_lines(idl, l, d); break;
    case DECLARE_OBJECT:
        lines_add(idl, l, idl_format(idl, "object %s = %llu", d->name, (unsigned long long)d->value));
        break;
    case DECLARE_INTERFACE:
        lines_add(idl, l, idl_format(idl, "interface %s = %llu", d->name, (unsigned long long)d->value));
        call_lines(idl, l, d);
        break;
    case DECLARE_SYSCALLS: call_lines(idl, l, d); break;
    }
}

static struct lines current_lines(struct idl *idl) {
    struct lines l = {0};
    for (struct library *library = idl->libraries; library; library = library->next) {
        for (struct declaration *d = library->declarations; d; d = d->next)
            declaration_lines(idl, &l, d);
    }
    return l;
}

// --- the comparison -------------------------------------------------------------------------------------------------------

// The length of what names a line, up to its " = ".
static size_t key_length(const char *line) {
    const char *equals = strstr(line, " = ");
    return equals ? (size_t)(equals - line) : strlen(line);
}

static const char *lines_find(const struct lines *l, const char *line) {
    size_t length = key_length(line);
    for (size_t i = 0; i < l->count; i++) {
        if (key_length(l->line[i]) == length && strncmp(l->line[i], line, length) == 0)
            return l->line[i];
    }
    return NULL;
}

static struct lines released_lines(struct idl *idl, const char *text) {
    struct lines l = {0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        lines_add(idl, &l,
                  idl_format(idl, "%.*s", (int)length, text)); // comments too: their numbers are those of the file
        text += length + (text[length] == '\n');
    }
    return l;
}

static bool is_comment(const char *line) {
    return line[0] == '#' || line[0] == 0;
}

unsigned released_check(struct idl *idl, const char *file, const char *text) {
    struct lines now = current_lines(idl), released = released_lines(idl, text);
    unsigned added = 0;
    for (size_t i = 0; i < released.count; i++) {
        const char *was = released.line[i], *is = is_comment(was) ? was : lines_find(&now, was);
        struct position at = {file, (unsigned)i + 1, 1};
        if (!is)
            idl_error(idl, at, "\"%.*s\" was released and is not declared any more", (int)key_length(was), was);
        else if (strcmp(is, was) != 0)
            idl_error(idl, at, "\"%s\" was released, expected that and not \"%s\"", was, is);
    }
    for (size_t i = 0; i < now.count; i++)
        added += lines_find(&released, now.line[i]) == NULL;
    return added;
}

void released_append(struct idl *idl, FILE *f, const char *text) {
    struct lines now = current_lines(idl), released = released_lines(idl, text);
    for (size_t i = 0; i < now.count; i++) {
        if (!lines_find(&released, now.line[i]))
            fprintf(f, "%s\n", now.line[i]);
    }
}
