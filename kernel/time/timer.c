// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// One-shot timers: a red-black tree by deadline on each processor, one hardware deadline for its first. timer_set and timer_cancel: any context, any
// processor; of two calls at once for one timer either may be the last. timer_interrupt: from the platform's vector.
//
// A timer goes on the tree of the processor that arms it. The hardware is programmed when the first deadline comes nearer and in the interrupt; taking the
// first timer away leaves it programmed: an interrupt too many is cheaper than programming it at every cancelled time-out.
//
// Invariants:
//   I1  t->state is QUEUED exactly while t is on the tree of t->cpu, both under that queue's lock; who wants to put it on a tree first makes it ARMING,
//       which one caller at a time can, and for a few instructions with interrupts off;
//   I2  q->running is the timer whose handler runs on that processor now, or NULL; the queue does not touch the timer once its handler was called, so a
//       handler (or who waits for it with timer_cancel_sync) may free it.
#include <kernel/assert.h>
#include <kernel/cpu.h>
#include <kernel/debug.h>
#include <kernel/lock.h>
#include <kernel/time.h>
#include <kernel/trace.h>

enum timer_state { TIMER_UNARMED, TIMER_ARMING, TIMER_QUEUED };

struct timer_queue {
    struct spinlock lock; // rank TIMER_QUEUE, interrupts off
    /* lock: */
    struct rb_tree tree;
    struct rb_node *first;
    nstime_t programmed; // hardware deadline
    /* atomic, written by the queue's processor: */
    _Atomic(struct ktimer *) running;
} aligned_to(ARCH_CACHE_LINE);

static struct timer_queue queues[CONFIG_MAX_CPUS];

static struct ktimer *timer_of(struct rb_node *n) {
    return rb_entry(n, struct ktimer, node);
}

void timer_cpu_init(void) {
    struct timer_queue *q = &queues[arch_cpu_id()];
    spin_lock_init(&q->lock, LOCK_RANK_TIMER_QUEUE);
    q->programmed = NSTIME_NEVER;
    this_cpu()->timers = q;
}

void timer_init(struct ktimer *t, void (*fn)(struct ktimer *)) {
    *t = (struct ktimer){.fn = fn};
}

nstime_t deadline_after(nstime_t duration) {
    nstime_t now = clock_monotonic();
    return duration >= NSTIME_NEVER - now ? NSTIME_NEVER : now + duration;
}

static bool is_queued(const struct ktimer *t) {
    return atomic_load_explicit(&t->state, memory_order_acquire) == TIMER_QUEUED;
}

// --- the tree; the queue's lock is held ---

static void insert(struct timer_queue *q, struct ktimer *t) {
    struct rb_node **link = &q->tree.root, *parent = NULL;
    bool first = true;
    while (*link) {
        parent = *link;
        if (t->deadline < timer_of(parent)->deadline) {
            link = &parent->left;
        } else {
            link = &parent->right; // equal deadlines fire in the order of arming
            first = false;
        }
    }
    rb_insert(&q->tree, &t->node, parent, link);
    if (first)
        q->first = &t->node;
    atomic_store_explicit(&t->state, TIMER_QUEUED, memory_order_release); // after t->cpu
}

static void take(struct timer_queue *q, struct ktimer *t) {
    if (q->first == &t->node)
        q->first = rb_next(q->first);
    rb_remove(&q->tree, &t->node);
    atomic_store_explicit(&t->state, TIMER_UNARMED, memory_order_release); // after q->running, for timer_cancel_sync
}

// On the queue's own processor.
static void program(struct timer_queue *q) {
    nstime_t deadline = q->first ? timer_of(q->first)->deadline : NSTIME_NEVER;
    if (deadline != q->programmed) {
        q->programmed = deadline;
        platform_timer_set(deadline);
    }
}

// --- operations ---

// Takes t off the tree that it is on, whichever processor's. True if it was on one.
static bool dequeue(struct ktimer *t) {
    while (is_queued(t)) {
        struct timer_queue *q = &queues[atomic_load_explicit(&t->cpu, memory_order_relaxed)];
        irq_flags_t flags = spin_lock_irq(&q->lock);
        bool here = is_queued(t) && q == &queues[atomic_load_explicit(&t->cpu, memory_order_relaxed)];
        if (here)
            take(q, t);
        spin_unlock_irq(&q->lock, flags);
        if (here)
            return true;
    }
    return false;
}

// Makes t ours to arm, off any tree. Interrupts are off from here on: true.
static bool begin_arming(struct ktimer *t, irq_flags_t *out_flags) {
    uint32_t unarmed = TIMER_UNARMED;
    dequeue(t);
    *out_flags = arch_irq_save();
    if (atomic_compare_exchange_strong_explicit(&t->state, &unarmed, TIMER_ARMING, memory_order_acquire,
                                                memory_order_relaxed))
        return true;
    arch_irq_restore(*out_flags); // another processor is arming it, or just has
    arch_pause();
    return false;
}

// The first deadline from deadline on that is at most slack later, or deadline itself. The queue's lock is held.
static nstime_t join(const struct timer_queue *q, nstime_t deadline, nstime_t slack) {
    struct rb_node *n = q->tree.root;
    nstime_t found = NSTIME_NEVER;
    while (n) {
        nstime_t at = timer_of(n)->deadline;
        if (at >= deadline)
            found = at;
        n = at >= deadline ? n->left : n->right;
    }
    return found - deadline <= slack ? found : deadline;
}

void timer_set(struct ktimer *t, nstime_t deadline) {
    timer_set_slack(t, deadline, 0);
}

void timer_set_slack(struct ktimer *t, nstime_t deadline, nstime_t slack) {
    irq_flags_t flags;
    if (deadline == NSTIME_NEVER) {
        dequeue(t);
        return;
    }
    while (!begin_arming(t, &flags)) {}
    struct timer_queue *q = this_cpu()->timers;
    spin_lock(&q->lock);
    if (slack != 0)
        deadline = join(q, deadline, slack);
    t->deadline = deadline;
    atomic_store_explicit(&t->cpu, arch_cpu_id(), memory_order_relaxed);
    insert(q, t);
    if (q->first == &t->node && deadline < q->programmed)
        program(q);
    spin_unlock(&q->lock);
    arch_irq_restore(flags);
}

bool timer_cancel(struct ktimer *t) {
    return dequeue(t);
}

// Neither armed nor running. A look at the state and one at the handlers, one after the other, could both miss a handler that armed its timer again and was
// called again in between: the last word is that of the queue that t was on last, where both change under one lock.
static bool is_quiet(struct ktimer *t) {
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (atomic_load_explicit(&queues[cpu].running, memory_order_acquire) == t)
            return false;
    unsigned cpu = atomic_load_explicit(&t->cpu, memory_order_relaxed);
    struct timer_queue *q = &queues[cpu];
    irq_flags_t flags = spin_lock_irq(&q->lock);
    bool quiet = atomic_load_explicit(&t->state, memory_order_relaxed) == TIMER_UNARMED &&
                 atomic_load_explicit(&t->cpu, memory_order_relaxed) == cpu &&
                 atomic_load_explicit(&q->running, memory_order_relaxed) != t;
    spin_unlock_irq(&q->lock, flags);
    return quiet;
}

bool timer_cancel_sync(struct ktimer *t) {
    bool armed = false;
    for (;;) {
        armed |= dequeue(t);
        if (is_quiet(t))
            return armed;
        arch_pause();
    }
}

// The clock is read once: what a handler arms for later than that is served by another interrupt, so that a short period cannot hold the processor.
void timer_interrupt(void) {
    struct timer_queue *q = this_cpu()->timers;
    DEBUG_ASSERT(!arch_irq_enabled());
    spin_lock(&q->lock);
    nstime_t now = clock_monotonic();
    while (q->first && timer_of(q->first)->deadline <= now) {
        struct ktimer *t = timer_of(q->first);
        void (*fn)(struct ktimer *) = t->fn;
        trace(timer_fire, t, t->deadline, 0);
        // Published before it leaves the tree: timer_cancel_sync finds it in one place or the other.
        atomic_store_explicit(&q->running, t, memory_order_seq_cst);
        take(q, t);
        spin_unlock(&q->lock);
        fn(t);
        spin_lock(&q->lock);
        atomic_store_explicit(&q->running, NULL, memory_order_release);
    }
    q->programmed = NSTIME_NEVER; // the hardware has fired
    program(q);
    spin_unlock(&q->lock);
}

// --- debugger command ---

static void command_timers(int argc, const char **argv) {
    nstime_t now = clock_monotonic();
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        for (struct rb_node *n = queues[cpu].first; n; n = rb_next(n)) {
            const struct ktimer *t = timer_of(n);
            uintptr_t offset = 0;
            const char *name = symbol_lookup((uintptr_t)t->fn, &offset);
            debugger_print("processor %u: %p in %ld ns: %s\n", cpu, (const void *)t, (long)(t->deadline - now), name);
        }
    }
}
DEBUGGER_COMMAND("timers", "armed timers of each processor, first to fire first", command_timers);
