// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Sleeping (contract: kernel/wait.h). Thread context, no spin lock held, interrupts on.
#include <kernel/assert.h>
#include <kernel/wait.h>

#include "run_queue.h"

void thread_sleep_prepare(enum wait_kind kind) {
    struct thread *t = current_thread();
    atomic_store_explicit(&t->sched.wait_kind, (uint8_t)kind, memory_order_relaxed);
    atomic_store_explicit(&t->sched.state, THREAD_SLEEPING, memory_order_release); // after the kind
    atomic_thread_fence(memory_order_seq_cst); // before the condition (kernel/sync/waitq.c)
}

void thread_sleep_finish(void) {
    set_state(current_thread(), THREAD_RUNNING);
}

static bool interrupted(const struct thread *t) {
    uint32_t work = atomic_load_explicit(&t->user_work, memory_order_relaxed);
    if (likely(!work))
        return false;
    switch (atomic_load_explicit(&t->sched.wait_kind, memory_order_relaxed)) {
    case WAIT_INTERRUPTIBLE: return true;
    case WAIT_KILLABLE: return (work & THREAD_WORK_KILL) != 0;
    default: return false;
    }
}

static void sleep_timer_fired(struct ktimer *timer) {
    sched_wake(container_of(timer, struct sleep_timer, timer)->thread);
}

void sleep_timer_arm(struct sleep_timer *s, struct thread *t, nstime_t deadline) {
    s->thread = t;
    timer_init(&s->timer, sleep_timer_fired);
    // Who must be on time has no slack, whatever was asked for.
    timer_set_slack(&s->timer, deadline, is_fair(t) ? t->sched.slack : 0);
}

static void sleep_with_deadline(struct thread *t, nstime_t deadline) {
    struct sleep_timer s;
    sleep_timer_arm(&s, t, deadline);
    sched_sleep_now();
    timer_cancel_sync(&s.timer);
}

inv_status_t thread_sleep(nstime_t deadline) {
    struct thread *t = current_thread();
    inv_status_t status = INV_OK;

    might_sleep();
    if (interrupted(t))
        status = INV_ERR_INTERRUPTED;
    else if (deadline == NSTIME_NEVER)
        sched_sleep_now();
    else if (clock_monotonic() >= deadline)
        status = INV_ERR_TIMED_OUT;
    else
        sleep_with_deadline(t, deadline);
    thread_sleep_finish();
    return status;
}

inv_status_t thread_sleep_until(nstime_t deadline, enum wait_kind kind) {
    inv_status_t status;
    do {
        thread_sleep_prepare(kind);
        status = thread_sleep(deadline);
    } while (status == INV_OK);
    return status == INV_ERR_TIMED_OUT ? INV_OK : status;
}
