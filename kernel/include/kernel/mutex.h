// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sleeping locks with priority inheritance. The owner inherits the priority of the most urgent waiter, through chains of owners (bounded depth, deadlock
// found and asserted in debug builds). Thread context only, preemption enabled, no spin lock held. The most urgent waiter is next; in the fair class
// a running thread may come before it, a bounded number of times.
#ifndef KERNEL_MUTEX_H
#define KERNEL_MUTEX_H

#include <kernel/list.h>
#include <kernel/lock.h>
#include <kernel/rbtree.h>
#include <kernel/types.h>

struct thread;
struct mutex {
    _Atomic uintptr_t owner; // struct thread *, bit 0: there are waiters
    struct spinlock lock;    // guards the waiters; rank MUTEX_INTERNAL
    struct rb_tree waiters;  // lock: struct mutex_waiter by priority, FIFO among equals
    struct list_node held;   // owner's thread lock: on its list of contended mutexes
    uint8_t top_priority;    // owner's thread lock: of the first waiter
    uint8_t rank;
};
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
must_check bool mutex_try_lock(struct mutex *m);
// OK, INTERRUPTED (killed while waiting) or TIMED_OUT.
must_check inv_status_t mutex_lock_killable(struct mutex *m, nstime_t deadline);
void mutex_unlock(struct mutex *m);
bool mutex_is_held(const struct mutex *m); // by the current thread
// From kernel/sched: the effective priority of t changed while it may be waiting for a mutex; passes the change on along the chain of owners.
void mutex_reprioritise(struct thread *t);
// The priority that t inherits for what is not a mutex: of the most urgent waiter for its user locks, or of the callers that wait while it serves; 0: none.
// Any context but interrupt.
enum lender { LENDER_FUTEX, LENDER_CALL };
void mutex_lend(struct thread *t, enum lender who, uint8_t priority);

#endif
