// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Making threads runnable: start, wake-up, interruption, delivery to another processor's queue. Any context, but no run queue's lock held.
//
// sched_wake begins with a full barrier, so that a waker's change of the condition is visible before it looks at the state (wait.h, kernel/sync/waitq.c).
// The thread itself must be kept in memory by the caller: by a count, by the lock that its sleep ends with, or by an epoch.
#include <arch/ipi.h>
#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/trace.h>

#include "run_queue.h"

void sched_kick(struct run_queue *q) {
    if (q->cpu == arch_cpu_id()) {
        this_cpu()->arch.resched_pending = 1;
    } else if (!q->kicked) {
        q->kicked = true;
        trace(ipi_send, q->cpu, IPI_RESCHEDULE, 0);
        arch_ipi_send(q->cpu, IPI_RESCHEDULE);
    }
}

// The queue's lock is held; t has just been queued on it. Lets it have the processor if it is due, or sees that it gets its turn.
static void preempt_for(struct run_queue *q, struct thread *t) {
    struct thread *running = q->current;
    if (running == q->idle || priority_of(t) > priority_of(running)) {
        sched_kick(q);
        return;
    }
    if (priority_of(t) < priority_of(running))
        return;
    if (is_fair(t)) {
        nstime_t now = clock_monotonic();
        run_queue_charge(q, now);
        int64_t lag = (int64_t)(running->sched.context->virtual_time - t->sched.context->virtual_time);
        if (lag > (int64_t)WAKE_GRANULARITY) {
            sched_kick(q);
            return;
        }
    }
    if (q->slice_armed || !run_queue_rotates(q))
        return;
    if (q->cpu == arch_cpu_id())
        run_queue_arm_slice(q, clock_monotonic());
    else
        sched_kick(q); // it finds nothing better to run, and arms its own timer
}

static void enqueue(struct run_queue *q, struct thread *t) {
    run_queue_insert(q, t, false);
    run_queue_publish(q);
    sched_load_notice();
    preempt_for(q, t);
}

// A sleeper may be a little behind the others when it comes back, so that it is served soon, but has saved nothing up: half a slice of processor time,
// however slowly its virtual time runs beside a crowd.
static void limit_credit(struct run_queue *q, struct thread *t) {
    uint64_t pace = MIN(group_pace(q, t->sched.context), GROUP_PACE_ONE);
    uint64_t least = q->min_virtual_time - (WAKE_CREDIT * pace >> GROUP_PACE_SHIFT);
    if ((int64_t)(t->sched.context->virtual_time - least) < 0)
        t->sched.context->virtual_time = least;
}

void sched_deliver(struct thread *t) {
    for (;;) {
        unsigned cpu = atomic_load_explicit(&t->sched.cpu, memory_order_relaxed);
        struct run_queue *q = run_queue_of(cpu);
        spin_lock(&q->lock);
        if (likely(cpuset_has(&t->sched.affinity, cpu))) {
            t->sched.context->virtual_time += q->min_virtual_time;
            enqueue(q, t);
            spin_unlock(&q->lock);
            return;
        }
        // Its affinity changed on the way: the virtual time is relative, so only the address changes.
        unsigned other = sched_place(t, cpu);
        atomic_store_explicit(&t->sched.cpu, other, memory_order_relaxed);
        spin_unlock(&q->lock);
    }
}

bool sched_wake(struct thread *t) {
    atomic_thread_fence(memory_order_seq_cst);
    if (state_of(t) != THREAD_SLEEPING)
        return false;

    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    bool asleep = state_of(t) == THREAD_SLEEPING;
    if (!asleep) {
        spin_unlock_irq(&q->lock, flags);
        return false;
    }
    if (unlikely(t->sched.away)) {
        spin_unlock_irq(&q->lock, flags);
        sched_recover(t);
        return sched_wake(t); // once more: it is not away now
    }
    if (q->current == t) { // between prepare and sleep
        set_state(t, THREAD_RUNNING);
        spin_unlock_irq(&q->lock, flags);
        return true;
    }
    unsigned cpu = sched_place(t, q->cpu);
    trace(sched_wake, t->id, cpu, 0);
    t->sched.context->slice_used = 0;
    if (unlikely(t->sched.base_priority != t->sched.own_priority) && t->sched.context == t->sched.own)
        sched_settle_own(t); // it served somebody when it went to sleep
    limit_credit(q, t);
    if (likely(cpu == q->cpu)) {
        enqueue(q, t);
        spin_unlock_irq(&q->lock, flags);
        return true;
    }
    run_queue_detach(q, t, cpu);
    preempt_disable();
    spin_unlock(&q->lock);
    sched_deliver(t);
    arch_irq_restore(flags);
    preempt_enable();
    return true;
}

// A new thread begins one slice, at its own pace, behind the least served one, so that a thread that makes many cannot starve its neighbours with them.
void sched_start(struct thread *t) {
    irq_flags_t flags = arch_irq_save();
    preempt_disable();
    DEBUG_ASSERT(state_of(t) == THREAD_NEW);
    set_state(t, THREAD_READY);
    struct run_queue *q = run_queue_of(sched_place(t, arch_cpu_id()));
    spin_lock(&q->lock);
    t->sched.context->virtual_time = SLICE_DEFAULT * group_pace(q, t->sched.context) >> GROUP_PACE_SHIFT;
    spin_unlock(&q->lock);
    atomic_store_explicit(&t->sched.cpu, q->cpu, memory_order_relaxed);
    sched_deliver(t);
    arch_irq_restore(flags);
    preempt_enable();
}

static bool may_interrupt(const struct thread *t) {
    uint32_t work = atomic_load_explicit(&t->user_work, memory_order_relaxed);
    switch (atomic_load_explicit(&t->sched.wait_kind, memory_order_relaxed)) {
    case WAIT_INTERRUPTIBLE: return work != 0;
    case WAIT_KILLABLE: return (work & THREAD_WORK_KILL) != 0;
    default: return false;
    }
}

void sched_interrupt(struct thread *t) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&t->sched.state, memory_order_acquire) == THREAD_SLEEPING) {
        if (may_interrupt(t))
            sched_wake(t);
        return;
    }
    // It may be in user mode on another processor: an interrupt makes it look at its work.
    if (t == current_thread() || !atomic_load_explicit(&t->sched.on_cpu, memory_order_relaxed))
        return;
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    if (q->current == t && q->cpu != arch_cpu_id())
        sched_kick(q);
    spin_unlock_irq(&q->lock, flags);
}
