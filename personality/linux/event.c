// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// eventfd and timerfd: executive/event's counters and timers as Linux's calls have them.
#include "clocks.h"
#include "files.h"
#include "process.h"

#include <arch/usercopy.h>
#include <executive/event.h>

#define EFD_SEMAPHORE 1u

// --- eventfd ---

static int64_t counter_create(uint64_t value, unsigned flags) {
    struct file *f;

    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC_ | O_NONBLOCK_))
        return -LINUX_EINVAL;
    inv_status_t s = event_counter_create(value, (flags & EFD_SEMAPHORE) != 0, O_RDWR_ | (flags & O_NONBLOCK_), &f);
    return s == INV_OK ? linux_fd_give(f, (flags & O_CLOEXEC_) != 0) : linux_result(s);
}

int64_t linux_eventfd(struct arch_frame *f) {
    return counter_create((uint32_t)LINUX_ARG(f, 0), 0);
}

int64_t linux_eventfd2(struct arch_frame *f) {
    return counter_create((uint32_t)LINUX_ARG(f, 0), (unsigned)LINUX_ARG(f, 1));
}

// --- timerfd ---

int64_t linux_timerfd_create(struct arch_frame *f) {
    int clock = (int)LINUX_ARG(f, 0);
    unsigned flags = (unsigned)LINUX_ARG(f, 1);
    bool wall = clock == LINUX_CLOCK_REALTIME || clock == LINUX_CLOCK_REALTIME_ALARM;
    struct file *file;

    if ((flags & ~(O_CLOEXEC_ | O_NONBLOCK_)) || (!wall && clock != LINUX_CLOCK_MONOTONIC &&
                                                  clock != LINUX_CLOCK_BOOTTIME && clock != LINUX_CLOCK_BOOTTIME_ALARM))
        return -LINUX_EINVAL;
    if (linux_clock_is_alarm(clock) && !token_capable(linux_token(), CAP_WAKE_ALARM))
        return -LINUX_EPERM;
    inv_status_t s = event_timer_create(clock, wall, O_RDWR_ | (flags & O_NONBLOCK_), &file);
    return s == INV_OK ? linux_fd_give(file, (flags & O_CLOEXEC_) != 0) : linux_result(s);
}

static int64_t timer_fd(uint64_t fd, struct fd_ref *out) {
    int64_t result = linux_fd(fd, out);

    if (result == 0 && !event_timer_is(out->file)) {
        fd_return(out);
        return -LINUX_EINVAL;
    }
    return result;
}

int64_t linux_timerfd_settime(struct arch_frame *f) {
    struct event_timer_setting fresh, old;
    struct linux_itimerspec spec;
    struct fd_ref file;

    if (arch_copy_from_user(&spec, (const void user_ptr *)LINUX_ARG(f, 2), sizeof(spec)) != INV_OK)
        return -LINUX_EFAULT;
    if ((LINUX_ARG(f, 1) & UINT32_MAX & ~(uint64_t)(EVENT_TIMER_ABSOLUTE | EVENT_TIMER_CANCEL_ON_SET)) != 0 ||
        linux_timespec_check(&spec.value, &fresh.value) != 0 ||
        linux_timespec_check(&spec.interval, &fresh.interval) != 0)
        return -LINUX_EINVAL;
    int64_t result = timer_fd(LINUX_ARG(f, 0), &file);
    if (result != 0)
        return result;
    if (linux_clock_is_alarm(event_timer_clock(file.file)) && !token_capable(linux_token(), CAP_WAKE_ALARM))
        result = -LINUX_EPERM;
    else
        result = linux_result(event_timer_set(file.file, (unsigned)LINUX_ARG(f, 1), &fresh, &old));
    fd_return(&file);
    if (result == 0 && LINUX_ARG(f, 3) != 0)
        result = linux_itimerspec_put(LINUX_ARG(f, 3), old.value, old.interval);
    return result;
}

int64_t linux_timerfd_gettime(struct arch_frame *f) {
    struct event_timer_setting now;
    struct fd_ref file;
    int64_t result = timer_fd(LINUX_ARG(f, 0), &file);

    if (result != 0)
        return result;
    event_timer_get(file.file, &now);
    fd_return(&file);
    return linux_itimerspec_put(LINUX_ARG(f, 1), now.value, now.interval);
}
