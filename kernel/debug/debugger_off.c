// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// In place of debugger.c in kernels without a debugger: nothing ever enters it.

#include <kernel/debug.h>

bool debugger_wants_key(void) {
    return false;
}

bool debugger_active(void) {
    return false;
}

void debugger_enter(struct arch_frame *frame, const char *reason) {
    (void)frame;
    (void)reason;
}

bool debugger_nmi(struct arch_frame *frame) {
    (void)frame;
    return false;
}
