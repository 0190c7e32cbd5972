// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What all emitters use: files, comments, names of C.
#include "emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// --- files -----------------------------------------------------------------------------------------------------------------

static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

bool output_open(struct output *o, const char *folder, const char *name) {
    snprintf(o->path, sizeof(o->path), "%s/%s", folder, name);
    snprintf(o->made, sizeof(o->made), "%s.%d", o->path, (int)getpid());
    make_folders(o->made);
    o->file = fopen(o->made, "w");
    if (!o->file)
        fprintf(stderr, "idlc: %s: %s\n", o->made, strerror(errno));
    return o->file != NULL;
}

static bool same_contents(const char *one, const char *other) {
    FILE *a = fopen(one, "r"), *b = fopen(other, "r");
    int x = 0, y = a && b ? 0 : 1;
    while (x == y && x != EOF) {
        x = fgetc(a);
        y = fgetc(b);
    }
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    return x == y;
}

bool output_close(struct output *o) {
    bool good = !ferror(o->file);
    good &= fclose(o->file) == 0;
    if (good && same_contents(o->made, o->path))
        return remove(o->made) == 0;
    if (good && rename(o->made, o->path) == 0)
        return true;
    fprintf(stderr, "idlc: %s: %s\n", o->path, strerror(errno));
    remove(o->made);
    return false;
}

// --- text ------------------------------------------------------------------------------------------------------------------

void emit_head(FILE *f, const char *source, const char *purpose) {
    fprintf(f,
            "// SPDX-License-Identifier: Apache-2.0\n// Copyright The Invar Authors\n//\n// Made by idlc from %s: "
            "change that.\n",
            source);
    emit_comment(f, "", purpose);
}

void emit_comment(FILE *f, const char *indent, const char *text) {
    while (text) {
        const char *end = strchr(text, '\n');
        int length = end ? (int)(end - text) : (int)strlen(text);
        fprintf(f, "%s//%s%.*s\n", indent, length ? " " : "", length, text);
        text = end ? end + 1 : NULL;
    }
}

// One of a few buffers in turn.
static char *next_buffer(void) {
    static char buffers[16][256];
    static unsigned next;
    return buffers[next++ % 16];
}

const char *upper(const char *name) {
    char *text = next_buffer();
    size_t i;
    for (i = 0; name[i] && i < 255; i++)
        text[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    text[i] = 0;
    return text;
}

const char *first_sentence(const char *documentation) {
    char *text = next_buffer();
    size_t i = 0;
    for (; documentation && documentation[i] && i < 254; i++) {
        bool end = documentation[i] == '.' &&
                   (documentation[i + 1] == 0 || documentation[i + 1] == ' ' || documentation[i + 1] == '\n');
        if (end || (documentation[i] == '\n' && documentation[i + 1] == '\n'))
            break;
        text[i] = documentation[i] == '\n' ? ' ' : documentation[i];
    }
    text[i] = 0;
    return text;
}

const char *c_type(const struct type *t) {
    char *text = next_buffer();
    switch (t->kind) {
    case TYPE_INTEGER: snprintf(text, 256, "%sint%u_t", t->is_signed ? "" : "u", t->bytes * 8); break;
    case TYPE_BOOL: return "bool";
    case TYPE_STATUS: return "inv_status_t";
    case TYPE_ENUM:
    case TYPE_FLAGS: snprintf(text, 256, "inv_%s_t", t->declaration->name); break;
    case TYPE_STRUCT: snprintf(text, 256, "struct inv_%s", t->declaration->name); break;
    case TYPE_FIXED: return c_type(t->element);
    case TYPE_HANDLE:
    case TYPE_RAWHANDLE: return "inv_handle_t";
    default: return "void";
    }
    return text;
}

static void emit_rights_names(FILE *f, const struct type *t, const char *prefix, const char *between) {
    for (const struct name *n = t->rights; n; n = n->next)
        fprintf(f, "%s%s%s", prefix, n->text, n->next ? between : "");
}

void emit_rights(FILE *f, const struct type *t) {
    if (t->rights)
        emit_rights_names(f, t, "INV_RIGHT_", " | ");
    else
        fprintf(f, "0");
}

void emit_type_name(FILE *f, const struct type *t) {
    static const char *const directions[] = {"in", "out", "inout"};
    switch (t->kind) {
    case TYPE_INTEGER: fprintf(f, "%c%u", t->is_signed ? 's' : 'u', t->bytes * 8); break;
    case TYPE_BOOL: fprintf(f, "bool"); break;
    case TYPE_STATUS: fprintf(f, "status"); break;
    case TYPE_FIXED:
        emit_type_name(f, t->element);
        fprintf(f, "[%llu]", (unsigned long long)t->bound);
        break;
    case TYPE_STRING: fprintf(f, "string<%llu>", (unsigned long long)t->bound); break;
    case TYPE_ARRAY:
        fprintf(f, "array<");
        emit_type_name(f, t->element);
        fprintf(f, ", %llu>", (unsigned long long)t->bound);
        break;
    case TYPE_HANDLE:
        fprintf(f, "handle%s%s%s", t->name ? "<" : "", t->name ? t->name : "", t->rights ? ", " : "");
        emit_rights_names(f, t, "", "|");
        fprintf(f, "%s", t->name ? ">" : "");
        break;
    case TYPE_RAWHANDLE: fprintf(f, "rawhandle"); break;
    case TYPE_PAGES: fprintf(f, "pages<%s, %llu>", directions[t->direction], (unsigned long long)t->bound); break;
    case TYPE_IN:
    case TYPE_OUT: fprintf(f, "%s<%llu>", t->kind == TYPE_IN ? "in" : "out", (unsigned long long)t->bound); break;
    case TYPE_ENUM:
    case TYPE_FLAGS:
    case TYPE_STRUCT:
    case TYPE_NAMED: fprintf(f, "%s", t->name); break;
    }
}

static void emit_fields(FILE *f, const struct field *fields) {
    fprintf(f, "(");
    for (; fields; fields = fields->next) {
        fprintf(f, "%s: ", fields->name);
        emit_type_name(f, fields->type);
        fprintf(f, "%s", fields->next ? ", " : "");
    }
    fprintf(f, ")");
}

void emit_signature(FILE *f, const struct call *c) {
    fprintf(f, "%s", c->name);
    emit_fields(f, c->parameters);
    if (c->results) {
        fprintf(f, " -> ");
        emit_fields(f, c->results);
    }
}

const char *member_prefix(const struct declaration *d) {
    char *text = next_buffer();
    size_t length = (size_t)snprintf(text, 256, "INV_%s", upper(d->name));
    if (d->kind == DECLARE_FLAGS && length > 3) {
        bool ies = strcmp(text + length - 3, "IES") == 0;
        strcpy(text + length - (ies ? 3 : 1), ies ? "Y" : "");
    }
    return text;
}

struct declaration *find_syscalls(const struct idl *idl, struct library **out_library) {
    for (struct library *l = idl->libraries; l; l = l->next) {
        for (struct declaration *d = l->declarations; d; d = d->next) {
            if (d->kind == DECLARE_SYSCALLS) {
                *out_library = l;
                return d;
            }
        }
    }
    return NULL;
}
