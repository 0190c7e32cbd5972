// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// RLIMIT_RTTIME: how long a thread of a real-time class may run without going to sleep. Such threads of a process with a limit are looked at every tick; a
// thread that has slept since the last look, or has become one of them, begins anew. Past the soft limit the process is told (SIGXCPU), and told again a second later; past the hard
// limit it ends. What one look counts is bounded, as Linux counts the ticks that it has seen: a machine that stood still meanwhile does not end anybody.
// Called where a limit or a class is set, or inherited; the look runs in interrupt context.
//
// Invariants: watched: the timer is queued or its handler will look again under the lock; nobody looks where there is no limit.
// Locking: lp->lock.
#include "process.h"

#define USEC_PER_SEC 1000000u
#define BEGINS_ANEW  UINT64_MAX
#define LOOK         (4 * NSEC_PER_MSEC) // the tick in which Linux counts
#define COUNTED_MAX  (6 * LOOK)          // of what ran between two looks

static bool has_limit(const struct linux_process *p) {
    return p->limits[LINUX_RLIMIT_RTTIME].current != LINUX_RLIM_INFINITY ||
           p->limits[LINUX_RLIMIT_RTTIME].maximum != LINUX_RLIM_INFINITY;
}

// Microseconds that it was seen to run since it last slept.
static uint64_t running_for(struct linux_thread *t) {
    struct linux_usage u;

    linux_usage_of_thread(t, &u);
    nstime_t total = u.times.user + u.times.system;
    uint64_t sleeps = u.switches_voluntary - *(volatile uint64_t *)&t->rt_yields;
    if (sleeps != t->rt_sleeps || t->rt_seen > total) {
        t->rt_sleeps = sleeps;
        t->rt_ran = 0;
    } else {
        t->rt_ran += MIN(total - t->rt_seen, COUNTED_MAX);
    }
    t->rt_seen = total;
    return t->rt_ran / NSEC_PER_USEC;
}

// True: the process has to be told.
static bool thread_look_locked(struct linux_process *p, struct linux_thread *t) {
    struct linux_rlimit *limit = &p->limits[LINUX_RLIMIT_RTTIME];
    uint64_t ran = running_for(t);

    if (ran >= limit->maximum)
        linux_process_end_locked(p, LINUX_SIGKILL);
    if (ran < limit->current)
        return false;
    limit->current += USEC_PER_SEC;
    return true;
}

static void look(struct ktimer *timer) {
    struct linux_process *p = container_of(timer, struct linux_process, rt_limit.timer);
    struct linux_thread *t;
    bool told = false, again = false;
    irq_flags_t flags = spin_lock_irq(&p->lock);

    list_for_each(t, &p->threads, node) {
        if (!linux_policy_realtime(t->policy)) {
            t->rt_sleeps = BEGINS_ANEW;
            continue;
        }
        again = true;
        told |= thread_look_locked(p, t);
    }
    p->rt_limit.watched = again && has_limit(p) && !p->timers_stopped && !p->group_exit;
    if (p->rt_limit.watched)
        timer_set(&p->rt_limit.timer, deadline_after(LOOK));
    spin_unlock_irq(&p->lock, flags);
    if (told) {
        struct linux_siginfo info;
        siginfo_from_kernel(&info, LINUX_SIGXCPU);
        (void)signal_send_process(p, &info);
    }
}

void linux_rt_limit_init(struct linux_process *p) {
    timer_init(&p->rt_limit.timer, look);
}

void linux_rt_limit_watch(struct linux_process *p) {
    irq_flags_t flags = spin_lock_irq(&p->lock);

    if (has_limit(p) && !p->rt_limit.watched && !p->timers_stopped) {
        struct linux_thread *t;
        list_for_each(t, &p->threads, node) // what ran before is not counted
            t->rt_sleeps = BEGINS_ANEW;
        p->rt_limit.watched = p->rt_limit.used = true;
        timer_set(&p->rt_limit.timer, deadline_after(LOOK));
    }
    spin_unlock_irq(&p->lock, flags);
}

void linux_rt_limit_stop(struct linux_process *p) {
    if (*(volatile bool *)&p->rt_limit.used) // timers_stopped is set: it stays as it is
        timer_cancel_sync(&p->rt_limit.timer);
}
