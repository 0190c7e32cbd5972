// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The compatibility check with what was released (abi/idl/released).
#ifndef IDLC_RELEASED_H
#define IDLC_RELEASED_H

#include "emit.h"

// Compares the declarations with the text of the released file; what changed or is missing is reported. Returns how many lines are new.
unsigned released_check(struct idl *idl, const char *file, const char *text);
// Writes the lines that text does not have.
void released_append(struct idl *idl, FILE *f, const char *text);

#endif
