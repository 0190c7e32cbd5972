// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks and sleeping: clock_gettime and its kin, nanosleep, gettimeofday, times. The vDSO serves most readings of the clock; these are the calls.
#include "clocks.h"
#include "process.h"

#include <arch/usercopy.h>
#include <executive/event.h>
#include <kernel/time.h>

#define COARSE_RESOLUTION 4000000ull
#define SETTOD_MAX        (INT64_MAX / (int64_t)NSEC_PER_SEC - 30ll * 365 * 24 * 3600) // seconds: 30 years are left to count

int64_t linux_clock_gettime(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    struct linux_clock clock;
    nstime_t t;

    int64_t result = linux_clock_get(id, true, &clock);
    if (result != 0)
        return result;
    result = linux_clock_read(&clock, &t);
    linux_clock_put(&clock);
    return result != 0 ? result : linux_timespec_put(LINUX_ARG(f, 1), t);
}

int64_t linux_clock_getres(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    struct linux_clock clock;

    int64_t result = linux_clock_get(id, false, &clock);
    if (result != 0)
        return result;
    bool coarse = id == LINUX_CLOCK_REALTIME_COARSE || id == LINUX_CLOCK_MONOTONIC_COARSE ||
                  (clock.kind == LINUX_COUNTS_PROCESSOR && clock.cpu != LINUX_CPU_SCHEDULED);
    linux_clock_put(&clock);
    return LINUX_ARG(f, 1) == 0 ? 0 : linux_timespec_put(LINUX_ARG(f, 1), coarse ? COARSE_RESOLUTION : 1);
}

// --- setting ----------------------------------------------------------------------------------------------------------

static bool wall_valid(const struct linux_timespec *ts) {
    return ts->seconds >= 0 && ts->nanoseconds >= 0 && ts->nanoseconds < (int64_t)NSEC_PER_SEC &&
           ts->seconds < SETTOD_MAX;
}

// ts is valid, and the caller may.
static int64_t wall_set(const struct linux_timespec *ts) {
    nstime_t t = (nstime_t)ts->seconds * NSEC_PER_SEC + (nstime_t)ts->nanoseconds;

    if (t < clock_monotonic()) // the clock may not start before the machine did
        return -LINUX_EINVAL;
    wall_clock_set(t);
    return 0;
}

int64_t linux_clock_settime(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    struct linux_timespec ts;
    struct linux_clock clock;

    if (id >= 0 && id != LINUX_CLOCK_REALTIME)
        return -LINUX_EINVAL;
    if (arch_copy_from_user(&ts, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(ts)) != INV_OK)
        return -LINUX_EFAULT;
    if (id == LINUX_CLOCK_REALTIME) {
        if (!wall_valid(&ts))
            return -LINUX_EINVAL;
        return token_capable(linux_token(), CAP_SYS_TIME) ? wall_set(&ts) : -LINUX_EPERM;
    }
    int64_t result = linux_clock_get(id, false, &clock);
    linux_clock_put(&clock);
    return result != 0 ? result : -LINUX_EPERM; // nobody sets what a processor has counted
}

// --- sleeping ---------------------------------------------------------------------------------------------------------

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
    if (remaining != 0 && linux_timespec_put(remaining, deadline - now) != 0)
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

static int64_t wall_sleep(const struct linux_clock *clock, nstime_t t) {
    t = t == NSTIME_NEVER ? t : t - MIN(t, clock->offset);
    return wall_sleep_until(t, WAIT_INTERRUPTIBLE) == INV_OK ? 0 : -LINUX_ERESTARTNOHAND;
}

// Until a clock of processor time shows until. Whose clock has ended sleeps on: it will not come.
static inv_status_t processor_sleep(const struct linux_clock *clock, nstime_t until, nstime_t *out_now) {
    unsigned idle = 0;
    nstime_t seen = 0;

    for (;;) {
        nstime_t look = NSTIME_NEVER;
        if (linux_clock_read(clock, out_now) == 0) {
            if (*out_now >= until)
                return INV_OK;
            idle = *out_now == seen ? idle + 1 : 0;
            seen = *out_now;
            look = deadline_after(linux_clock_look_after(clock, until - seen, &idle));
        }
        inv_status_t s = thread_sleep_until(look, WAIT_INTERRUPTIBLE);
        if (s != INV_OK)
            return s;
    }
}

static int64_t processor_sleep_restart(struct linux_restart *r);

static int64_t processor_sleep_id(int id, nstime_t until, uint64_t remaining, bool absolute) {
    struct linux_clock clock;
    nstime_t now = 0;

    int64_t result = linux_clock_get(id, false, &clock);
    if (result != 0)
        return result;
    if (!absolute && linux_clock_read(&clock, &now) == 0)
        until = until >= NSTIME_NEVER - now ? NSTIME_NEVER : now + until;
    inv_status_t s = processor_sleep(&clock, until, &now);
    linux_clock_put(&clock);
    if (s == INV_OK)
        return 0;
    if (absolute && remaining == UINT64_MAX)
        return -LINUX_ERESTARTNOHAND;
    if (remaining != 0 && linux_timespec_put(remaining, until > now ? until - now : 0) != 0)
        return -LINUX_EFAULT;
    struct linux_restart r = {processor_sleep_restart, {(uint64_t)(int64_t)id, until, remaining}};
    return linux_set_restart(&r);
}

static int64_t processor_sleep_restart(struct linux_restart *r) {
    return processor_sleep_id((int)r->args[0], r->args[1], r->args[2], true);
}

static bool can_sleep_on(int id) {
    return !linux_clock_of_descriptor(id) && id != LINUX_CLOCK_THREAD_CPUTIME && id != LINUX_CLOCK_MONOTONIC_RAW &&
           id != LINUX_CLOCK_REALTIME_COARSE && id != LINUX_CLOCK_MONOTONIC_COARSE;
}

int64_t linux_clock_nanosleep(struct arch_frame *f) {
    int id = (int)LINUX_ARG(f, 0);
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    bool absolute = (flags & LINUX_TIMER_ABSTIME) != 0;
    struct linux_clock clock = {0};
    nstime_t t;

    int64_t result = id < 0 ? 0 : linux_clock_get(id, false, &clock);
    linux_clock_put(&clock);
    if (result == 0 && !can_sleep_on(id))
        result = -LINUX_EOPNOTSUPP;
    if (result == 0)
        result = linux_timespec_get(LINUX_ARG(f, 2), &t);
    if (result != 0)
        return result;
    if (id < 0 || id == LINUX_CLOCK_PROCESS_CPUTIME) {
        bool own = (id & 4) != 0 && (~(id >> 3) == 0 || ~(id >> 3) == linux_current()->pid->number);
        return id < 0 && own ? -LINUX_EINVAL
                             : processor_sleep_id(id, t, absolute ? UINT64_MAX : LINUX_ARG(f, 3), absolute);
    }
    if (linux_clock_is_alarm(id) && (flags & ~LINUX_TIMER_ABSTIME))
        return -LINUX_EINVAL;
    if (linux_clock_is_alarm(id) && !token_capable(linux_token(), CAP_WAKE_ALARM))
        return -LINUX_EPERM;
    if (!absolute)
        return sleep_until(deadline_after(t), LINUX_ARG(f, 3), false);
    return clock.kind == LINUX_COUNTS_WALL ? wall_sleep(&clock, t) : sleep_until(t, 0, true);
}

// --- older forms ------------------------------------------------------------------------------------------------------

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

// The first zone alone that is set tells that the machine's clock showed local time: it is put right, once.
static void zone_set(const struct user_timezone *tz, bool alone) {
    static _Atomic bool told;
    uint64_t kept;

    memcpy(&kept, tz, sizeof(kept));
    atomic_store(&timezone_kept, kept);
    if (!atomic_exchange(&told, true) && alone && tz->minutes_west != 0)
        wall_clock_set(clock_wall() + (nstime_t)((int64_t)tz->minutes_west * 60 * (int64_t)NSEC_PER_SEC));
}

int64_t linux_settimeofday(struct arch_frame *f) {
    bool has_time = LINUX_ARG(f, 0) != 0, has_zone = LINUX_ARG(f, 1) != 0;
    struct user_timeval tv = {0};
    struct user_timezone tz;

    if (has_time && arch_copy_from_user(&tv, (const void user_ptr *)LINUX_ARG(f, 0), sizeof(tv)) != INV_OK)
        return -LINUX_EFAULT;
    if (tv.microseconds < 0 || tv.microseconds > 1000000)
        return -LINUX_EINVAL;
    if (has_zone && arch_copy_from_user(&tz, (const void user_ptr *)LINUX_ARG(f, 1), sizeof(tz)) != INV_OK)
        return -LINUX_EFAULT;
    struct linux_timespec ts = {tv.seconds, tv.microseconds * (int64_t)NSEC_PER_USEC};
    if (has_time && !wall_valid(&ts))
        return -LINUX_EINVAL;
    if (!token_capable(linux_token(), CAP_SYS_TIME))
        return -LINUX_EPERM;
    if (has_zone && (tz.minutes_west > 15 * 60 || tz.minutes_west < -15 * 60))
        return -LINUX_EINVAL;
    if (has_zone)
        zone_set(&tz, !has_time);
    return has_time ? wall_set(&ts) : 0;
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
        t[2] = (int64_t)(p->children_usage.times.user / LINUX_TICK);
        t[3] = (int64_t)(p->children_usage.times.system / LINUX_TICK);
        spin_unlock(&linux_tree_lock);
        t[0] = (int64_t)(own.times.user / LINUX_TICK);
        t[1] = (int64_t)(own.times.system / LINUX_TICK);
        if (arch_copy_to_user((void user_ptr *)LINUX_ARG(f, 0), t, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return (int64_t)(clock_monotonic() / LINUX_TICK);
}
