// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Scheduling contexts that travel: a call passes what the caller runs on to the thread that serves it, the reply passes it back, so that a direct switch is
// never a scheduling decision and every account follows. Called by kernel/ipc in thread context; sched_recover by a wake-up in any context.
//
//     A runs on its own, C  --lend-->  S1 holds C, A is away  --lend-->  S2 holds C, S1 is away too
//                           <--give back--                    <--give back--
// A wake-up that does not come with the context (a signal, a deadline, the end of a server) ends this: who is away is woken on its own context
// (sched_recover). If that one is with another thread, which goes on with its work, it is taken from that thread, which falls back to its own.
//
// Invariants:
//   L1  c->holder is the only thread that may be queued or current with context c. It changes under the lock of the run queue of the thread that loses c.
//   L2  who is away is SLEEPING, and its context field is compared but not followed: the context may be gone.
//   L3  a thread that neither is away nor holds another's context has its own, and holds it.
//   L4  lender is not NULL only while the thread holds another's context; it is compared but not followed.
// Locking: the run queues of the threads concerned, two in the order of their processors. What is read of a thread that may end meanwhile is read in an
// epoch.
#include <kernel/assert.h>
#include <kernel/debug.h>
#include <kernel/epoch.h>
#include <kernel/trace.h>

#include "run_queue.h"

static struct thread *holder_of(struct sched_context *c) {
    return atomic_load_explicit((_Atomic(struct thread *) *)&c->holder, memory_order_acquire);
}

struct run_queue *context_lock(struct sched_context *c, irq_flags_t *out_flags) {
    for (;;) {
        epoch_enter(); // the holder may end, after it gave the context away
        struct thread *holder = holder_of(c);
        struct run_queue *q = run_queue_lock_thread(holder, out_flags);
        epoch_exit();
        if (likely(holder_of(c) == holder))
            return q;
        spin_unlock_irq(&q->lock, *out_flags);
    }
}

// The queues of both, once if it is one: *out_a of a, *out_b of b.
static irq_flags_t lock_pair(struct thread *a, struct thread *b, struct run_queue **out_a, struct run_queue **out_b) {
    irq_flags_t flags = arch_irq_save();

    preempt_disable();
    for (;;) {
        unsigned cpu_a = atomic_load_explicit(&a->sched.cpu, memory_order_relaxed);
        unsigned cpu_b = atomic_load_explicit(&b->sched.cpu, memory_order_relaxed);
        *out_a = run_queue_of(cpu_a);
        *out_b = run_queue_of(cpu_b);
        spin_lock(&run_queue_of(MIN(cpu_a, cpu_b))->lock);
        if (cpu_a != cpu_b)
            spin_lock(&run_queue_of(MAX(cpu_a, cpu_b))->lock);
        if (likely(atomic_load_explicit(&a->sched.cpu, memory_order_relaxed) == cpu_a &&
                   atomic_load_explicit(&b->sched.cpu, memory_order_relaxed) == cpu_b))
            return flags;
        if (cpu_a != cpu_b)
            spin_unlock(&run_queue_of(MAX(cpu_a, cpu_b))->lock);
        spin_unlock(&run_queue_of(MIN(cpu_a, cpu_b))->lock);
    }
}

static void unlock_pair(struct run_queue *a, struct run_queue *b, irq_flags_t flags) {
    if (a != b)
        spin_unlock(&b->lock);
    spin_unlock(&a->lock);
    arch_irq_restore(flags);
    preempt_enable();
}

// --- steps; the queues of the threads concerned are locked, and no thread that changes is queued ---

static void set_base(struct thread *t, uint8_t base) {
    t->sched.base_priority = base;
    atomic_store_explicit(&t->sched.priority, MAX(base, t->sched.inherited), memory_order_relaxed);
}

void sched_settle_own(struct thread *t) {
    set_base(t, t->sched.own_priority);
}

static void hold(struct thread *t, struct sched_context *c) {
    t->sched.context = c;
    atomic_store_explicit((_Atomic(struct thread *) *)&c->holder, t, memory_order_release);
}

// me's context goes to to, which serves it.
static void lend(struct thread *me, struct thread *to) {
    me->sched.away = true;
    hold(to, me->sched.context);
    to->sched.lender = me;
    set_base(to, priority_of(me));
}

// t falls back to its own context, which begins where q is now.
static void fall_back(struct run_queue *q, struct thread *t) {
    t->sched.context = t->sched.own;
    t->sched.lender = NULL;
    t->sched.own->virtual_time = q->min_virtual_time;
    t->sched.own->slice_used = 0;
    set_base(t, t->sched.own_priority);
}

static bool holds_for(const struct thread *me, const struct thread *to) {
    return me->sched.lender == to && to->sched.away && to->sched.context == me->sched.context;
}

// me, current on q, goes on on its own context.
static void go_on(struct run_queue *q, struct thread *me) {
    fall_back(q, me);
    me->sched.own->last_charged = clock_monotonic();
    run_queue_publish(q);
    if (run_queue_top_priority(q) > (int)priority_of(me))
        sched_kick(q);
}

// --- the way out: a caller's context to its server ---

// Brings to, which sleeps and whose last processor was another, to this one. False if it may not run here, or is not asleep.
static bool bring_here(struct thread *to) {
    unsigned here = arch_cpu_id();
    irq_flags_t flags;
    struct run_queue *q = run_queue_lock_thread(to, &flags);
    bool can = state_of(to) == THREAD_SLEEPING && q->current != to && cpuset_has(&to->sched.affinity, here);

    if (can && q->cpu != here) {
        if (!to->sched.away) // the other queue's time is a hint here, and good enough for one
            to->sched.context->virtual_time += run_queue_of(here)->min_virtual_time - q->min_virtual_time;
        atomic_store_explicit(&to->sched.cpu, here, memory_order_relaxed);
    }
    spin_unlock_irq(&q->lock, flags);
    return can;
}

// This processor's queue is locked. Whether to can be switched to now without asking who is most urgent.
static bool may_hand(struct run_queue *q, struct thread *me, struct thread *to, enum sched_hand how) {
    if (state_of(me) != THREAD_SLEEPING || state_of(to) != THREAD_SLEEPING)
        return false; // woken meanwhile
    if (atomic_load_explicit(&to->sched.cpu, memory_order_relaxed) != q->cpu || me->sched.moving)
        return false;
    if (how == SCHED_LEND ? to->sched.away : !holds_for(me, to))
        return false;
    uint8_t priority = how == SCHED_LEND ? priority_of(me) : priority_of(to);
    return run_queue_top_priority(q) <= (int)priority && !this_cpu()->arch.resched_pending;
}

static bool hand_over(struct thread *to, enum sched_hand how) {
    struct thread *me = current_thread();
    irq_flags_t flags = arch_irq_save();

    preempt_disable();
    bool here = atomic_load_explicit(&to->sched.cpu, memory_order_relaxed) == arch_cpu_id() || bring_here(to);
    struct run_queue *q = this_cpu()->run_queue;
    spin_lock(&q->lock);
    preempt_enable(); // the lock alone is held across the switch
    if (!here || !may_hand(q, me, to, how)) {
        spin_unlock(&q->lock);
        arch_irq_restore(flags);
        return false;
    }
    if (how == SCHED_LEND) {
        lend(me, to);
    } else {
        to->sched.away = false;
        hold(to, me->sched.context);
        fall_back(q, me);
    }
    sched_switch_lent(q, me, to);
    arch_irq_restore(flags);
    return true;
}

bool sched_hand_over(struct thread *to, enum sched_hand how, nstime_t deadline) {
    struct sleep_timer s;

    if (deadline == NSTIME_NEVER)
        return hand_over(to, how);
    sleep_timer_arm(&s, current_thread(), deadline);
    bool handed = hand_over(to, how);
    timer_cancel_sync(&s.timer);
    return handed;
}

bool sched_borrow(struct thread *from) {
    struct thread *me = current_thread();
    struct run_queue *theirs, *mine;
    irq_flags_t flags = lock_pair(from, me, &theirs, &mine);
    bool can = me->sched.context == me->sched.own && state_of(from) == THREAD_SLEEPING && theirs->current != from &&
               !from->sched.away;

    if (can) {
        run_queue_charge(mine, clock_monotonic());
        from->sched.context->virtual_time += mine->min_virtual_time - theirs->min_virtual_time;
        from->sched.context->last_charged = me->sched.own->last_charged;
        lend(from, me);
        run_queue_publish(mine);
        if (run_queue_top_priority(mine) > (int)priority_of(me))
            sched_kick(mine);
    }
    unlock_pair(theirs, mine, flags);
    return can;
}

// --- the way back ---

void sched_give_back(struct thread *to) {
    struct thread *me = current_thread();
    struct run_queue *theirs, *mine;

    if (me->sched.lender == NULL)
        return;
    irq_flags_t flags = lock_pair(to, me, &theirs, &mine);
    if (holds_for(me, to)) {
        run_queue_charge(mine, clock_monotonic());
        me->sched.context->virtual_time += theirs->min_virtual_time - mine->min_virtual_time;
        to->sched.away = false;
        hold(to, me->sched.context);
        go_on(mine, me);
    }
    unlock_pair(theirs, mine, flags);
}

void sched_drop_borrowed(void) {
    struct thread *me = current_thread();
    irq_flags_t flags;

    if (me->sched.lender == NULL)
        return;
    struct run_queue *q = run_queue_lock_thread(me, &flags);
    if (me->sched.lender != NULL) {
        struct sched_context *c = me->sched.context;
        run_queue_charge(q, clock_monotonic());
        c->virtual_time -= q->min_virtual_time; // relative until its owner wakes: sched_recover
        atomic_store_explicit((_Atomic(struct thread *) *)&c->holder, c->owner, memory_order_release);
        go_on(q, me);
    }
    spin_unlock_irq(&q->lock, flags);
}

// c, t's own, comes from who holds it.
static void take_from_holder(struct thread *t, struct sched_context *c) {
    irq_flags_t flags;
    struct run_queue *q = context_lock(c, &flags);
    struct thread *holder = c->holder;

    if (holder != t) {
        bool queued = holder->sched.queued;
        DEBUG_ASSERT(holder->sched.context == c && !holder->sched.away); // L1
        if (queued)
            run_queue_remove(q, holder);
        else if (q->current == holder)
            run_queue_charge(q, clock_monotonic());
        c->virtual_time -= q->min_virtual_time;
        if (q->current == holder) {
            go_on(q, holder);
            sched_kick(q);
        } else {
            fall_back(q, holder);
        }
        if (queued)
            run_queue_insert(q, holder, false);
        atomic_store_explicit((_Atomic(struct thread *) *)&c->holder, t, memory_order_release);
    }
    spin_unlock_irq(&q->lock, flags);
}

void sched_recover(struct thread *t) {
    irq_flags_t flags;

    // What it lent was its own, or another's that it held: that does not change while it is away, though it may come home meanwhile.
    if (t->sched.context == t->sched.own)
        take_from_holder(t, t->sched.own);
    struct run_queue *q = run_queue_lock_thread(t, &flags);
    if (t->sched.away) {
        uint64_t owed = t->sched.context == t->sched.own ? t->sched.own->virtual_time : 0;
        fall_back(q, t);
        t->sched.own->virtual_time += owed;
        t->sched.away = false;
    }
    spin_unlock_irq(&q->lock, flags);
}
