// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// What a thread asks of the scheduler: class, priority, weight, affinity; and the priority that it inherits. Thread context; sched_boost under t->lock.
// Locking: t->lock (parameters, affinity), then the run queue's lock (effective priority, place).
#include <kernel/assert.h>
#include <kernel/mutex.h>
#include <kernel/wait.h>

#include "run_queue.h"

// t's run queue is locked: gives it another effective priority, wherever it is.
static void set_priority(struct run_queue *q, struct thread *t, uint8_t priority) {
    bool queued = t->sched.queued;
    if (queued)
        run_queue_remove(q, t);
    // A thread that was away from the fair class comes back without what it owed or saved.
    if (priority == PRIORITY_FAIR && priority_of(t) != PRIORITY_FAIR && (queued || q->current == t))
        t->sched.context->virtual_time = q->min_virtual_time;
    uint8_t before = priority_of(t);
    atomic_store_explicit(&t->sched.priority, priority, memory_order_relaxed);
    if (queued)
        run_queue_insert(q, t,
                         priority < before); // lowered: in front of its new equals, as POSIX has it for inheritance
    run_queue_publish(q);
    struct thread *first = run_queue_first(q);
    if (first && (priority_of(first) > priority_of(q->current) || q->current == q->idle))
        sched_kick(q);
}

// t->lock and its run queue's are held. True if the effective priority changed.
static bool update_priority_locked(struct run_queue *q, struct thread *t) {
    uint8_t priority = MAX(t->sched.base_priority, t->sched.inherited);
    if (priority == priority_of(t))
        return false;
    set_priority(q, t, priority);
    return true;
}

// t->lock is held.
static bool update_priority(struct thread *t) {
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    if (q->current == t)
        run_queue_charge(q, clock_monotonic());
    bool changed = update_priority_locked(q, t);
    spin_unlock_irq(&q->lock, flags);
    return changed;
}

bool sched_boost(struct thread *t, uint8_t priority) {
    if (t->sched.inherited == priority)
        return false;
    t->sched.inherited = priority;
    return update_priority(t);
}

void sched_wanted(struct thread *t, bool wanted) {
    irq_flags_t flags;

    if (atomic_load_explicit(&t->sched.wanted, memory_order_relaxed) == wanted)
        return;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    bool queued = t->sched.queued && is_fair(t);
    if (queued)
        run_queue_remove(q, t);
    atomic_store_explicit(&t->sched.wanted, wanted, memory_order_relaxed);
    if (!wanted) {
        t->sched.context->virtual_time += t->sched.context->borrowed;
        t->sched.context->borrowed = 0;
    }
    if (queued) {
        run_queue_insert(q, t, false);
        if (run_queue_first(q) == t && priority_of(q->current) == PRIORITY_FAIR)
            sched_kick(q); // its processor looks whether it is due
    }
    spin_unlock_irq(&q->lock, flags);
}

static bool params_valid(const struct sched_params *p) {
    if (p->slice && (p->slice < SLICE_MIN || p->slice > SLICE_MAX))
        return false;
    switch (p->class) {
    case SCHED_CLASS_IDLE: return true;
    case SCHED_CLASS_FAIR: return p->weight >= WEIGHT_MIN && p->weight <= WEIGHT_MAX;
    case SCHED_CLASS_ROUND_ROBIN:
    case SCHED_CLASS_FIFO: return p->priority != PRIORITY_IDLE && p->priority != PRIORITY_FAIR;
    default: return false;
    }
}

inv_status_t sched_set_params(struct thread *t, const struct sched_params *p) {
    if (!params_valid(p))
        return INV_ERR_INVALID;
    spin_lock(&t->lock);
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    if (q->current == t)
        run_queue_charge(q, clock_monotonic()); // by the weight that it had
    t->sched.own_priority = sched_adopt_params(t->sched.own, p);
    if (t->sched.context == t->sched.own) // else it serves somebody, as urgently as he is
        t->sched.base_priority = t->sched.own_priority;
    bool changed = update_priority_locked(q, t);
    if (q->current == t)
        sched_kick(q); // the class may have become one that shares its priority by slices: its processor arms the timer
    spin_unlock_irq(&q->lock, flags);
    spin_unlock(&t->lock);
    if (changed)
        mutex_reprioritise(t);
    return INV_OK;
}

void sched_get_params(struct thread *t, struct sched_params *out) {
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    *out = t->sched.own->params;
    spin_unlock_irq(&q->lock, flags);
}

nstime_t sched_runtime(struct thread *t) {
    irq_flags_t flags;
    struct run_queue *q = context_lock(t->sched.own, &flags);
    if (q->current == t->sched.own->holder)
        run_queue_charge(q, clock_monotonic());
    nstime_t runtime = t->sched.own->runtime;
    spin_unlock_irq(&q->lock, flags);
    return runtime;
}

void sched_get_times(struct thread *t, struct sched_times *out) {
    irq_flags_t flags;
    struct run_queue *q = context_lock(t->sched.own, &flags);
    int64_t cycles = *(volatile int64_t *)&t->sched.kernel_cycles; // its own processor may be writing it
    if (q->current == t->sched.own->holder)
        run_queue_charge(q, clock_monotonic());
    if (cycles < 0)
        cycles += (int64_t)(q->current == t ? arch_cycles() : t->sched.switched_at);
    out->total = t->sched.own->runtime;
    out->kernel = MIN(platform_clock_scale((uint64_t)MAX(cycles, (int64_t)0)), out->total);
    spin_unlock_irq(&q->lock, flags);
}

// --- affinity ---

static bool any_online(const cpuset_t *set) {
    for (unsigned word = 0; word < ARRAY_SIZE(set->bits); word++) {
        if (atomic_load_explicit(&set->bits[word], memory_order_relaxed) &
            atomic_load_explicit(&cpu_online.bits[word], memory_order_relaxed))
            return true;
    }
    return false;
}

// Takes t off a processor that it may not use any more. False while it is still running there, or in transit to it.
static bool evict(struct thread *t) {
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    bool allowed = cpuset_has(&t->sched.affinity, q->cpu);
    bool running = !allowed && q->current == t, queued = !allowed && t->sched.queued;
    bool in_transit = !allowed && !running && !queued && state_of(t) == THREAD_READY;
    if (running) {
        t->sched.moving = true; // switch.c sends it on
        sched_kick(q);
    } else if (queued) {
        run_queue_remove(q, t);
        run_queue_publish(q);
        run_queue_detach(q, t, sched_place(t, q->cpu));
    }
    preempt_disable();
    spin_unlock(&q->lock);
    if (queued)
        sched_deliver(t);
    arch_irq_restore(flags);
    preempt_enable(); // the current thread moves here
    return !running && !in_transit;
}

inv_status_t sched_set_affinity(struct thread *t, const cpuset_t *set) {
    if (!any_online(set))
        return INV_ERR_INVALID;
    spin_lock(&t->lock);
    for (unsigned word = 0; word < ARRAY_SIZE(set->bits); word++)
        atomic_store_explicit(&t->sched.affinity.bits[word],
                              atomic_load_explicit(&set->bits[word], memory_order_relaxed), memory_order_relaxed);
    spin_unlock(&t->lock);
    while (!evict(t)) {
        if (t != current_thread()) {
            inv_status_t status = thread_sleep_until(deadline_after(50 * NSEC_PER_USEC), WAIT_UNINTERRUPTIBLE);
            (void)status;
        }
    }
    return INV_OK;
}
