// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// A handle: a number that means an object, with rights, to one process alone. 0 is none.
#ifndef INVAR_HANDLE_H
#define INVAR_HANDLE_H

#include <stdint.h>

typedef uint32_t inv_handle_t;

#define INV_HANDLE_INVALID ((inv_handle_t)0)

#endif
