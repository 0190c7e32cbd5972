// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// invar/calls.h: the numbers of the native calls, and one small function for each ordinary one over inv_syscallN (invar/syscall.h), which knows the
// registers.
#include "emit.h"

static void emit_parameter(FILE *f, const struct field *p) {
    switch (p->type->kind) {
    case TYPE_IN: fprintf(f, "const void *%s, size_t %s_size", p->name, p->name); break;
    case TYPE_OUT: fprintf(f, "void *%s, size_t %s_size", p->name, p->name); break;
    default: fprintf(f, "%s %s", c_type(p->type), p->name); break;
    }
}

static void emit_prototype(FILE *f, const struct call *c) {
    bool first = true;
    fprintf(f, "static inline inv_status_t inv_%s(", c->name);
    for (const struct field *p = c->parameters; p; p = p->next, first = false) {
        fprintf(f, "%s", first ? "" : ", ");
        emit_parameter(f, p);
    }
    for (const struct field *r = c->results; r; r = r->next, first = false)
        fprintf(f, "%s%s *out_%s", first ? "" : ", ", c_type(r->type), r->name);
    fprintf(f, "%s) {\n", first ? "void" : "");
}

static void emit_argument(FILE *f, const struct field *p) {
    switch (p->type->kind) {
    case TYPE_IN:
    case TYPE_OUT: fprintf(f, ", (uintptr_t)%s, %s_size", p->name, p->name); break;
    case TYPE_INTEGER:
    case TYPE_STATUS: fprintf(f, p->type->is_signed ? ", (uint64_t)(int64_t)%s" : ", %s", p->name); break;
    default: fprintf(f, ", %s", p->name); break;
    }
}

static unsigned register_count(const struct call *c) {
    unsigned n = 0;
    for (const struct field *p = c->parameters; p; p = p->next)
        n += p->type->kind == TYPE_IN || p->type->kind == TYPE_OUT ? 2 : 1;
    return n;
}

static void emit_stub(FILE *f, const struct call *c) {
    unsigned i = 0;
    emit_comment(f, "", c->documentation);
    emit_prototype(f, c);
    fprintf(f, "    struct inv_result result = inv_syscall%u(INV_SYS_%s", register_count(c), c->name);
    for (const struct field *p = c->parameters; p; p = p->next)
        emit_argument(f, p);
    fprintf(f, ");\n");
    for (const struct field *r = c->results; r; r = r->next, i++)
        fprintf(f, "    *out_%s = (%s)result.values[%u];\n", r->name, c_type(r->type), i);
    fprintf(f, "    return result.status;\n}\n\n");
}

bool emit_stubs(struct idl *idl, const char *folder) {
    struct library *l;
    struct declaration *d = find_syscalls(idl, &l);
    struct output o;
    if (!d)
        return true;
    if (!output_open(&o, folder, "include/invar/calls.h"))
        return false;
    emit_head(o.file, l->file,
              "\nThe native calls. Each returns INV_OK or a negative status; what out_ leads to is written in any "
              "case, with zero on an error.");
    fprintf(o.file,
            "#ifndef INVAR_CALLS_H\n#define INVAR_CALLS_H\n\n#include <invar/%s.h>\n#include <invar/syscall.h>\n\n",
            l->name);
    for (const struct call *c = d->calls; c; c = c->next)
        fprintf(o.file, "#define INV_SYS_%s 0x%x%s\n", c->name, c->number,
                c->kind == CALL_RESERVED ? " // not there yet" : "");
    fprintf(o.file, "\n");
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind == CALL_ORDINARY)
            emit_stub(o.file, c);
    }
    fprintf(o.file, "#endif\n");
    return output_close(&o);
}
