// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Freeing dead threads. The scheduler hands one over with interrupts off, when its stack is not in use any more; what is left is freed in batches: by whoever creates
// threads or runs short of memory, or by the reaper thread when many wait or the oldest has waited for a while.
//
// Locking: the list of the dead is lock-free (push by exchange, taken whole).
#include "process_internal.h"

#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/kspace.h>
#include <kernel/time.h>

#define REAP_BATCH 16
#define REAP_DELAY (5 * NSEC_PER_MSEC)

static _Atomic(struct thread *) dead; // linked through kernel_arg
static _Atomic uint32_t dead_count;
static atomic_bool reaper_started;
static struct waitq reaper_wait = WAITQ_INIT(reaper_wait);
static struct ktimer reaper_timer; // armed by who sets reaper_armed, which its handler clears
static atomic_bool reaper_armed, reaper_due;

static void reaper_wake(void) {
    atomic_store(&reaper_due, true);
    waitq_wake(&reaper_wait, 1, 0);
}

static void reaper_timer_fired(struct ktimer *t) {
    (void)t;
    atomic_exchange(&reaper_armed, false); // who found it set has put its thread on the list before
    reaper_wake();
}

void thread_reap(struct thread *t) {
    struct thread *head = atomic_load_explicit(&dead, memory_order_relaxed);

    do {
        t->kernel_arg = head; // the dead need their argument no more
    } while (!atomic_compare_exchange_weak_explicit(&dead, &head, t, memory_order_release, memory_order_relaxed));
    uint32_t n = atomic_fetch_add_explicit(&dead_count, 1, memory_order_relaxed) + 1;
    if (!atomic_load_explicit(&reaper_started, memory_order_relaxed))
        return;
    if (n == REAP_BATCH)
        reaper_wake();
    if (!atomic_exchange(&reaper_armed, true))
        timer_set(&reaper_timer, deadline_after(REAP_DELAY));
}

void thread_reap_pending(void) {
    if (atomic_load_explicit(&dead, memory_order_relaxed) == NULL)
        return;
    struct thread *t = atomic_exchange_explicit(&dead, NULL, memory_order_acquire);
    while (t != NULL) {
        struct thread *next = t->kernel_arg;
        atomic_fetch_sub_explicit(&dead_count, 1, memory_order_relaxed);
        thread_release(t);
        t = next;
    }
}

static void reaper(void *arg) {
    inv_status_t status;

    (void)arg;
    for (;;) {
        WAIT_EVENT(&reaper_wait, atomic_load(&reaper_due), WAIT_UNINTERRUPTIBLE, NSTIME_NEVER, status);
        (void)status; // no deadline, not interruptible
        atomic_store(&reaper_due, false);
        thread_reap_pending();
        kstack_cache_trim();
    }
}

void process_start_reaper(void) {
    struct thread *t;

    timer_init(&reaper_timer, reaper_timer_fired);
    ASSERT(thread_create_kernel(reaper, NULL, "reaper", PRIORITY_KERNEL, &t) == INV_OK); // boot: there is memory
    atomic_store(&reaper_started, true);
    thread_start(t);
    object_put(&t->obj);
}
