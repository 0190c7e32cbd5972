// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The checker's two files to each other: declarations (check.c) and calls (check_calls.c).
#ifndef IDLC_CHECK_H
#define IDLC_CHECK_H

#include "idlc.h"

struct declaration *declaration_find(struct idl *idl, const struct library *library, const char *name);
void check_type(struct idl *idl, struct library *library, struct type *t);
void check_parameter_names(struct idl *idl, struct call *c);
void check_calls(struct idl *idl, struct declaration *d); // of syscalls or an interface

#endif
