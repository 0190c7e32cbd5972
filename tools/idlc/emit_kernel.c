// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's side of the native calls: prototypes of the implementations (kernel/native_calls.h), and for each a function that takes its arguments out of
// the frame, looks handles up, checks what the types say, and puts the results away (native_entries.inc, included by kernel/syscall/native.c).
#include "emit.h"

#include <string.h>

// --- prototypes --------------------------------------------------------------------------------------------------------------

static void emit_object_type(FILE *f, const struct type *t, const char *stars) {
    fprintf(f, "struct %s %s", t->name ? t->name : "object", stars);
}

static void emit_parameter(FILE *f, const struct field *p) {
    switch (p->type->kind) {
    case TYPE_HANDLE:
        emit_object_type(f, p->type, "*");
        fprintf(f, "%s", p->name);
        break;
    case TYPE_IN: fprintf(f, "const void user_ptr *%s, size_t %s_size", p->name, p->name); break;
    case TYPE_OUT: fprintf(f, "void user_ptr *%s, size_t %s_size", p->name, p->name); break;
    default: fprintf(f, "%s %s", c_type(p->type), p->name); break;
    }
}

static void emit_result(FILE *f, const struct field *r) {
    if (r->type->kind == TYPE_HANDLE)
        emit_object_type(f, r->type, "**");
    else
        fprintf(f, "%s *", c_type(r->type));
    fprintf(f, "out_%s", r->name);
}

static void emit_prototype(FILE *f, const struct call *c) {
    bool first = true;
    emit_comment(f, "", c->documentation);
    fprintf(f, "%s sys_%s(", c->kind == CALL_SPECIAL ? "void" : "must_check inv_status_t", c->name);
    for (const struct field *p = c->parameters; p && c->kind == CALL_ORDINARY; p = p->next, first = false) {
        fprintf(f, "%s", first ? "" : ", ");
        emit_parameter(f, p);
    }
    for (const struct field *r = c->results; r && c->kind == CALL_ORDINARY; r = r->next, first = false) {
        fprintf(f, "%s", first ? "" : ", ");
        emit_result(f, r);
    }
    fprintf(f, "%s);\n\n", c->kind == CALL_SPECIAL ? "struct arch_frame *frame" : first ? "void" : "");
}

static void emit_object_names(FILE *f, const struct idl *idl) {
    fprintf(f, "struct arch_frame;\nstruct object;\n");
    for (const struct library *l = idl->libraries; l; l = l->next) {
        for (const struct declaration *d = l->declarations; d; d = d->next) {
            if (d->kind == DECLARE_OBJECT)
                fprintf(f, "struct %s;\n", d->name);
        }
    }
    fprintf(f, "\n");
}

static bool emit_prototypes(struct idl *idl, const struct library *l, const struct declaration *d, const char *folder) {
    struct output o;
    if (!output_open(&o, folder, "include/kernel/native_calls.h"))
        return false;
    emit_head(o.file, l->file,
              "\nImplementations of the native calls, each in the file of its object. Context: the calling thread, "
              "interrupts on, may sleep. Objects that are\n"
              "passed are counted for the time of the call; an object that is given out through out_ is counted for "
              "the caller, which makes a handle of it.");
    fprintf(o.file,
            "#ifndef KERNEL_NATIVE_CALLS_H\n#define KERNEL_NATIVE_CALLS_H\n\n#include <invar/%s.h>\n#include "
            "<kernel/types.h>\n\n",
            l->name);
    emit_object_names(o.file, idl);
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind != CALL_RESERVED)
            emit_prototype(o.file, c);
    }
    fprintf(o.file, "#endif\n");
    return output_close(&o);
}

// --- entries -----------------------------------------------------------------------------------------------------------------

static unsigned registers_of(const struct type *t) {
    return t->kind == TYPE_IN || t->kind == TYPE_OUT ? 2 : 1;
}

// One step: a condition that must hold, else a status. The first one begins the chain.
static const char *step(bool *first) {
    const char *text = *first ? "    inv_status_t status = " : "    if (status == INV_OK)\n        status = ";
    *first = false;
    return text;
}

static void emit_check(FILE *f, bool *first, const char *status) {
    fprintf(f, " ? INV_OK : %s;\n", status);
    (void)first;
}

// Handles come before all other arguments: so the order of checks is the same everywhere.
static void emit_lookups(FILE *f, const struct call *c, bool *first) {
    unsigned i = 0;
    for (const struct field *p = c->parameters; p; i += registers_of(p->type), p = p->next) {
        if (p->type->kind == TYPE_HANDLE) {
            fprintf(f, "%snative_object(frame, %u, ", step(first), i);
            fprintf(f, p->type->name ? "&%s_type, " : "%s, ", p->type->name ? p->type->name : "NULL");
            emit_rights(f, p->type);
            fprintf(f, ", &%s);\n", p->name);
        } else if (p->type->kind == TYPE_RAWHANDLE) {
            fprintf(f, "%sarch_syscall_arg(frame, %u) <= UINT32_MAX", step(first), i);
            emit_check(f, first, "INV_ERR_BAD_HANDLE");
        }
    }
}

static void emit_argument_check(FILE *f, const struct field *p, unsigned i, bool *first) {
    const struct type *t = p->type;
    switch (t->kind) {
    case TYPE_BOOL: fprintf(f, "%sarch_syscall_arg(frame, %u) <= 1", step(first), i); break;
    case TYPE_ENUM:
    case TYPE_FLAGS: fprintf(f, "%sinv_%s_is_valid(arch_syscall_arg(frame, %u))", step(first), t->name, i); break;
    case TYPE_INTEGER:
    case TYPE_STATUS:
        if (t->bytes == 8)
            return;
        if (t->is_signed)
            fprintf(f, "%s(int64_t)arch_syscall_arg(frame, %u) == (int%u_t)arch_syscall_arg(frame, %u)", step(first), i,
                    t->bytes * 8, i);
        else
            fprintf(f, "%sarch_syscall_arg(frame, %u) <= UINT%u_MAX", step(first), i, t->bytes * 8);
        break;
    case TYPE_IN:
    case TYPE_OUT:
        fprintf(f, "%sarch_syscall_arg(frame, %u) <= %llu", step(first), i + 1, (unsigned long long)t->bound);
        emit_check(f, first, "INV_ERR_RANGE");
        return;
    default: return;
    }
    emit_check(f, first, "INV_ERR_INVALID");
}

static void emit_checks(FILE *f, const struct call *c, bool *first) {
    unsigned i = 0;
    for (const struct field *p = c->parameters; p; i += registers_of(p->type), p = p->next)
        emit_argument_check(f, p, i, first);
}

static void emit_argument(FILE *f, const struct field *p, unsigned i) {
    switch (p->type->kind) {
    case TYPE_HANDLE:
        if (p->type->name)
            fprintf(f, "container_of(%s, struct %s, obj)", p->name, p->type->name);
        else
            fprintf(f, "%s", p->name);
        break;
    case TYPE_IN:
    case TYPE_OUT:
        fprintf(f, "(%svoid user_ptr *)arch_syscall_arg(frame, %u), arch_syscall_arg(frame, %u)",
                p->type->kind == TYPE_IN ? "const " : "", i, i + 1);
        break;
    case TYPE_BOOL: fprintf(f, "arch_syscall_arg(frame, %u) != 0", i); break;
    default: fprintf(f, "(%s)arch_syscall_arg(frame, %u)", c_type(p->type), i); break;
    }
}

static void emit_invocation(FILE *f, const struct call *c, bool *first) {
    unsigned i = 0;
    bool one = true;
    fprintf(f, "%ssys_%s(", step(first), c->name);
    for (const struct field *p = c->parameters; p; i += registers_of(p->type), p = p->next, one = false) {
        fprintf(f, "%s", one ? "" : ", ");
        emit_argument(f, p, i);
    }
    for (const struct field *r = c->results; r; r = r->next, one = false)
        fprintf(f, "%s&made_%s", one ? "" : ", ", r->name);
    fprintf(f, ");\n");
}

static void emit_locals(FILE *f, const struct call *c) {
    for (const struct field *p = c->parameters; p; p = p->next) {
        if (p->type->kind == TYPE_HANDLE)
            fprintf(f, "    struct object *%s = NULL;\n", p->name);
    }
    for (const struct field *r = c->results; r; r = r->next) {
        if (r->type->kind == TYPE_HANDLE)
            fprintf(f, "    struct %s *made_%s = NULL;\n", r->type->name ? r->type->name : "object", r->name);
        else
            fprintf(f, "    %s made_%s = 0;\n", c_type(r->type), r->name);
    }
}

// Plain values first: they cannot fail; native_results_handles gives all handles or none.
static void emit_results(FILE *f, const struct call *c) {
    unsigned i = 0, handles = 0;
    for (const struct field *r = c->results; r; r = r->next, i++) {
        if (r->type->kind == TYPE_HANDLE)
            handles++;
        else
            fprintf(f, "    values[%u] = (uint64_t)%smade_%s;\n", i, r->type->is_signed ? "(int64_t)" : "", r->name);
    }
    i = 0;
    for (const struct field *r = c->results; r; r = r->next, i++) {
        if (r->type->kind != TYPE_HANDLE)
            continue;
        fprintf(f, "    if (made_%s != NULL)\n", r->name);
        fprintf(f, "        status = native_handle_out(status, %smade_%s%s, &values[%u]);\n", r->type->name ? "&" : "",
                r->name, r->type->name ? "->obj" : "", i);
    }
    if (handles > 1) { // one of them failed: those before it go again
        i = 0;
        for (const struct field *r = c->results; r; r = r->next, i++) {
            if (r->type->kind == TYPE_HANDLE)
                fprintf(f, "    native_handle_undo(status, values[%u]);\n", i);
        }
    }
}

static void emit_entry(FILE *f, const struct call *c) {
    bool first = true;
    fprintf(f, "// ");
    emit_signature(f, c);
    fprintf(f, "\nstatic inv_status_t enter_%s(const struct arch_frame *frame, uint64_t values[NATIVE_VALUES]) {\n",
            c->name);
    emit_locals(f, c);
    emit_lookups(f, c, &first);
    emit_checks(f, c, &first);
    emit_invocation(f, c, &first);
    emit_results(f, c);
    for (const struct field *p = c->parameters; p; p = p->next) {
        if (p->type->kind == TYPE_HANDLE)
            fprintf(f, "    native_put(%s);\n", p->name);
    }
    fprintf(f, "    return status;\n}\n\n");
}

static bool emit_entries(const struct library *l, const struct declaration *d, const char *folder) {
    struct output o;
    unsigned special = 0, all = 0;
    bool ordinary = false;
    if (!output_open(&o, folder, "kernel/native_entries.inc"))
        return false;
    emit_head(o.file, l->file,
              "\nEntries of the native calls, by number. An empty place is a number that is kept for later.");
    fprintf(o.file, "\n");
    for (const struct call *c = d->calls; c; c = c->next, all++) {
        ordinary |= c->kind == CALL_ORDINARY;
        special += !ordinary;
        if (c->kind == CALL_ORDINARY)
            emit_entry(o.file, c);
    }
    fprintf(o.file, "#define NATIVE_SPECIAL %u\n#define NATIVE_CALLS %u\n\n", special, all);
    fprintf(o.file, "// The place of each call, by name.\nenum native_place {\n");
    for (const struct call *c = d->calls; c; c = c->next)
        fprintf(o.file, "    NATIVE_PLACE_%s = %u,\n", c->name, c->number - NATIVE_BASE);
    fprintf(o.file, "};\n\n");
    fprintf(o.file, "static const native_special_fn native_special[NATIVE_SPECIAL] = {\n");
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind == CALL_SPECIAL)
            fprintf(o.file, "    [%u] = sys_%s,\n", c->number - NATIVE_BASE, c->name);
    }
    fprintf(o.file, "};\n\nstatic const native_entry_fn native_entries[NATIVE_CALLS - NATIVE_SPECIAL] = {\n");
    for (const struct call *c = d->calls; c; c = c->next) {
        if (c->kind == CALL_ORDINARY)
            fprintf(o.file, "    [%u - NATIVE_SPECIAL] = enter_%s,\n", c->number - NATIVE_BASE, c->name);
    }
    fprintf(o.file, "};\n");
    return output_close(&o);
}

bool emit_kernel(struct idl *idl, const char *folder) {
    struct library *l;
    struct declaration *d = find_syscalls(idl, &l);
    return !d || (emit_prototypes(idl, l, d, folder) && emit_entries(l, d, folder));
}
