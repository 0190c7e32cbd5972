// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Epoch-based reclamation. Readers disable preemption and follow pointers without locks; what was unlinked is freed when every processor has passed a
// quiescent point (a thread switch, or the return to user mode) since. epoch_defer: any context but interrupt; epoch_synchronize: thread context.
//
// One counter, the epoch, and one copy of it a processor: what it read at its last quiescent point. To wait for all readers of a moment, the epoch is
// raised and every processor's copy has to reach it. A processor that does not come by itself (it computes, or idles) gets a reschedule interrupt, whose
// end is a quiescent point.
//
// Invariants:
//   I1  a processor's copy is written by itself alone, by a thread that is no reader, without a move between choosing the copy and writing it: so no reader
//       of it is inside;
//   I2  copy >= target on every online processor implies that every reader that began before the epoch became target has left: its processor has
//       passed a quiescent point after that, and the store that says so is a release which the waiter's load acquires;
//   I3  a node deferred with copy >= target is on no list that readers of later epochs can reach: the caller unlinked it before.
//
// Deferred nodes are collected per processor; the reclaim thread takes all lists, waits for one grace period, and runs the functions. It is woken when a
// list has BATCH nodes or by a timer that the first node arms, so that a single exit costs no switch.
#include <arch/ipi.h>
#include <kernel/assert.h>
#include <kernel/epoch.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/time.h>
#include <kernel/wait.h>

#define BATCH       32
#define BATCH_DELAY (5 * NSEC_PER_MSEC)
#define POLL_DELAY  (200 * NSEC_PER_USEC)

struct epoch_cpu {
    /* atomic, written by this processor: */
    _Atomic uint64_t seen;
    /* lock: */
    struct spinlock lock; // rank EPOCH
    struct epoch_node *first, **last;
    unsigned count;
} aligned_to(ARCH_CACHE_LINE);

static struct epoch_cpu epoch_cpus[CONFIG_MAX_CPUS];
static _Atomic uint64_t epoch_now = 1;
static struct waitq reclaim_wait = WAITQ_INIT(reclaim_wait);
static atomic_bool reclaim_wanted;
static struct ktimer reclaim_timer; // one for all processors: armed by who sets reclaim_armed, which its handler clears
static atomic_bool reclaim_armed;

void epoch_quiescent(void) {
    struct epoch_cpu *c = &epoch_cpus[arch_cpu_id()];
    uint64_t now = atomic_load_explicit(&epoch_now, memory_order_seq_cst);
    if (atomic_load_explicit(&c->seen, memory_order_relaxed) != now)
        atomic_store_explicit(&c->seen, now, memory_order_seq_cst);
}

static void reclaim_wake(void) {
    atomic_store(&reclaim_wanted, true);
    waitq_wake(&reclaim_wait, 1, 0);
}

static void reclaim_timer_fired(struct ktimer *t) {
    atomic_exchange(&reclaim_armed,
                    false); // a node whose processor found it set is on its list before the lists are taken
    reclaim_wake();
}

void epoch_defer(struct epoch_node *n, void (*fn)(struct epoch_node *)) {
    n->fn = fn;
    n->next = NULL;
    preempt_disable();
    struct epoch_cpu *c = &epoch_cpus[arch_cpu_id()];
    spin_lock(&c->lock);
    *c->last = n;
    c->last = &n->next;
    unsigned count = ++c->count;
    spin_unlock(&c->lock);
    if (count == 1 && !atomic_exchange(&reclaim_armed, true))
        timer_set(&reclaim_timer, deadline_after(BATCH_DELAY));
    else if (count == BATCH)
        reclaim_wake();
    preempt_enable();
}

// --- grace periods ---

// The processors that have not passed a quiescent point since target are reminded. True if there are none.
static bool grace_over(uint64_t target, bool remind) {
    bool over = true;
    preempt_disable();
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        if (!cpuset_has(&cpu_online, cpu) || cpu == arch_cpu_id())
            continue;
        if (atomic_load_explicit(&epoch_cpus[cpu].seen, memory_order_acquire) >= target)
            continue;
        over = false;
        if (remind)
            arch_ipi_send(cpu, IPI_RESCHEDULE);
    }
    preempt_enable();
    return over;
}

// This processor is not looked at: the caller runs in it with preemption enabled, so no reader of it is inside.
void epoch_synchronize(void) {
    might_sleep();
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t target = atomic_fetch_add_explicit(&epoch_now, 1, memory_order_seq_cst) + 1;
    preempt_disable(); // a move between the look at the processor's number and the store would vouch for another processor's readers
    epoch_quiescent();
    preempt_enable();
    for (unsigned turn = 0; !grace_over(target, (turn & 7) == 0); turn++) {
        inv_status_t status = thread_sleep_until(deadline_after(POLL_DELAY), WAIT_UNINTERRUPTIBLE);
        (void)status;
    }
    atomic_thread_fence(memory_order_seq_cst);
}

// --- the reclaim thread ---

static struct epoch_node *take_all(void) {
    struct epoch_node *all = NULL, **last = &all;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct epoch_cpu *c = &epoch_cpus[cpu];
        spin_lock(&c->lock);
        if (c->first) {
            *last = c->first;
            last = c->last;
            c->first = NULL;
            c->last = &c->first;
            c->count = 0;
        }
        spin_unlock(&c->lock);
    }
    return all;
}

static void reclaim_thread(void *arg) {
    for (;;) {
        inv_status_t status;
        WAIT_EVENT(&reclaim_wait, atomic_load(&reclaim_wanted), WAIT_UNINTERRUPTIBLE, NSTIME_NEVER, status);
        (void)status;
        atomic_store(&reclaim_wanted, false);
        struct epoch_node *n = take_all();
        if (!n)
            continue;
        epoch_synchronize();
        while (n) {
            struct epoch_node *next = n->next; // fn frees n
            n->fn(n);
            n = next;
        }
    }
}

void epoch_init(void) {
    for (unsigned cpu = 0; cpu < CONFIG_MAX_CPUS; cpu++) {
        struct epoch_cpu *c = &epoch_cpus[cpu];
        spin_lock_init(&c->lock, LOCK_RANK_EPOCH);
        c->last = &c->first;
    }
    timer_init(&reclaim_timer, reclaim_timer_fired);
}

void epoch_start_threads(void) {
    struct thread *t;
    inv_status_t status = thread_create_kernel(reclaim_thread, NULL, "reclaim", PRIORITY_KERNEL, &t);
    if (status != INV_OK)
        panic("epoch: no reclaim thread (status %d)", status);
    thread_start(t);
    object_put(&t->obj);
}
