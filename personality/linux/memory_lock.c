// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// mlock and its kin. Memory is never paged out, so a lock faults pages in, is accounted, and forbids that they are given back by advice. Context: system call.
#include "memory.h"
#include "process.h"

static struct aspace *here(void) {
    return current_process()->aspace;
}

bool linux_may_lock_memory(void) {
    return linux_limit(LINUX_RLIMIT_MEMLOCK) != 0 || token_capable(linux_token(), CAP_IPC_LOCK);
}

// How much of [start, end) is locked already.
static uint64_t locked_in(vaddr_t start, vaddr_t end) {
    struct mapping_info m;
    uint64_t sum = 0;
    while (start < end && aspace_describe(here(), start, &m)) {
        mapping_info_put(&m);
        if (m.start < end && (m.flags & MAPPING_LOCKED))
            sum += MIN(m.end, end) - MAX(m.start, start);
        start = m.end;
    }
    return sum;
}

static bool limit_allows(uint64_t start, uint64_t length) {
    uint64_t limit = linux_limit(LINUX_RLIMIT_MEMLOCK), locked = here()->locked_bytes;
    if (token_capable(linux_token(), CAP_IPC_LOCK) || (length <= limit && locked <= limit - length))
        return true;
    return linux_range_is_user(start, length) && length <= limit &&
           locked - locked_in(start, start + length) <= limit - length;
}

// What a page that cannot be had means to mlock.
static int64_t populate_result(inv_status_t s) {
    switch (s) {
    case INV_OK: return 0;
    case INV_ERR_FAULT:
    case INV_ERR_RANGE: return -LINUX_ENOMEM;
    case INV_ERR_NO_MEMORY:
    case INV_ERR_QUOTA: return -LINUX_EAGAIN;
    default: return linux_result(s);
    }
}

#define LOCK_FLAGS (MAPPING_LOCKED | MAPPING_LOCK_ONFAULT)

static int64_t lock_range(uint64_t start, uint64_t length, unsigned flags) {
    if (!linux_may_lock_memory())
        return -LINUX_EPERM;
    length = ALIGN_UP(length + (start & ~PAGE_MASK), PAGE_SIZE);
    start = ALIGN_DOWN(start, PAGE_SIZE);
    if (!limit_allows(start, length))
        return -LINUX_ENOMEM;
    if (start + length < start)
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    if (!linux_range_is_user(start, length))
        return -LINUX_ENOMEM;
    int64_t result = linux_result(aspace_change_flags(here(), start, length, LOCK_FLAGS & ~flags, flags));
    if (result == 0 && !(flags & MAPPING_LOCK_ONFAULT))
        result = populate_result(aspace_populate(here(), start, length, POPULATE_LOCK));
    return result;
}

int64_t linux_mlock(struct arch_frame *f) {
    return lock_range(LINUX_ARG(f, 0), LINUX_ARG(f, 1), MAPPING_LOCKED);
}

#define MLOCK_ONFAULT 1u

int64_t linux_mlock2(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 2);
    if (flags & ~MLOCK_ONFAULT)
        return -LINUX_EINVAL;
    return lock_range(LINUX_ARG(f, 0), LINUX_ARG(f, 1), MAPPING_LOCKED | (flags != 0 ? MAPPING_LOCK_ONFAULT : 0));
}

int64_t linux_munlock(struct arch_frame *f) {
    uint64_t start = LINUX_ARG(f, 0), length = ALIGN_UP(LINUX_ARG(f, 1) + (start & ~PAGE_MASK), PAGE_SIZE);
    start = ALIGN_DOWN(start, PAGE_SIZE);
    if (start + length < start)
        return -LINUX_EINVAL;
    if (length == 0)
        return 0;
    if (!linux_range_is_user(start, length))
        return -LINUX_ENOMEM;
    return linux_result(aspace_change_flags(here(), start, length, LOCK_FLAGS, 0));
}

// All that is mapped: flags given and taken, holes left out; then faulted in if they say so.
static void change_all(unsigned flags) {
    struct mapping_info m;
    for (vaddr_t at = 0; at < ARCH_USER_END && aspace_describe(here(), at, &m); at = m.end) {
        mapping_info_put(&m);
        (void)!aspace_change_flags(here(), m.start, m.end - m.start, LOCK_FLAGS & ~flags, flags);
        if ((flags & LOCK_FLAGS) == MAPPING_LOCKED)
            (void)!aspace_populate(here(), m.start, m.end - m.start, POPULATE_LOCK);
        if (thread_killed(current_thread()))
            break;
    }
}

static void future_set(unsigned flags) {
    mutex_lock(&here()->lock);
    here()->lock_future = flags;
    mutex_unlock(&here()->lock);
}

enum { MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4 };

int64_t linux_mlockall(struct arch_frame *f) {
    unsigned flags = (unsigned)LINUX_ARG(f, 0),
             lock = MAPPING_LOCKED | (flags & MCL_ONFAULT ? MAPPING_LOCK_ONFAULT : 0);
    if (flags == 0 || (flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
        return -LINUX_EINVAL;
    if (!linux_may_lock_memory())
        return -LINUX_EPERM;
    if ((flags & MCL_CURRENT) && here()->mapped_bytes > linux_limit(LINUX_RLIMIT_MEMLOCK) &&
        !token_capable(linux_token(), CAP_IPC_LOCK))
        return -LINUX_ENOMEM;
    future_set(flags & MCL_FUTURE ? lock : 0);
    if (flags & MCL_CURRENT)
        change_all(lock);
    return 0;
}

int64_t linux_munlockall(struct arch_frame *f) {
    future_set(0);
    change_all(0);
    return 0;
}
