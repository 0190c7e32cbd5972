// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The run queue of one processor: 256 priorities, a FIFO list each, found through a bitmap; the fair class stands at one of them and is a red-black tree
// by virtual time. Callers hold the queue's lock. What a thread is allowed to do with its processor (slices) is decided here, when it loses it in switch.c.
//
// Invariants (besides those of run_queue.h):
//   Q1  bit p of occupied is set exactly if fixed[p] (fair, for PRIORITY_FAIR) is not empty;
//   Q2  fair_first is the node with the least virtual time;
//   Q3  a queued thread is READY.
#include "run_queue.h"

#include <kernel/assert.h>
#include <kernel/cpu.h>

_Atomic uint32_t sched_rt_queued;

static void slice_timer_fired(struct ktimer *timer);

void run_queue_init(struct run_queue *q, unsigned cpu) {
    *q = (struct run_queue){.cpu = cpu};
    q->asleep_here = sched_state_at(THREAD_SLEEPING, cpu);
    spin_lock_init(&q->lock, LOCK_RANK_RUN_QUEUE);
    for (unsigned p = 0; p < PRIORITY_COUNT; p++)
        list_init(&q->fixed[p]);
    timer_init(&q->slice_timer, slice_timer_fired);
}

struct run_queue *run_queue_lock_thread(struct thread *t, irq_flags_t *out_flags) {
    for (;;) {
        unsigned cpu = atomic_load_explicit(&t->sched.cpu, memory_order_relaxed);
        struct run_queue *q = run_queue_of(cpu);
        *out_flags = spin_lock_irq(&q->lock);
        if (likely(atomic_load_explicit(&t->sched.cpu, memory_order_relaxed) == cpu))
            return q;
        spin_unlock_irq(&q->lock, *out_flags);
    }
}

static struct thread *fair_entry(struct rb_node *n) {
    return rb_entry(n, struct thread, sched.fair_node);
}

// Virtual times wrap: their difference is what counts.
static bool vt_before(const struct thread *a, const struct thread *b) {
    return (int64_t)(a->sched.context->virtual_time - b->sched.context->virtual_time) < 0;
}

// Others wait for a lock that t holds: it goes first, or they would wait for its turn among all who can run, and more would come to wait with them.
static void lend(const struct run_queue *q, struct sched_context *c) {
    int64_t owed = (int64_t)(c->virtual_time - (q->min_virtual_time - 1)); // before its equals
    if (owed <= 0)
        return;
    c->virtual_time -= (uint64_t)owed;
    c->borrowed += (uint64_t)owed;
}

static void fair_insert(struct run_queue *q, struct thread *t) {
    if (unlikely(atomic_load_explicit(&t->sched.wanted, memory_order_relaxed)))
        lend(q, t->sched.context);
    struct rb_node **link = &q->fair.root, *parent = NULL;
    bool first = true;
    while (*link) {
        parent = *link;
        if (vt_before(t, fair_entry(parent))) {
            link = &parent->left;
        } else {
            link = &parent->right;
            first = false;
        }
    }
    rb_insert(&q->fair, &t->sched.fair_node, parent, link);
    if (first)
        q->fair_first = &t->sched.fair_node;
    group_count(q, t->sched.context);
}

static void fair_remove(struct run_queue *q, struct thread *t) {
    if (q->fair_first == &t->sched.fair_node)
        q->fair_first = rb_next(q->fair_first);
    rb_remove(&q->fair, &t->sched.fair_node);
    group_uncount(q, t->sched.context);
}

void run_queue_insert(struct run_queue *q, struct thread *t, bool front) {
    uint8_t p = priority_of(t);
    DEBUG_ASSERT(!t->sched.queued && t != q->idle);
    if (p == PRIORITY_FAIR)
        fair_insert(q, t);
    else if (front)
        list_push_front(&q->fixed[p], &t->sched.run_node);
    else
        list_push_back(&q->fixed[p], &t->sched.run_node);
    q->occupied[p / 64] |= 1ull << (p % 64);
    if (p > PRIORITY_FAIR)
        atomic_fetch_add_explicit(&sched_rt_queued, 1, memory_order_relaxed);
    set_state(t, THREAD_READY);
    t->sched.queued = true;
    q->queued++;
}

void run_queue_remove(struct run_queue *q, struct thread *t) {
    uint8_t p = priority_of(t);
    bool empty;
    DEBUG_ASSERT(t->sched.queued);
    if (p == PRIORITY_FAIR) {
        fair_remove(q, t);
        empty = !q->fair_first;
    } else {
        list_remove(&t->sched.run_node);
        empty = list_empty(&q->fixed[p]);
    }
    if (empty)
        q->occupied[p / 64] &= ~(1ull << (p % 64));
    if (p > PRIORITY_FAIR)
        atomic_fetch_sub_explicit(&sched_rt_queued, 1, memory_order_relaxed);
    t->sched.queued = false;
    q->queued--;
}

// Virtual time in transit is relative to the queue that was left; sched_deliver makes it absolute again.
void run_queue_detach(struct run_queue *q, struct thread *t, unsigned cpu) {
    DEBUG_ASSERT(!t->sched.queued);
    t->sched.context->virtual_time -= q->min_virtual_time;
    set_state(t, THREAD_READY);
    atomic_store_explicit(&t->sched.cpu, cpu, memory_order_relaxed);
}

int run_queue_top_priority(const struct run_queue *q) {
    for (int word = PRIORITY_WORDS - 1; word >= 0; word--) {
        if (q->occupied[word])
            return word * 64 + 63 - __builtin_clzll(q->occupied[word]);
    }
    return -1;
}

struct thread *run_queue_first(struct run_queue *q) {
    int p = run_queue_top_priority(q);
    if (p < 0)
        return NULL;
    if (p == PRIORITY_FAIR)
        return fair_entry(q->fair_first);
    return list_first(&q->fixed[p], struct thread, sched.run_node);
}

struct thread *run_queue_take(struct run_queue *q) {
    struct thread *t = run_queue_first(q);
    if (!t)
        return q->idle;
    run_queue_remove(q, t);
    return t;
}

// --- accounts ---

static uint64_t weighted(nstime_t delta, uint32_t weight) {
    return likely(weight == FAIR_WEIGHT_DEFAULT) ? delta : delta * FAIR_WEIGHT_DEFAULT / weight;
}

void run_queue_charge(struct run_queue *q, nstime_t now) {
    struct thread *t = q->current;
    struct sched_context *c = t->sched.context;
    // Another processor may have charged it with a later look at the clock than this one. A negative time would wrap, and divided by a weight throw the
    // thread's virtual time years ahead.
    if ((int64_t)(now - c->last_charged) <= 0)
        return;
    nstime_t delta = now - c->last_charged;

    c->last_charged = now;
    c->runtime += delta;
    if (t == q->idle) {
        atomic_store_explicit(&cpus[q->cpu].idle_ns, c->runtime, memory_order_relaxed);
        return;
    }
    c->slice_used += delta;
    if (!is_fair(t))
        return;
    uint64_t pace = group_pace(q, c);
    delta = weighted(delta, c->params.weight);
    c->virtual_time += likely(pace == GROUP_PACE_ONE) ? delta : delta * pace >> GROUP_PACE_SHIFT;
    uint64_t least = c->virtual_time;
    if (q->fair_first && vt_before(fair_entry(q->fair_first), t))
        least = fair_entry(q->fair_first)->sched.context->virtual_time;
    if ((int64_t)(least - q->min_virtual_time) > 0)
        q->min_virtual_time = least;
}

nstime_t run_queue_slice(const struct thread *t) {
    nstime_t slice = t->sched.context->params.slice;
    return slice ? slice : SLICE_DEFAULT;
}

bool run_queue_rotates(const struct run_queue *q) {
    const struct thread *t = q->current;
    if (t == q->idle)
        return false;
    if (is_fair(t))
        return q->fair_first != NULL;
    // A thread that inherits a priority keeps the processor, whatever its class: it is wanted to finish.
    return t->sched.context->params.class != SCHED_CLASS_FIFO && priority_of(t) == t->sched.base_priority &&
           !list_empty(&q->fixed[priority_of(t)]);
}

// One timer a processor. It is not moved at switches: when it fires too early for the thread that then runs, it is armed for the rest.
void run_queue_arm_slice(struct run_queue *q, nstime_t now) {
    if (q->slice_armed || !run_queue_rotates(q))
        return;
    nstime_t slice = run_queue_slice(q->current), used = q->current->sched.context->slice_used;
    q->slice_armed = true;
    timer_set(&q->slice_timer, now + (used < slice ? slice - used : 0));
}

static void slice_timer_fired(struct ktimer *timer) {
    struct run_queue *q = container_of(timer, struct run_queue, slice_timer);
    irq_flags_t flags = spin_lock_irq(&q->lock);
    nstime_t now = clock_monotonic();

    DEBUG_ASSERT(q->cpu == arch_cpu_id());
    q->slice_armed = false;
    if (run_queue_rotates(q)) {
        run_queue_charge(q, now);
        if (q->current->sched.context->slice_used >= run_queue_slice(q->current)) {
            q->current->sched.slice_over = true;
            this_cpu()->arch.resched_pending = 1;
        } else {
            run_queue_arm_slice(q, now);
        }
    }
    spin_unlock_irq(&q->lock, flags);
}
