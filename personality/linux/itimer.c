// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Interval timers and alarm. ITIMER_REAL fires by the clock; ITIMER_VIRTUAL and ITIMER_PROF by the processor time of the process, which is looked at when
// it can have passed at the earliest, and the timer set again by what is missing: exact for one thread, at most one look late for more.
//
// Locking: expires and interval under lp->lock. The handler runs in interrupt context.
#include "process.h"

#include <arch/usercopy.h>

#define LOOK_MINIMUM (100 * NSEC_PER_USEC)

static const int timer_signal[LINUX_TIMERS] = {LINUX_SIGALRM, LINUX_SIGVTALRM, LINUX_SIGPROF, LINUX_SIGXCPU};

static nstime_t timer_now_locked(const struct linux_itimer *i) {
    struct linux_usage u;

    if (i == &i->process->itimers[LINUX_ITIMER_REAL])
        return clock_monotonic();
    if (i != &i->process->itimers[LINUX_ITIMER_VIRTUAL])
        return linux_process_runtime_locked(i->process);
    linux_process_usage_locked(i->process, &u);
    return u.times.user;
}

// When to look next.
static void timer_arm_locked(struct linux_itimer *i) {
    struct linux_process *p = i->process;

    if (i == &p->itimers[LINUX_ITIMER_REAL]) {
        timer_set(&i->timer, i->expires);
    } else {
        nstime_t now = timer_now_locked(i), left = i->expires > now ? i->expires - now : 0;
        timer_set(&i->timer, deadline_after(MAX(left / MAX(p->thread_count, 1u), LOOK_MINIMUM)));
    }
}

static void timer_fired(struct ktimer *t) {
    struct linux_itimer *i = container_of(t, struct linux_itimer, timer);
    struct linux_process *p = i->process;
    bool fired = false;
    irq_flags_t flags = spin_lock_irq(&p->lock);
    nstime_t now = timer_now_locked(i);

    if (i->expires != 0 && now >= i->expires) {
        fired = true;
        // Expirations that were missed are not made up for one by one; and a shorter interval than handlers take would leave no time for anything else.
        nstime_t passed = now - i->expires + LOOK_MINIMUM;
        i->expires = i->interval == 0 ? 0 : i->expires + (passed / i->interval + 1) * i->interval;
    }
    if (i == &p->itimers[LINUX_TIMER_LIMIT] && now / NSEC_PER_SEC >= p->limits[LINUX_RLIMIT_CPU].maximum)
        linux_process_end_locked(p, LINUX_SIGKILL); // the hard limit
    if (i->expires != 0)
        timer_arm_locked(i);
    spin_unlock_irq(&p->lock, flags);
    if (fired) {
        struct linux_siginfo info;
        siginfo_from_kernel(&info, timer_signal[i - p->itimers]);
        (void)signal_send_process(p, &info);
    }
}

// SIGXCPU at the soft limit and each second after it.
void linux_cpu_limit_watch(struct linux_process *p) {
    struct linux_itimer *i = &p->itimers[LINUX_TIMER_LIMIT];
    irq_flags_t flags = spin_lock_irq(&p->lock);
    uint64_t seconds = p->limits[LINUX_RLIMIT_CPU].current;

    i->interval = NSEC_PER_SEC;
    i->expires = seconds >= INT64_MAX / NSEC_PER_SEC ? 0 : MAX(seconds, 1u) * NSEC_PER_SEC;
    if (i->expires != 0 && !p->timers_stopped) {
        i->used = true;
        timer_arm_locked(i);
    }
    spin_unlock_irq(&p->lock, flags);
}

void linux_itimers_init(struct linux_process *p) {
    for (unsigned i = 0; i < LINUX_TIMERS; i++) {
        p->itimers[i].process = p;
        timer_init(&p->itimers[i].timer, timer_fired);
    }
}

void linux_itimers_stop(struct linux_process *p) {
    for (unsigned i = 0; i < LINUX_TIMERS; i++) {
        irq_flags_t flags = spin_lock_irq(&p->lock);
        bool used = p->itimers[i].used;
        p->timers_stopped = true;
        p->itimers[i].expires = 0;
        spin_unlock_irq(&p->lock, flags);
        if (used)
            timer_cancel_sync(&p->itimers[i].timer);
    }
    linux_rt_limit_stop(p);
}

// Sets one timer; *out_left and *out_interval are what it had. value 0: off.
static void timer_exchange(unsigned which, nstime_t value, nstime_t interval, nstime_t *out_left,
                           nstime_t *out_interval, bool set) {
    struct linux_process *p = linux_current_process();
    struct linux_itimer *i = &p->itimers[which];
    irq_flags_t flags = spin_lock_irq(&p->lock);
    nstime_t now = timer_now_locked(i);

    *out_left = i->expires == 0 ? 0 : i->expires > now ? i->expires - now : NSEC_PER_USEC;
    *out_interval = i->interval;
    if (set) {
        i->interval = value == 0 && which == LINUX_ITIMER_REAL ? 0 : interval;
        i->expires = value == 0 ? 0 : now + value < now ? NSTIME_NEVER - 1 : now + value;
        if (i->expires != 0) {
            i->used = true;
            timer_arm_locked(i);
        } else {
            timer_cancel(&i->timer);
        }
    }
    spin_unlock_irq(&p->lock, flags);
}

int64_t linux_alarm_set(uint64_t seconds) {
    nstime_t left, interval;

    timer_exchange(LINUX_ITIMER_REAL, seconds * NSEC_PER_SEC, 0, &left, &interval, true);
    // Rounded, but something that still runs is at least a second.
    nstime_t whole = left / NSEC_PER_SEC, rest = left % NSEC_PER_SEC;
    return (int64_t)(whole + ((rest >= NSEC_PER_SEC / 2 || (whole == 0 && rest != 0)) ? 1 : 0));
}

int64_t linux_alarm(struct arch_frame *f) {
    return linux_alarm_set((uint32_t)LINUX_ARG(f, 0));
}

struct user_itimerval {
    int64_t interval_seconds, interval_microseconds, value_seconds, value_microseconds;
};

static int64_t itimer_store(uint64_t user, nstime_t left, nstime_t interval) {
    struct user_itimerval v = {(int64_t)(interval / NSEC_PER_SEC), (int64_t)(interval % NSEC_PER_SEC / NSEC_PER_USEC),
                               (int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC / NSEC_PER_USEC)};
    return arch_copy_to_user((void user_ptr *)user, &v, sizeof(v)) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_getitimer(struct arch_frame *f) {
    uint64_t which = LINUX_ARG(f, 0);
    nstime_t left, interval;

    if ((uint32_t)which >= LINUX_ITIMERS)
        return -LINUX_EINVAL;
    timer_exchange((unsigned)which, 0, 0, &left, &interval, false);
    return itimer_store(LINUX_ARG(f, 1), left, interval);
}

static bool timeval_valid(int64_t seconds, int64_t microseconds) {
    return seconds >= 0 && microseconds >= 0 && microseconds < 1000000;
}

static nstime_t timeval_ns(int64_t seconds, int64_t microseconds) {
    if ((uint64_t)seconds >= INT64_MAX / NSEC_PER_SEC)
        return INT64_MAX;
    return (uint64_t)seconds * NSEC_PER_SEC + (uint64_t)microseconds * NSEC_PER_USEC;
}

int64_t linux_setitimer(struct arch_frame *f) {
    uint64_t which = LINUX_ARG(f, 0), in = LINUX_ARG(f, 1), out = LINUX_ARG(f, 2);
    struct user_itimerval v = {0};
    nstime_t left, interval;

    // A null value means zero: odd, and so in Linux.
    if (in != 0 && arch_copy_from_user(&v, (const void user_ptr *)in, sizeof(v)) != INV_OK)
        return -LINUX_EFAULT;
    if (!timeval_valid(v.interval_seconds, v.interval_microseconds) ||
        !timeval_valid(v.value_seconds, v.value_microseconds))
        return -LINUX_EINVAL;
    if ((uint32_t)which >= LINUX_ITIMERS)
        return -LINUX_EINVAL;
    timer_exchange((unsigned)which, timeval_ns(v.value_seconds, v.value_microseconds),
                   timeval_ns(v.interval_seconds, v.interval_microseconds), &left, &interval, true);
    return out != 0 ? itimer_store(out, left, interval) : 0;
}
