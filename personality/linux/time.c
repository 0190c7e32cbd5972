// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks and sleeping: clock_gettime and its kin, nanosleep, gettimeofday, times. The vDSO serves most readings of the clock; these are the calls.
#include "process.h"

#include <arch/usercopy.h>
#include <executive/event.h>
#include <kernel/time.h>

enum {
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME,
    CLOCK_THREAD_CPUTIME,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME_COARSE,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_BOOTTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_TAI = 11
};
#define TIMER_ABSTIME     1u
#define COARSE_RESOLUTION 4000000ull
#define TICK              (NSEC_PER_SEC / 100)

// Processor time of a process or thread by a clock number with its pid inside: ~pid << 3 | 4 (of a thread) | kind (2: scheduled time).
static int64_t cpu_clock(int id, nstime_t *out) {
    int pid = ~(id >> 3);
    bool of_thread = (id & 4) != 0;
    int64_t result = -LINUX_EINVAL;

    if ((id & 3) == 3) // a descriptor's clock: no device has one
        return -LINUX_EINVAL;
    spin_lock(&linux_tree_lock);
    struct linux_thread *t = of_thread ? (pid == 0 ? linux_current() : linux_thread_find_locked(pid)) : NULL;
    struct linux_process *p = of_thread ? NULL : pid == 0 ? linux_current_process() : linux_process_find_locked(pid);
    if (t != NULL && t->process == linux_current_process()) {
        *out = sched_runtime(t->thread);
        result = 0;
    } else if (p != NULL) {
        irq_flags_t flags = spin_lock_irq(&p->lock);
        *out = linux_process_runtime_locked(p);
        spin_unlock_irq(&p->lock, flags);
        result = 0;
    }
    spin_unlock(&linux_tree_lock);
    return result;
}

static int64_t clock_read(int id, nstime_t *out) {
    if (id < 0)
        return cpu_clock(id, out);
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: *out = clock_wall(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: *out = clock_monotonic(); return 0;
    case CLOCK_PROCESS_CPUTIME: return cpu_clock((int)(~0u << 3 | 2), out);
    case CLOCK_THREAD_CPUTIME: return cpu_clock((int)(~0u << 3 | 6), out);
    default: return -LINUX_EINVAL;
    }
}

static int64_t timespec_store(uint64_t user, nstime_t t) {
    struct linux_timespec ts = {(int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC)};
    return arch_copy_to_user((void user_ptr *)user, &ts, sizeof(ts)) == INV_OK ? 0 : -LINUX_EFAULT;
}

int64_t linux_clock_gettime(struct arch_frame *f) {
    nstime_t t;
    int64_t result = clock_read((int)LINUX_ARG(f, 0), &t);

    return result != 0 ? result : timespec_store(LINUX_ARG(f, 1), t);
}

int64_t linux_clock_getres(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    nstime_t t;
    int64_t result = clock_read(id, &t);

    if (result != 0 || LINUX_ARG(f, 1) == 0)
        return result;
    return timespec_store(LINUX_ARG(f, 1),
                          id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE ? COARSE_RESOLUTION : 1);
}

static int64_t wall_set(nstime_t t) {
    if (!token_capable(linux_token(), CAP_SYS_TIME))
        return -LINUX_EPERM;
    if (t == NSTIME_NEVER || t < clock_monotonic()) // the clock may not start before the machine did
        return -LINUX_EINVAL;
    wall_clock_set(t);
    return 0;
}

int64_t linux_clock_settime(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    nstime_t t;

    if (id < 0)
        return cpu_clock(id, &t) == 0 ? -LINUX_EPERM : -LINUX_EINVAL;
    if (id == CLOCK_PROCESS_CPUTIME || id == CLOCK_THREAD_CPUTIME)
        return -LINUX_EPERM;
    if (id != CLOCK_REALTIME)
        return -LINUX_EINVAL;
    int64_t result = linux_timespec_get(LINUX_ARG(f, 1), &t);
    return result != 0 ? result : wall_set(t);
}

// --- sleeping ---

// remaining: where the time left is stored when a signal ends the sleep, 0: nowhere. absolute sleeps begin anew from the same arguments.
static int64_t sleep_restart(struct linux_restart *r);

static int64_t sleep_until(nstime_t deadline, uint64_t remaining, bool absolute) {
    inv_status_t s = thread_sleep_until(deadline, WAIT_INTERRUPTIBLE);

    if (s == INV_OK)
        return 0;
    if (absolute)
        return -LINUX_ERESTARTNOHAND;
    nstime_t now = clock_monotonic();
    if (deadline <= now)
        return 0;
    if (remaining != 0 && timespec_store(remaining, deadline - now) != 0)
        return -LINUX_EFAULT;
    struct linux_restart r = {sleep_restart, {deadline, remaining}};
    return linux_set_restart(&r);
}

static int64_t sleep_restart(struct linux_restart *r) {
    return sleep_until(r->args[0], r->args[1], false);
}

int64_t linux_nanosleep(struct arch_frame *f) {
    nstime_t duration;
    int64_t result = linux_timespec_get(LINUX_ARG(f, 0), &duration);

    return result != 0 ? result : sleep_until(deadline_after(duration), LINUX_ARG(f, 1), false);
}

int64_t linux_clock_nanosleep(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    bool absolute = (LINUX_ARG(f, 1) & TIMER_ABSTIME) != 0, wall = id == CLOCK_REALTIME || id == CLOCK_TAI;
    nstime_t t, now;

    int64_t result = clock_read(id, &now);
    if (result != 0)
        return result;
    if (!wall && id != CLOCK_MONOTONIC && id != CLOCK_BOOTTIME)
        return -LINUX_EOPNOTSUPP;
    result = linux_timespec_get(LINUX_ARG(f, 2), &t);
    if (result != 0)
        return result;
    if (!absolute)
        return sleep_until(deadline_after(t), LINUX_ARG(f, 3), false);
    if (wall && t != NSTIME_NEVER)
        t = t > now ? deadline_after(t - now) : 0;
    return sleep_until(t, 0, true);
}

// --- older forms ---

struct user_timeval {
    int64_t seconds, microseconds;
};
struct user_timezone {
    int32_t minutes_west, dst;
};
static _Atomic uint64_t timezone_kept; // as set by settimeofday: kept for who asks, and used for nothing

int64_t linux_gettimeofday(struct arch_frame *f) {
    if (LINUX_ARG(f, 0) != 0) {
        nstime_t t = clock_wall();
        struct user_timeval tv = {(int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC / NSEC_PER_USEC)};
        if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), &tv, sizeof(tv)) != INV_OK)
            return -LINUX_EFAULT;
    }
    if (LINUX_ARG(f, 1) != 0) {
        uint64_t tz = atomic_load(&timezone_kept);
        if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 1), &tz, sizeof(tz)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return 0;
}

int64_t linux_settimeofday(struct arch_frame *f) {
    struct user_timeval tv = {0};
    struct user_timezone tz;

    if (LINUX_ARG(f, 0) != 0) {
        if (arch_copy_from_user(&tv, (const void user_ptr *)LINUX_ARG(f, 0), sizeof(tv)) != INV_OK)
            return -LINUX_EFAULT;
        if (tv.microseconds < 0 || tv.microseconds > 1000000)
            return -LINUX_EINVAL;
    }
    if (LINUX_ARG(f, 1) != 0 && arch_copy_from_user(&tz, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(tz)) != INV_OK)
        return -LINUX_EFAULT;
    if (!token_capable(linux_token(), CAP_SYS_TIME))
        return -LINUX_EPERM;
    if (LINUX_ARG(f, 1) != 0) {
        uint64_t kept;
        if (tz.minutes_west > 15 * 60 || tz.minutes_west < -15 * 60)
            return -LINUX_EINVAL;
        memcpy(&kept, &tz, sizeof(kept));
        atomic_store(&timezone_kept, kept);
    }
    if (LINUX_ARG(f, 0) == 0)
        return 0;
    if (tv.seconds < 0 || (uint64_t)tv.seconds >= INT64_MAX / NSEC_PER_SEC)
        return -LINUX_EINVAL;
    return wall_set((uint64_t)tv.seconds * NSEC_PER_SEC + (uint64_t)tv.microseconds * NSEC_PER_USEC);
}

int64_t linux_time(struct arch_frame *f) {
    int64_t t = (int64_t)(clock_wall() / NSEC_PER_SEC);

    if (LINUX_ARG(f, 0) != 0 && arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), &t, sizeof(t)) != INV_OK)
        return -LINUX_EFAULT;
    return t;
}

int64_t linux_times(struct arch_frame *f) {
    struct linux_process *p = linux_current_process();
    struct linux_usage own;
    int64_t t[4];

    if (LINUX_ARG(f, 0) != 0) {
        spin_lock(&linux_tree_lock);
        irq_flags_t flags = spin_lock_irq(&p->lock);
        linux_process_usage_locked(p, &own);
        spin_unlock_irq(&p->lock, flags);
        t[2] = (int64_t)(p->children_usage.times.user / TICK);
        t[3] = (int64_t)(p->children_usage.times.system / TICK);
        spin_unlock(&linux_tree_lock);
        t[0] = (int64_t)(own.times.user / TICK);
        t[1] = (int64_t)(own.times.system / TICK);
        if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), t, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return (int64_t)(clock_monotonic() / TICK);
}
