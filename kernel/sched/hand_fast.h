// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The scheduler's part of the fast path of calls (kernel/sched/call_fast.c): what sched_hand_over does, for two threads that both have nothing on their kernel
// stacks, as guards, a commit that cannot fail, and a finish. Interrupts off; this processor's queue is locked between guard and finish.
#ifndef SCHED_HAND_FAST_H
#define SCHED_HAND_FAST_H

#include "run_queue.h"

#include <kernel/lock_fast.h>

// Whether to, asleep without a stack, may be switched to from me, here and now, without asking who is most urgent.
static always_inline bool hand_fast_may(const struct run_queue *q, const struct thread *me, const struct thread *to,
                                        uint8_t priority) {
    if (unlikely(state_of(to) != THREAD_SLEEPING)) // woken: its way goes on by itself
        return false;
    if (unlikely(atomic_load_explicit(&to->sched.cpu, memory_order_relaxed) != q->cpu)) // its queue's lock is another
        return false;
    if (unlikely(me->sched.moving))
        return false;
    if (likely(q->queued == 0))
        return true;
    return run_queue_top_priority(q) <= (int)priority; // else the most urgent goes first
}

// me sleeps, interruptibly, and to is current. arch state is switched by the caller.
static always_inline void hand_fast_commit(struct run_queue *q, struct thread *me, struct thread *to) {
    atomic_store_explicit(&me->sched.wait_kind, WAIT_INTERRUPTIBLE, memory_order_relaxed);
    set_state(me, THREAD_SLEEPING);
    set_state(to, THREAD_RUNNING);
    atomic_store_explicit(&to->sched.on_cpu, true, memory_order_relaxed);
    q->current = to;
    counter_add(context_switches, 1);
}

// me's context goes with its call.
static always_inline void hand_fast_lend(struct thread *me, struct thread *to) {
    uint8_t priority = priority_of(me);

    me->sched.away = true;
    to->sched.context = me->sched.context;
    to->sched.context->holder = to;
    to->sched.lender = me;
    to->sched.base_priority = priority;
    atomic_store_explicit(&to->sched.priority, priority, memory_order_relaxed);
}

// What me holds for to goes back with the reply. Its own context waits as it was left; sched_wake puts its priority right.
static always_inline void hand_fast_give_back(struct thread *me, struct thread *to) {
    to->sched.away = false;
    to->sched.context->holder = to;
    me->sched.context = me->sched.own;
    me->sched.lender = NULL;
}

// On the new thread's stack: me may be woken from now on.
static always_inline void hand_fast_finish(struct run_queue *q, struct thread *me) {
    atomic_store_explicit(&me->sched.on_cpu, false, memory_order_release);
    spin_unlock_fast(&q->lock);
}

#endif
