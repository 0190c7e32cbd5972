// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// invar/call_table.h: the ordinary native calls as data, for testers and tracers: names, kinds of arguments and results, and every status that a call may
// give according to its declaration.
#include "emit.h"

#include <string.h>

static void emit_argument(FILE *f, const struct type *t) {
    switch (t->kind) {
    case TYPE_BOOL: fprintf(f, "{INV_ARGUMENT_INTEGER, 1}, "); break;
    case TYPE_ENUM: fprintf(f, "{INV_ARGUMENT_ENUM, %u}, ", t->bytes * 8); break;
    case TYPE_FLAGS: fprintf(f, "{INV_ARGUMENT_FLAGS, 0x%llx}, ", (unsigned long long)t->declaration->value); break;
    case TYPE_HANDLE:
        fprintf(f, "{INV_ARGUMENT_HANDLE, %llu}, ", t->declaration ? (unsigned long long)t->declaration->value : 0);
        break;
    case TYPE_RAWHANDLE: fprintf(f, "{INV_ARGUMENT_HANDLE, 0}, "); break;
    case TYPE_IN:
    case TYPE_OUT:
        fprintf(f, "{INV_ARGUMENT_%s, 0}, {INV_ARGUMENT_SIZE, 0x%llx}, ", t->kind == TYPE_IN ? "IN" : "OUT",
                (unsigned long long)t->bound);
        break;
    default: fprintf(f, "{INV_ARGUMENT_INTEGER, %u}, ", t->bytes * 8); break;
    }
}

static void allow(uint64_t mask[2], const char *name) {
    int number = 0;
    const char *text;
    if (status_find(name, &number, &text) && -number < 128)
        mask[-number / 64] |= UINT64_C(1) << (-number % 64);
}

// What the generated entry gives by itself, and what is declared.
static void allowed_errors(const struct call *c, uint64_t mask[2]) {
    for (const struct field *p = c->parameters; p; p = p->next) {
        const struct type *t = p->type;
        bool narrow = t->kind <= TYPE_FLAGS && !(t->kind == TYPE_INTEGER && t->bytes == 8);
        if (t->kind == TYPE_HANDLE || t->kind == TYPE_RAWHANDLE)
            allow(mask, "BAD_HANDLE");
        if (t->kind == TYPE_HANDLE && t->name)
            allow(mask, "WRONG_TYPE");
        if (t->rights)
            allow(mask, "ACCESS");
        if (narrow)
            allow(mask, "INVALID");
        if (t->kind == TYPE_IN || t->kind == TYPE_OUT)
            allow(mask, "RANGE");
    }
    for (const struct name *e = c->errors; e; e = e->next)
        allow(mask, e->text);
}

static void emit_row(FILE *f, const struct call *c) {
    uint64_t mask[2] = {1, 0};
    unsigned handles = 0, results = 0;
    allowed_errors(c, mask);
    for (const struct field *r = c->results; r; r = r->next, results++) {
        if (r->type->kind == TYPE_HANDLE || r->type->kind == TYPE_RAWHANDLE)
            handles |= 1u << results;
    }
    fprintf(f, "    {\"%s\", 0x%x, %u, 0x%x, {0x%llx, 0x%llx}, {", c->name, c->number, results, handles,
            (unsigned long long)mask[0], (unsigned long long)mask[1]);
    for (const struct field *p = c->parameters; p; p = p->next)
        emit_argument(f, p->type);
    fprintf(f, "}},\n");
}

bool emit_table(struct idl *idl, const char *folder) {
    struct library *l;
    struct declaration *d = find_syscalls(idl, &l);
    struct output o;
    (void)idl;
    if (!d)
        return true;
    if (!output_open(&o, folder, "include/invar/call_table.h"))
        return false;
    emit_head(o.file, l->file, "\nThe ordinary native calls as data, for testers and tracers.");
    fprintf(o.file, "#ifndef INVAR_CALL_TABLE_H\n#define INVAR_CALL_TABLE_H\n\n#include <stdint.h>\n\n"
                    "enum inv_argument_kind { // and what detail says\n"
                    "    INV_ARGUMENT_NONE,\n    INV_ARGUMENT_INTEGER, // bits\n    INV_ARGUMENT_ENUM,    // bits\n    "
                    "INV_ARGUMENT_FLAGS,   // all of them\n"
                    "    INV_ARGUMENT_HANDLE,  // the number of the object's type; 0: any\n    INV_ARGUMENT_IN,      "
                    "// an address; a SIZE follows\n    INV_ARGUMENT_OUT,     // the same\n"
                    "    INV_ARGUMENT_SIZE,    // the bound\n};\n\n"
                    "struct inv_call_entry {\n    const char *name;\n    uint32_t number, results;\n    uint32_t "
                    "handle_results; // bit n: result n is a handle\n"
                    "    uint64_t statuses[2];    // bit n: may give the status -n\n    struct {\n        enum "
                    "inv_argument_kind kind;\n        uint64_t detail;\n    } arguments[6];\n};\n\n"
                    "static const struct inv_call_entry inv_call_table[] = {\n");
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind == CALL_ORDINARY)
            emit_row(o.file, c);
    }
    fprintf(o.file, "};\n#define INV_CALL_TABLE_SIZE (sizeof(inv_call_table) / sizeof(inv_call_table[0]))\n\n#endif\n");
    return output_close(&o);
}
