// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Giving the processor to another thread: sleep, preemption, yield, exit. Thread context (or the last step of an interrupt), interrupts off inside.
//
// The protocol of a switch. The outgoing thread, with interrupts off, locks the run queue of its processor, settles what becomes of itself (queued again,
// asleep, dead, moving), takes the next thread, makes it current, and switches stacks with the lock held. The incoming thread, on its own stack, finishes:
// the outgoing thread's registers are saved, so the lock is released (sched_first_run for a new thread). Hence:
//   S1  preempt_count is exactly 1 (the lock) at every stack switch, so the count, which belongs to the processor, fits both threads;
//   S2  a waker that finds a thread SLEEPING and not current under the lock finds it saved (run_queue.h, I3);
//   S3  a dead thread's stack is not in use any more when finish_switch sees it;
//   S4  the current thread of a processor is not queued anywhere.
#include <kernel/assert.h>
#include <kernel/aspace.h>
#include <kernel/debug.h>
#include <kernel/epoch.h>
#include <kernel/trace.h>

#include "run_queue.h"

// A user thread's address space is loaded; a kernel thread, or one that has left its process, runs on whatever is loaded, lazily, which has to be said on
// the way in and taken back on the way out, even when the next user thread has the same address space.
static void switch_aspace(const struct thread *next) {
    struct cpu *cpu = this_cpu();
    struct aspace *wanted = atomic_load_explicit(&next->left, memory_order_relaxed) ? NULL : next->process->aspace;
    if (wanted != cpu->aspace || cpu->aspace_lazy)
        aspace_switch(cpu->aspace, wanted);
}

// On the incoming thread's stack, the queue's lock held, interrupts off. Returns without the lock, interrupts still off.
static void finish_switch(struct thread *prev) {
    struct run_queue *q = this_cpu()->run_queue;
    bool moving = prev->sched.moving, dead = state_of(prev) == THREAD_DEAD;

    if (unlikely(moving)) {
        prev->sched.moving = false;
        run_queue_detach(q, prev, sched_place(prev, q->cpu));
    }
    atomic_store_explicit(&prev->sched.on_cpu, false, memory_order_release);
    spin_unlock(&q->lock);
    if (unlikely(moving))
        sched_deliver(prev);
    if (unlikely(dead))
        thread_reap(prev);
}

// Who comes back to the processor inside the kernel came in that much later: the time without it is nobody's.
static void kernel_time_switch(struct thread *prev, struct thread *next) {
    uint64_t now = arch_cycles();

    prev->sched.switched_at = now;
    if (next->sched.kernel_cycles < 0)
        next->sched.kernel_cycles -= (int64_t)(now - next->sched.switched_at);
}

// next, which is current already as far as the queue goes, gets the processor. Releases the lock; returns when prev runs again.
static void switch_threads(struct thread *prev, struct thread *next) {
    counter_add(context_switches, 1);
    trace(sched_switch, prev->id, next->id, priority_of(next));
    kernel_time_switch(prev, next);
    atomic_store_explicit(&next->sched.on_cpu, true, memory_order_relaxed);
    switch_aspace(next);
    finish_switch(arch_context_switch(prev, next));
}

// next takes over the context that runs (lend.c): no account is closed, nobody is chosen.
void sched_switch_lent(struct run_queue *q, struct thread *prev, struct thread *next) {
    DEBUG_ASSERT(arch_preempt_count() == 1 && !arch_irq_enabled());
    epoch_quiescent();
    prev->sched.slice_over = false;
    set_state(next, THREAD_RUNNING);
    q->current = next;
    run_queue_publish(q);
    switch_threads(prev, next);
}

// The queue's lock is held, interrupts off; prev, the current thread, is settled; next was taken off the queue. Releases the lock; returns when prev
// runs again.
static void switch_to(struct run_queue *q, struct thread *prev, struct thread *next, nstime_t now) {
    struct sched_context *c = next->sched.context;

    DEBUG_ASSERT(arch_preempt_count() == 1 && !arch_irq_enabled());
    epoch_quiescent();
    if (is_fair(next))
        c->slice_used = 0;
    c->last_charged = now;
    set_state(next, THREAD_RUNNING);
    q->current = next;
    run_queue_publish(q);
    run_queue_arm_slice(q, now);
    if (next == prev) {
        spin_unlock(&q->lock);
        return;
    }
    if (prev == q->idle)
        cpuset_remove(&sched_idle_cpus, q->cpu);
    switch_threads(prev, next);
}

static void switch_to_next(struct run_queue *q, struct thread *prev, nstime_t now) {
    switch_to(q, prev, run_queue_take(q), now);
}

void sched_first_run(struct thread *prev) {
    finish_switch(prev);
}

// What was asked for by resched_pending and by reschedule interrupts is about to be done.
static struct run_queue *begin(void) {
    struct run_queue *q = this_cpu()->run_queue;
    DEBUG_ASSERT(!arch_irq_enabled());
    spin_lock(&q->lock);
    this_cpu()->arch.resched_pending = 0;
    q->kicked = false;
    return q;
}

static bool must_switch(struct run_queue *q, struct thread *t) {
    struct thread *first = run_queue_first(q);
    if (t->sched.moving)
        return true;
    if (!first)
        return false;
    if (t == q->idle || priority_of(first) > priority_of(t))
        return true;
    if (priority_of(first) < priority_of(t))
        return false;
    if (!is_fair(t))
        return t->sched.slice_over;
    int64_t lag = (int64_t)(t->sched.context->virtual_time - first->sched.context->virtual_time);
    return lag > (t->sched.slice_over ? 0 : (int64_t)WAKE_GRANULARITY);
}

void sched_sleep_now(void) {
    struct thread *t = current_thread();
    irq_flags_t flags = arch_irq_save();

    if (unlikely(atomic_load_explicit(&sched_rt_queued, memory_order_relaxed)))
        sched_pull_rt(this_cpu()->run_queue);
    struct run_queue *q = begin();
    if (state_of(t) == THREAD_SLEEPING) {
        nstime_t now = clock_monotonic();
        run_queue_charge(q, now);
        t->sched.context->switches_voluntary++;
        t->sched.slice_over = false;
        t->sched.moving = false; // its wake-up finds it a processor
        switch_to_next(q, t, now);
    } else {
        // It was woken on the way and goes on: the request that begin took back, perhaps for a thread that was just pulled here, stands.
        if (must_switch(q, t))
            this_cpu()->arch.resched_pending = 1;
        spin_unlock(&q->lock);
    }
    arch_irq_restore(flags);
    if (unlikely(this_cpu()->arch.resched_pending))
        sched_preempt();
}

// --- preemption ---

// t loses its processor although it could go on. Interrupts off, the queue locked.
static void settle_preempted(struct run_queue *q, struct thread *t) {
    unsigned other;
    if (t == q->idle)
        return;
    t->sched.context->switches_forced++;
    // A thread above the fair class does not wait here while another processor does something less urgent.
    if (priority_of(t) > PRIORITY_FAIR && !t->sched.moving && sched_find_lower(t, &other))
        t->sched.moving = true;
    if (t->sched.slice_over)
        t->sched.context->slice_used = 0;
    if (t->sched.moving)
        set_state(t, THREAD_READY); // in transit once its registers are saved: finish_switch delivers it
    else
        run_queue_insert(q, t, !t->sched.slice_over);
    t->sched.slice_over = false;
}

// Interrupts off, preempt_count 0.
static void preempt(void) {
    struct run_queue *q = this_cpu()->run_queue;
    nstime_t now = clock_monotonic();

    if (unlikely(current_thread()->sched.slice_over && now - q->balanced_at >= BALANCE_INTERVAL)) {
        q->balanced_at = now;
        sched_push(q);
    }
    q = begin();
    epoch_quiescent();
    struct thread *t = q->current;
    run_queue_charge(q, now);
    if (must_switch(q, t)) {
        settle_preempted(q, t);
        switch_to_next(q, t, now);
        return;
    }
    if (t->sched.slice_over) {
        t->sched.slice_over = false;
        t->sched.context->slice_used = 0;
    }
    run_queue_arm_slice(q, now);
    spin_unlock(&q->lock);
}

void sched_preempt_interrupt(void) {
    DEBUG_ASSERT(!arch_irq_enabled());
    while (this_cpu()->arch.resched_pending && this_cpu()->run_queue)
        preempt();
}

void sched_preempt(void) {
    if (!arch_irq_enabled())
        return;
    delay_point();
    arch_irq_disable();
    if (preempt_enabled())
        sched_preempt_interrupt();
    arch_irq_enable();
}

// --- yield and exit ---

void sched_yield(void) {
    struct thread *t = current_thread();
    irq_flags_t flags = arch_irq_save();
    struct run_queue *q = begin();
    int top = run_queue_top_priority(q);

    if (top >= (int)priority_of(t) || t->sched.moving) {
        nstime_t now = clock_monotonic();
        run_queue_charge(q, now);
        struct thread *next = run_queue_take(q); // chosen without t, which would often be the first again
        if (t->sched.moving)
            set_state(t, THREAD_READY);
        else
            run_queue_insert(q, t, false);
        t->sched.context->slice_used = 0;
        t->sched.slice_over = false;
        t->sched.context->switches_voluntary++;
        switch_to(q, t, next, now);
    } else {
        spin_unlock(&q->lock);
    }
    arch_irq_restore(flags);
}

noreturn_fn void sched_exit(void) {
    struct thread *t = current_thread();

    arch_irq_disable();
    struct run_queue *q = begin();
    nstime_t now = clock_monotonic();
    run_queue_charge(q, now);
    t->sched.moving = false;
    set_state(t, THREAD_DEAD);
    switch_to_next(q, t, now);
    panic("thread %lu ran after its end", (unsigned long)t->id);
}
