// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What the files on futexes share: keys, buckets, waiters. The rules stand at the head of futex.c and futex_pi.c.
#ifndef LINUX_FUTEX_H
#define LINUX_FUTEX_H

#include "process.h"

#include <kernel/cpu.h>

enum {
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_FD,
    FUTEX_REQUEUE,
    FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP,
    FUTEX_LOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_TRYLOCK_PI,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI2
};
#define FUTEX_PRIVATE        128u
#define FUTEX_CLOCK_REALTIME 256u
#define FUTEX_MATCH_ANY      UINT32_MAX
// The word of a lock: its owner's thread number, and two marks.
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu

struct futex_key {
    struct object *object; // VMO, or the address space of a private futex
    uint64_t offset;
};
struct futex_bucket {
    struct spinlock lock;
    struct list_node waiters;  // lock: futex_waiter.node, the most urgent first
    _Atomic uint32_t expected; // threads on the list, and those that are about to compare their word
} aligned_to(ARCH_CACHE_LINE);
struct futex_pi;
struct futex_waiter {
    struct list_node node;
    struct futex_key key;                // bucket lock
    struct futex_bucket *_Atomic bucket; // changes under both buckets' locks (requeue)
    struct thread *thread;
    uint32_t bits;
    uint8_t priority; // its place in the list
    bool woken;       // bucket lock
    /* bucket lock: */
    struct futex_pi *pi;                 // waits for this lock (futex_pi.c); NULL: for a wake-up
    const struct futex_key *requeue_key; // waits for a wake-up that makes it wait for this lock
};
struct futex_requeue {
    uint64_t from, to;
    uint32_t wake, move, expected;
    bool compare, shared;
};

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b) {
    return a->object == b->object && a->offset == b->offset;
}
// The key's object is counted only if it is shared (a VMO may go while somebody waits on it); futex_key_put in any case. EINVAL, EFAULT.
int64_t futex_key_get_shared(uint64_t address, struct futex_key *out, bool *out_counted); // address was checked
static inline int64_t futex_key_get(uint64_t address, bool shared, struct futex_key *out, bool *out_counted) {
    *out_counted = false;
    if (address & 3)
        return -LINUX_EINVAL;
    if (address >= ARCH_USER_END)
        return -LINUX_EFAULT;
    if (shared)
        return futex_key_get_shared(address, out, out_counted);
    *out = (struct futex_key){&current_process()->aspace->obj, address};
    return 0;
}
static inline void futex_key_put(struct futex_key *k, bool counted) {
    if (counted)
        object_put(k->object);
}
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
// Locks the bucket with the word still at its expected value; the caller is in b->expected. EAGAIN: it is not; EFAULT, EINTR. On success the lock is held.
int64_t futex_lock_if(struct futex_bucket *b, uint64_t address, uint32_t expected);
// Puts a waiter that is in b->expected on the list. Bucket lock held.
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w);
// The way of a waiter with its key set: expected, compared, queued. EAGAIN, EFAULT, EINTR. futex_leave on success.
int64_t futex_enter(struct futex_waiter *w, uint64_t address, uint32_t expected);
void futex_leave(struct futex_waiter *w);
// Takes it off and wakes it. Bucket lock held: its thread is alive until it has taken that lock.
void futex_wake_waiter(struct futex_waiter *w);
// A point in time on one of two clocks, as a deadline.
nstime_t futex_deadline(nstime_t t, bool realtime);

// --- futex_pi.c: the operations of locks with priority inheritance ---
int64_t futex_pi_lock(uint64_t address, bool shared, nstime_t deadline, bool try);
int64_t futex_pi_unlock(uint64_t address, bool shared);
int64_t futex_pi_wait_requeue(const struct futex_requeue *q, nstime_t deadline); // q->wake: the expected value
int64_t futex_pi_requeue(const struct futex_requeue *q);

#endif
