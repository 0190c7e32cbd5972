// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The ABI header of a library: constants, enums, flags, structures with their layout asserted, numbers of object types. Kernel and programs include it.
#include "emit.h"

#include <string.h>

static const char *suffix(const struct type *t) {
    return t->bytes == 8 ? (t->is_signed ? "ll" : "ull") : (t->is_signed ? "" : "u");
}

static void emit_const(FILE *f, const struct declaration *d) {
    emit_comment(f, "", d->documentation);
    fprintf(f, d->value > UINT16_MAX ? "#define INV_%s 0x%llx%s\n\n" : "#define INV_%s %llu%s\n\n", d->name,
            (unsigned long long)d->value, suffix(d->type));
}

static unsigned longest_member(const struct declaration *d) {
    size_t longest = 0;
    for (const struct member *m = d->members; m; m = m->next)
        longest = strlen(m->name) > longest ? strlen(m->name) : longest;
    return (unsigned)longest;
}

// The first sentence stands beside the value, more of it above.
static void emit_member(FILE *f, const struct declaration *d, const struct member *m, unsigned width) {
    bool beside = m->documentation && !strchr(m->documentation, '\n');
    if (!beside)
        emit_comment(f, "", m->documentation);
    fprintf(f, "#define %s_%-*s ", member_prefix(d), beside ? (int)width : (int)width, m->name);
    if (d->kind == DECLARE_FLAGS)
        fprintf(f, "(1%s << %d)", suffix(d->type), __builtin_ctzll(m->value));
    else
        fprintf(f, "%llu%s", (unsigned long long)m->value, suffix(d->type));
    fprintf(f, "%s%s\n", beside ? " // " : "", beside ? m->documentation : "");
}

// Whether a number is one of the values: asked on both sides of a call and of a message.
static void emit_is_valid(FILE *f, const struct declaration *d) {
    bool dense = true;
    uint64_t next = 0;
    for (const struct member *m = d->members; m; m = m->next)
        dense &= m->value == next++;
    fprintf(f, "static inline bool inv_%s_is_valid(uint64_t value) {\n", d->name);
    if (d->kind == DECLARE_FLAGS) {
        fprintf(f, "    return (value & ~(uint64_t)INV_%s_ALL) == 0;\n", upper(d->name));
    } else if (dense) {
        fprintf(f, "    return value < %llu;\n", (unsigned long long)next);
    } else {
        fprintf(f, "    switch (value) {\n");
        for (const struct member *m = d->members; m; m = m->next)
            fprintf(f, "    case %s_%s:\n", member_prefix(d), m->name);
        fprintf(f, "        return true;\n    default: return false;\n    }\n");
    }
    fprintf(f, "}\n\n");
}

static void emit_members(FILE *f, const struct declaration *d) {
    emit_comment(f, "", d->documentation);
    fprintf(f, "typedef %s inv_%s_t;\n", c_type(d->type), d->name);
    for (const struct member *m = d->members; m; m = m->next)
        emit_member(f, d, m, longest_member(d));
    if (d->kind == DECLARE_FLAGS)
        fprintf(f, "#define INV_%s_ALL 0x%llx%s\n", upper(d->name), (unsigned long long)d->value, suffix(d->type));
    emit_is_valid(f, d);
}

static void emit_dimensions(FILE *f, const struct type *t) {
    for (; t->kind == TYPE_FIXED; t = t->element)
        fprintf(f, "[%llu]", (unsigned long long)t->bound);
}

// A bool in memory is a byte: what another program wrote may be neither 0 nor 1.
static const char *field_type(const struct type *t) {
    while (t->kind == TYPE_FIXED)
        t = t->element;
    return t->kind == TYPE_BOOL ? "uint8_t" : c_type(t);
}

static void emit_field_check(FILE *f, const struct field *x) {
    const struct type *t = x->type;
    unsigned depth = 0;
    while (t->kind == TYPE_FIXED)
        t = t->element;
    if (t->kind != TYPE_BOOL && t->kind != TYPE_ENUM && t->kind != TYPE_FLAGS && t->kind != TYPE_STRUCT)
        return;
    for (const struct type *a = x->type; a->kind == TYPE_FIXED; a = a->element, depth++)
        fprintf(f, "    for (unsigned i%u = 0; i%u < %llu; i%u++)\n    ", depth, depth, (unsigned long long)a->bound,
                depth);
    if (t->kind == TYPE_BOOL)
        fprintf(f, "    good &= s->%s", x->name);
    else
        fprintf(f, "    good &= inv_%s_is_valid(%ss->%s", t->declaration->name, t->kind == TYPE_STRUCT ? "&" : "",
                x->name);
    for (unsigned i = 0; i < depth; i++)
        fprintf(f, "[i%u]", i);
    fprintf(f, "%s;\n", t->kind == TYPE_BOOL ? " <= 1" : ")");
}

// Whether all that is not a plain number is one of its values.
static void emit_struct_is_valid(FILE *f, const struct declaration *d) {
    fprintf(f, "static inline bool inv_%s_is_valid(const struct inv_%s *s) {\n    bool good = s != NULL;\n", d->name,
            d->name);
    for (const struct field *x = d->fields; x; x = x->next)
        emit_field_check(f, x);
    fprintf(f, "    return good;\n}\n\n");
}

static void emit_struct(FILE *f, const struct declaration *d) {
    emit_comment(f, "", d->documentation);
    fprintf(f, "struct inv_%s {\n", d->name);
    for (const struct field *x = d->fields; x; x = x->next) {
        emit_comment(f, "    ", x->documentation);
        fprintf(f, "    %s %s", field_type(x->type), x->name);
        emit_dimensions(f, x->type);
        fprintf(f, ";\n");
    }
    fprintf(f, "};\n_Static_assert(sizeof(struct inv_%s) == %u, \"layout\");\n", d->name, d->type->bytes);
    for (const struct field *x = d->fields; x; x = x->next)
        fprintf(f, "_Static_assert(offsetof(struct inv_%s, %s) == %u, \"layout\");\n", d->name, x->name, x->offset);
    emit_struct_is_valid(f, d);
}

static void emit_object(FILE *f, const struct declaration *d) {
    emit_comment(f, "", d->documentation);
    fprintf(f, "#define INV_OBJECT_%s %llu\n\n", upper(d->name), (unsigned long long)d->value);
}

static bool emit_header(struct idl *idl, struct library *l, const char *folder) {
    struct output o;
    if (!output_open(&o, folder, idl_format(idl, "include/invar/%s.h", l->name)))
        return false;
    emit_head(o.file, l->file, idl_format(idl, "\n%s", l->documentation ? l->documentation : "Types and constants."));
    fprintf(o.file, "#ifndef INVAR_%s_H\n#define INVAR_%s_H\n\n", upper(l->name), upper(l->name));
    for (const struct name *use = l->uses; use; use = use->next)
        fprintf(o.file, "#include <invar/%s.h>\n", use->text);
    fprintf(o.file, "#include <invar/handle.h>\n#include <invar/status.h>\n#include <stdbool.h>\n#include "
                    "<stddef.h>\n#include <stdint.h>\n\n");
    for (const struct declaration *d = l->declarations; d; d = d->next) {
        switch (d->kind) {
        case DECLARE_CONST: emit_const(o.file, d); break;
        case DECLARE_ENUM:
        case DECLARE_FLAGS: emit_members(o.file, d); break;
        case DECLARE_STRUCT: emit_struct(o.file, d); break;
        case DECLARE_OBJECT: emit_object(o.file, d); break;
        case DECLARE_SYSCALLS:
        case DECLARE_INTERFACE: break;
        }
    }
    fprintf(o.file, "#endif\n");
    return output_close(&o);
}

bool emit_headers(struct idl *idl, const char *folder) {
    bool good = true;
    for (struct library *l = idl->libraries; l; l = l->next)
        good &= emit_header(idl, l, folder);
    return good;
}
