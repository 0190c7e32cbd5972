// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Timers as objects: FIRED at a point in time. What each call does and which errors it has: abi/idl/core.idl.
//
// A period does not fire by itself again and again: it counts, and fires anew when it was acknowledged. So a program makes the machine at most one interrupt a call,
// whatever period it asks for.
//
// Invariants:
//   T1  armed: the kernel's timer is queued for a point in time not before deadline, or its handler is under way; all set under the signals' lock, so that
//       what was set last holds.
//   T2  FIRED is set only by the handler, which finds armed and a deadline that has passed, and unarms it: one that was late for its own is ignored.
// Locking: the signals' lock; the kernel's timer is set under it.
#include <kernel/native_calls.h>
#include <kernel/signals.h>
#include <kernel/slab.h>

static struct signals *timer_signals(struct object *o) {
    return &container_of(o, struct timer, obj)->signals;
}

static void timer_fired(struct ktimer *k) {
    struct timer *t = container_of(k, struct timer, timer);
    irq_flags_t flags = spin_lock_irq(&t->signals.lock);

    if (t->armed && t->deadline <= clock_monotonic()) {
        t->armed = false;
        signals_change_locked(&t->signals, 0, INV_SIGNAL_FIRED, &flags);
    }
    spin_unlock_irq(&t->signals.lock, flags);
}

// The lock is held.
static void arm(struct timer *t, nstime_t deadline) {
    t->deadline = deadline;
    t->armed = true;
    timer_set_slack(&t->timer, deadline, t->slack);
}

static void disarm(struct timer *t) {
    t->armed = false;
    timer_cancel(&t->timer);
}

static void timer_close(struct object *o) {
    struct timer *t = container_of(o, struct timer, obj);
    irq_flags_t flags = spin_lock_irq(&t->signals.lock);

    disarm(t);
    signals_change_locked(&t->signals, 0, INV_SIGNAL_CLOSED, &flags);
    spin_unlock_irq(&t->signals.lock, flags);
}

static void timer_delete(struct object *o) {
    timer_cancel_sync(&container_of(o, struct timer, obj)->timer); // a handler may still look
    object_free(o);
}

struct object_type timer_type = {
    .name = "timer",
    .number = INV_OBJECT_TIMER,
    .default_rights = INV_RIGHT_WAIT | INV_RIGHT_SIGNAL | INV_RIGHT_GET_INFO | INV_RIGHT_DUPLICATE | INV_RIGHT_TRANSFER,
    .size = sizeof(struct timer),
    .close = timer_close,
    .delete = timer_delete,
    .signals = timer_signals,
};

inv_status_t sys_timer_create(struct job *job, struct timer **out_timer) {
    struct timer *t = kzalloc(sizeof(*t));
    if (t == NULL)
        return INV_ERR_NO_MEMORY;
    inv_status_t status = object_init(&t->obj, &timer_type, job);
    if (status != INV_OK) {
        kfree(t);
        return status;
    }
    signals_init(&t->signals);
    timer_init(&t->timer, timer_fired);
    *out_timer = t;
    return INV_OK;
}

inv_status_t sys_timer_set(struct timer *timer, uint64_t deadline, uint64_t period, uint64_t slack) {
    if (period > INV_TIMER_PERIOD_MAX || slack > INV_TIMER_PERIOD_MAX)
        return INV_ERR_RANGE;
    irq_flags_t flags = spin_lock_irq(&timer->signals.lock);
    signals_change_locked(&timer->signals, INV_SIGNAL_FIRED, 0, &flags);
    timer->period = period;
    timer->slack = slack;
    arm(timer, deadline);
    spin_unlock_irq(&timer->signals.lock, flags);
    return INV_OK;
}

inv_status_t sys_timer_cancel(struct timer *timer) {
    irq_flags_t flags = spin_lock_irq(&timer->signals.lock);
    disarm(timer);
    signals_change_locked(&timer->signals, INV_SIGNAL_FIRED, 0, &flags);
    spin_unlock_irq(&timer->signals.lock, flags);
    return INV_OK;
}

inv_status_t sys_timer_acknowledge(struct timer *timer, uint64_t *out_expirations) {
    nstime_t now = clock_monotonic();
    irq_flags_t flags = spin_lock_irq(&timer->signals.lock);

    *out_expirations = 0;
    if (signals_now(&timer->signals) & INV_SIGNAL_FIRED) {
        *out_expirations = 1;
        signals_change_locked(&timer->signals, INV_SIGNAL_FIRED, 0, &flags);
        if (timer->period != 0) {
            // now, read before the lock, may be a little before a deadline that has passed since
            if (now > timer->deadline)
                *out_expirations += (now - timer->deadline) / timer->period;
            arm(timer, timer->deadline + *out_expirations * timer->period);
        }
    }
    spin_unlock_irq(&timer->signals.lock, flags);
    return INV_OK;
}
