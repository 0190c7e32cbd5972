// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files of memory calls share.
#ifndef LINUX_MEMORY_H
#define LINUX_MEMORY_H

#include "calls.h"

#define CAP_IPC_LOCK 14

// May the current process lock any memory at all (RLIMIT_MEMLOCK, CAP_IPC_LOCK)? memory_lock.c
bool linux_may_lock_memory(void);
// Page range [start, start + length) of a call; false: it ends beyond user memory.
static inline bool linux_range_is_user(uint64_t start, uint64_t length) {
    return start <= ARCH_USER_END && length <= ARCH_USER_END - start;
}

#endif
