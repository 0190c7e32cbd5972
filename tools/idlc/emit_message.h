// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How fields of operations look in C and in a message: for client, server and generator alike (emit_message.c).
#ifndef IDLC_EMIT_MESSAGE_H
#define IDLC_EMIT_MESSAGE_H

#include "emit.h"

// The type of the innermost elements of a type: "uint8_t" of bool[4][2]; and how many there are.
const char *element_type(const struct type *t);
unsigned long long element_count(const struct type *t);

// "uint32_t value", "const char *text, size_t text_length": a parameter. With out: "uint32_t *out_value", "char *out_text, size_t *out_text_length".
void emit_parameter_of(FILE *f, const struct field *p, bool out);
// All of a list with ", " before each.
void emit_parameters_of(FILE *f, const struct field *fields, bool out);
// A variable that holds it: "    char text[11] = {0};\n    size_t text_length = 0;\n", named with prefix.
void emit_local(FILE *f, const struct field *p, const char *prefix);
// As argument of a function with such parameters, from such variables.
void emit_argument_of(FILE *f, const struct field *p, const char *prefix, bool out);
// Statements that write a field to "writer" or read it from "reader". The name is prefix and the field's; pointer: it is a pointer to the value
// (out-parameter), else the value itself. Parameters of structures are pointers in any case: then by_pointer is true.
void emit_put(FILE *f, const struct field *p, const char *prefix, bool by_pointer);
void emit_get(FILE *f, const struct field *p, const char *prefix, bool pointer);

bool is_handles(const struct type *t); // a handle, or an array of them

bool emit_interfaces(struct idl *idl, const char *folder);
bool emit_generators(struct idl *idl, const char *folder);

#endif
