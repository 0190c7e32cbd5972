// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Writing what is made. Every file begins with a head that names its source; comments carry the documentation of the declarations.
#ifndef IDLC_EMIT_H
#define IDLC_EMIT_H

#include "idlc.h"

// A file in the making: it stands under its name only when it is complete, and is left alone if that held the same already (output_close).
struct output {
    FILE *file;
    char path[512], made[544];
};
bool output_open(struct output *o, const char *folder, const char *name);
bool output_close(struct output *o);

// Licence head, purpose, and the source, as C comment.
void emit_head(FILE *f, const char *source, const char *purpose);
// Documentation as // lines; nothing for NULL.
void emit_comment(FILE *f, const char *indent, const char *text);
// Into a buffer that stays valid for a few calls: in upper case; the C type of a parameter or field; the first sentence of a documentation.
const char *upper(const char *name);
const char *c_type(const struct type *t);
const char *first_sentence(const char *documentation);
// One call as it is declared: "vmo_create(job: handle<job, MANAGE>, size: u64) -> (vmo: handle<vmo>)"; a type as it is declared.
void emit_signature(FILE *f, const struct call *c);
void emit_type_name(FILE *f, const struct type *t);
// The prefix of the constants of an enum ("INV_CLOCK") or of flags ("INV_RIGHT" of rights).
const char *member_prefix(const struct declaration *d);
// The mask of rights in words of C.
void emit_rights(FILE *f, const struct type *t);

struct declaration *find_syscalls(const struct idl *idl, struct library **out_library);

bool emit_headers(struct idl *idl, const char *folder); // include/invar/LIBRARY.h
bool emit_stubs(struct idl *idl, const char *folder);   // include/invar/calls.h
bool emit_table(struct idl *idl, const char *folder);   // include/invar/call_table.h
bool emit_manual(struct idl *idl, const char *folder);  // man/man2/inv_CALL.2
bool emit_kernel(struct idl *idl, const char *folder);  // include/kernel/native_calls.h, kernel/native_entries.inc

#endif
