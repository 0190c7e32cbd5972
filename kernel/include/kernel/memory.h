// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Memory by owner (kernel/vm/owners.c): every page of the machine's RAM belongs to exactly one owner, and all owners together are the total. docs/memory-accounting.md
// says what each of them is.
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include <kernel/types.h>

// Calls fn for each line of the table, in order: first the owners, then "free", then "total", which is the sum of all before it; then parts of
// owners, named OWNER.PART, which are NOT in the sum: the slab caches that hold most ("slab.NAME"), largest first. Values are KiB. The owners are read
// one after the other while others allocate; free is what they leave of the total. Thread context.
void memory_for_each_owner(void (*fn)(const char *owner, uint64_t kib, void *arg), void *arg);

#endif
