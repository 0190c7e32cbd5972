// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Checks of system calls and operations: what may be passed, how much of it, and the order of errors, which is that of the checks everywhere: bad handle,
// wrong type, missing right, bad argument, wrong state, no memory.
#include "check.h"

#include <string.h>

// --- errors ---------------------------------------------------------------------------------------------------------------

enum error_class error_class(const char *name) {
    static const struct {
        const char *name;
        enum error_class class;
    } classes[] = {
        {"BAD_HANDLE", ERROR_CLASS_HANDLE},      {"WRONG_TYPE", ERROR_CLASS_TYPE},  {"ACCESS", ERROR_CLASS_RIGHTS},
        {"NOT_PERMITTED", ERROR_CLASS_RIGHTS},   {"INVALID", ERROR_CLASS_ARGUMENT}, {"RANGE", ERROR_CLASS_ARGUMENT},
        {"OVERFLOW", ERROR_CLASS_ARGUMENT},      {"DOMAIN", ERROR_CLASS_ARGUMENT},  {"TOO_BIG", ERROR_CLASS_ARGUMENT},
        {"NAME_TOO_LONG", ERROR_CLASS_ARGUMENT}, {"NO_MEMORY", ERROR_CLASS_MEMORY}, {"QUOTA", ERROR_CLASS_MEMORY},
    };
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strcmp(classes[i].name, name) == 0)
            return classes[i].class;
    }
    return ERROR_CLASS_STATE;
}

static void check_errors(struct idl *idl, struct call *c) {
    enum error_class class = ERROR_CLASS_HANDLE;
    for (struct name *e = c->errors; e; e = e->next) {
        int number;
        const char *text;
        if (!status_find(e->text, &number, &text)) {
            idl_error(idl, e->at, "%s is not a status, expected a name of invar/status.h without INV_ERR_", e->text);
            continue;
        }
        for (struct name *o = c->errors; o != e; o = o->next) {
            if (strcmp(o->text, e->text) == 0)
                idl_error(idl, e->at, "%s is named twice", e->text);
        }
        if (strcmp(e->text, "FAULT") == 0)
            continue; // found when memory is touched, whenever that is
        if (error_class(e->text) < class)
            idl_error(idl, e->at,
                      "%s is checked earlier, expected the order: bad handle, wrong type, missing right, bad argument, "
                      "wrong state, no memory",
                      e->text);
        class = error_class(e->text) > class ? error_class(e->text) : class;
    }
}

// --- system calls -----------------------------------------------------------------------------------------------------------

static unsigned argument_registers(const struct type *t) {
    return t->kind == TYPE_IN || t->kind == TYPE_OUT ? 2 : 1;
}

static bool is_scalar(const struct type *t) {
    return t->kind <= TYPE_FLAGS;
}

static void check_syscall(struct idl *idl, struct declaration *d, struct call *c) {
    unsigned registers = 0, results = 0;
    for (struct field *f = c->parameters; f; f = f->next) {
        check_type(idl, d->library, f->type);
        bool good = is_scalar(f->type) || f->type->kind == TYPE_HANDLE || f->type->kind == TYPE_RAWHANDLE ||
                    argument_registers(f->type) == 2;
        if (!good)
            idl_error(idl, f->type->at,
                      "%s: this type does not go in a register, expected a scalar, a handle, in or out", f->name);
        registers += argument_registers(f->type);
    }
    for (struct field *f = c->results; f; f = f->next, results++) {
        check_type(idl, d->library, f->type);
        bool good = is_scalar(f->type) || f->type->kind == TYPE_HANDLE || f->type->kind == TYPE_RAWHANDLE;
        if (!good)
            idl_error(idl, f->type->at, "%s: this type does not go in a register, expected a scalar or a handle",
                      f->name);
        if (f->type->rights)
            idl_error(idl, f->type->at, "%s: a handle that is made has the rights of its type", f->name);
    }
    if (c->kind == CALL_SPECIAL)
        return; // has registers of its own
    if (registers > ARGUMENTS_MAX)
        idl_error(idl, c->at, "%s takes %u registers, expected at most %d", c->name, registers, ARGUMENTS_MAX);
    if (results > RESULTS_MAX)
        idl_error(idl, c->at, "%s has %u results, expected at most %d", c->name, results, RESULTS_MAX);
}

// --- operations of an interface -----------------------------------------------------------------------------------------------

// Names that the generated code of every operation uses.
static void check_operation_name(struct idl *idl, struct position at, const char *name) {
    static const char *const taken[] = {"connection", "deadline", "server",   "context", "parcel",
                                        "reader",     "writer",   "describe", "n",       "i"};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(name, taken[i]) == 0)
            idl_error(idl, at, "%s is a name in the generated code of operations, expected another one", name);
    }
}

static void check_operation_field(struct idl *idl, struct call *c, struct field *f, unsigned *handles) {
    switch (f->type->kind) {
    case TYPE_IN:
    case TYPE_OUT: idl_error(idl, f->type->at, "%s: user memory goes with system calls alone", f->name); break;
    case TYPE_RAWHANDLE:
        idl_error(idl, f->type->at, "%s: the number of a handle means nothing to the other side, expected handle",
                  f->name);
        break;
    case TYPE_PAGES:
        if (c->kind != CALL_SUBMIT)
            idl_error(idl, f->type->at, "%s: pages go with submit alone", f->name);
        break;
    case TYPE_HANDLE: *handles += 1; break;
    case TYPE_ARRAY:
        if (f->type->element->kind == TYPE_HANDLE)
            *handles += (unsigned)f->type->bound;
        break;
    default: break;
    }
}

// The bytes that a field takes at most, with what it takes for alignment.
static uint64_t message_bytes(const struct type *t) {
    switch (t->kind) {
    case TYPE_STRING: return 8 + ((t->bound + 7) & ~UINT64_C(7));
    case TYPE_ARRAY:
        return t->element->kind == TYPE_HANDLE ? 8 : 8 + ((t->bound * t->element->bytes + 7) & ~UINT64_C(7));
    case TYPE_HANDLE:
    case TYPE_PAGES: return 0;
    default: return ((uint64_t)t->bytes + 7) & ~UINT64_C(7);
    }
}

static void check_direction(struct idl *idl, struct declaration *d, struct call *c, struct field *fields) {
    unsigned handles = 0;
    uint64_t bytes = 0;
    for (struct field *f = fields; f; f = f->next) {
        check_type(idl, d->library, f->type);
        check_operation_name(idl, f->at, f->name);
        check_operation_field(idl, c, f, &handles);
        bytes += message_bytes(f->type);
    }
    if (handles > HANDLES_MAX)
        idl_error(idl, c->at, "%s: up to %u handles one way, expected at most %d", c->name, handles, HANDLES_MAX);
    if (bytes > MESSAGE_BYTES_MAX)
        idl_error(idl, c->at, "%s: up to %llu bytes one way, expected at most %u", c->name, (unsigned long long)bytes,
                  MESSAGE_BYTES_MAX);
}

// --- all -----------------------------------------------------------------------------------------------------------------------

void check_calls(struct idl *idl, struct declaration *d) {
    unsigned number = d->kind == DECLARE_SYSCALLS ? NATIVE_BASE : 0;
    bool ordinary = false;
    for (struct call *c = d->calls; c; c = c->next) {
        c->number = number++;
        ordinary |= c->kind == CALL_ORDINARY;
        if (c->kind == CALL_SPECIAL && ordinary)
            idl_error(idl, c->at, "special call %s stands behind ordinary ones, expected it before them", c->name);
        for (struct call *o = d->calls; o != c; o = o->next) {
            if (strcmp(o->name, c->name) == 0)
                idl_error(idl, c->at, "there are two calls %s", c->name);
        }
        if (c->kind == CALL_RESERVED)
            continue;
        check_parameter_names(idl, c);
        check_errors(idl, c);
        if (d->kind == DECLARE_SYSCALLS) {
            check_syscall(idl, d, c);
        } else {
            check_operation_name(idl, c->at, c->name);
            check_direction(idl, d, c, c->parameters);
            check_direction(idl, d, c, c->results);
        }
    }
}
