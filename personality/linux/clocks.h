// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Clocks: their numbers, what they read, and how times stand in user memory. Shared by the calls on clocks, sleeps and timers.
//
// Invariants of struct linux_clock: process is counted for the clocks of a process or thread, else NULL; thread_id is 0 or a thread of it.
#ifndef LINUX_CLOCKS_H
#define LINUX_CLOCKS_H

#include "process.h"

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

// A clock behind a descriptor: there is no device that has one.
static inline bool linux_clock_of_descriptor(int clock) {
    return clock < 0 && (clock & 7) == 3;
}

// What a clock counts.
enum linux_clock_kind { LINUX_COUNTS_WALL, LINUX_COUNTS_BOOT, LINUX_COUNTS_PROCESSOR };
// Which part of processor time: the low bits of a clock's number.
enum linux_cpu_kind { LINUX_CPU_PROF, LINUX_CPU_VIRTUAL, LINUX_CPU_SCHEDULED };
struct linux_clock {
    int id;
    enum linux_clock_kind kind;
    enum linux_cpu_kind cpu;
    nstime_t offset;               // TAI: added to wall time
    struct linux_process *process; // processor time: whose; counted
    int thread_id;                 // processor time: of this thread alone; 0: of all
};

// --- clocks.c ---
// What the number means for the current thread. EINVAL: nothing. for_reading: a thread's number may stand for its process, where it is the caller's own.
// Given back by linux_clock_put.
int64_t linux_clock_get(int id, bool for_reading, struct linux_clock *out);
static inline void linux_clock_put(struct linux_clock *c) {
    if (c->process != NULL)
        linux_process_put(c->process);
    c->process = NULL;
}
// EINVAL: what it counted has ended. Thread or interrupt context, no process's lock held. The second is linux_clock_read's way where a processor is counted.
int64_t linux_clock_read_processor(const struct linux_clock *c, nstime_t *out);
static inline int64_t linux_clock_read(const struct linux_clock *c, nstime_t *out) {
    if (c->kind == LINUX_COUNTS_PROCESSOR)
        return linux_clock_read_processor(c, out);
    *out = c->kind == LINUX_COUNTS_WALL ? clock_wall() + c->offset : clock_monotonic();
    return 0;
}
// The same for what counts processor time of p, whose lock is held. 0 where it has ended.
nstime_t linux_clock_read_locked(const struct linux_clock *c);
// How long from now until a clock of processor time can show left more at the earliest; *idle counts looks at which it stood still, and stretches them.
nstime_t linux_clock_look_after(const struct linux_clock *c, nstime_t left, unsigned *idle);
nstime_t linux_wall_tai_offset(void); // adjtime.c

// --- times in user memory ---
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
