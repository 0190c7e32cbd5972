// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The kernel's own mappings made at run time, in whole pages, each with an unmapped guard page on both sides (kernel/vm/kspace.c): thread stacks, device registers.
#ifndef KERNEL_KSPACE_H
#define KERNEL_KSPACE_H

#include <arch/mmu.h>
#include <kernel/page.h>

struct job;
// Fresh memory, read-write, not executable, accounted as state. NULL: no memory. May sleep.
void *kspace_alloc(size_t size, enum page_state state, struct job *job);
void kspace_free(void *p);
// Device registers or firmware tables at any physical address. NULL: no memory. flags: MMU_READ | MMU_WRITE | MMU_UNCACHED ...
void *kspace_map_physical(paddr_t pa, size_t size, unsigned flags);
void kspace_unmap_physical(void *p);
// A kernel stack of KERNEL_STACK_SIZE with guard pages; cached per processor, so cheap. Returns its lowest address.
void *kstack_alloc(struct job *job);
void kstack_free(void *stack);
// Gives back all but a few of the free stacks that are kept mapped. May sleep: for the reaper, after many threads have ended.
void kstack_cache_trim(void);
// True if va lies in a guard page of a kernel stack (for the double-fault message).
bool kspace_is_guard(vaddr_t va);

#endif
