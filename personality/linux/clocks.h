// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks: their numbers, and how times stand in user memory. Shared by the calls on clocks, sleeps and timers.
#ifndef LINUX_CLOCKS_H
#define LINUX_CLOCKS_H

#include "calls.h"

#include <arch/usercopy.h>

enum {
    LINUX_CLOCK_REALTIME,
    LINUX_CLOCK_MONOTONIC,
    LINUX_CLOCK_PROCESS_CPUTIME,
    LINUX_CLOCK_THREAD_CPUTIME,
    LINUX_CLOCK_MONOTONIC_RAW,
    LINUX_CLOCK_REALTIME_COARSE,
    LINUX_CLOCK_MONOTONIC_COARSE,
    LINUX_CLOCK_BOOTTIME,
    LINUX_CLOCK_REALTIME_ALARM,
    LINUX_CLOCK_BOOTTIME_ALARM,
    LINUX_CLOCK_TAI = 11
};
#define LINUX_TIMER_ABSTIME 1u

static inline bool linux_clock_is_alarm(int clock) {
    return clock == LINUX_CLOCK_REALTIME_ALARM || clock == LINUX_CLOCK_BOOTTIME_ALARM;
}

struct linux_itimerspec {
    struct linux_timespec interval, value;
};
static inline struct linux_timespec linux_timespec_of(nstime_t t) {
    return (struct linux_timespec){(int64_t)(t / NSEC_PER_SEC), (int64_t)(t % NSEC_PER_SEC)};
}
// EFAULT.
static inline int64_t linux_timespec_put(uint64_t user, nstime_t t) {
    struct linux_timespec ts = linux_timespec_of(t);
    return arch_copy_to_user((void user_ptr *)user, &ts, sizeof(ts)) == INV_OK ? 0 : -LINUX_EFAULT;
}
static inline int64_t linux_itimerspec_put(uint64_t user, nstime_t value, nstime_t interval) {
    struct linux_itimerspec spec = {linux_timespec_of(interval), linux_timespec_of(value)};
    return arch_copy_to_user((void user_ptr *)user, &spec, sizeof(spec)) == INV_OK ? 0 : -LINUX_EFAULT;
}

#endif
