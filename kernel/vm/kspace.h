// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What kstack.c needs of kspace.c. Private to kernel/vm.
#ifndef VM_KSPACE_H
#define VM_KSPACE_H

#include <kernel/kspace.h>

// Frees what pages were unmapped and wait for a flush everywhere, now. May sleep. Returns the number of pages freed.
size_t kspace_flush(void);
// Frees cached stacks down to keep. May sleep.
void kstack_trim(unsigned keep);

#endif
