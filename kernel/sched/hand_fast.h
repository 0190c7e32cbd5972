// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// The scheduler's part of the fast path of calls (kernel/sched/call_fast.c): what sched_hand_over does, for two threads that both have nothing on their kernel
// stacks, as guards, a commit that cannot fail, and a finish. Interrupts off; this processor's queue is locked between guard and finish.
#ifndef SCHED_HAND_FAST_H
#define SCHED_HAND_FAST_H

#include "run_queue.h"

#include <kernel/lock_fast.h>

// What union of struct sched_thread tells all at once. Of the guards' values each field is needed: inherited: accounts of urgency are the ordinary way's;
// moving: it leaves this processor; away of a server: it waits in a call of its own.
#define HANDED(parked_, away_)           \
    (((union {                           \
         struct {                        \
             bool parked, away, moving;  \
             uint8_t inherited;          \
         };                              \
         uint32_t all;                   \
     }){{(parked_), (away_), false, 0}}) \
         .all)
#define PARKED_AWAY(parked_, away_) \
    (((union {                      \
         struct {                   \
             bool parked, away;     \
         };                         \
         uint16_t both;             \
     }){{(parked_), (away_)}})      \
         .both)

// Whether to, asleep without a stack, may be switched to from me, here and now, without asking who is most urgent. away: to is in a call that it lent to.
static always_inline bool hand_fast_may(const struct run_queue *q, const struct thread *me, const struct thread *to,
                                        const struct thread *priority_from, bool away) {
    if (unlikely(me->sched.handed != HANDED(false, false) || to->sched.handed != HANDED(true, away)))
        return false;
    // Woken: its way goes on by itself; elsewhere: its queue's lock is another.
    if (unlikely(atomic_load_explicit(&to->sched.state_at, memory_order_relaxed) != q->asleep_here))
        return false;
    if (likely(q->queued == 0))
        return true;
    return run_queue_top_priority(q) <= (int)priority_of(priority_from); // else the most urgent goes first
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
    struct sched_context *c = me->sched.context;

    me->sched.parked_away = PARKED_AWAY(true, true);
    to->sched.parked_away = PARKED_AWAY(false, false);
    to->sched.context = c;
    c->holder = to;
    to->sched.lender = me;
    to->sched.priorities = me->sched.priorities; // it inherits nothing, so both are its own
}

// What me holds for to goes back with the reply. Its own context waits as it was left; sched_wake puts its priority right.
static always_inline void hand_fast_give_back(struct thread *me, struct thread *to) {
    me->sched.parked_away = PARKED_AWAY(true, false);
    to->sched.parked_away = PARKED_AWAY(false, false);
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
