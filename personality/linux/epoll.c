// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// epoll_create, epoll_ctl, epoll_wait and their kin. The sets themselves are executive/event/epoll.c.
#include "files.h"
#include "process.h"

#include <arch/mmu.h>
#include <arch/usercopy.h>
#include <executive/event.h>

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define REPORTS_MAX   (INT32_MAX / (int)sizeof(struct epoll_report))
// What may stand beside EPOLLEXCLUSIVE.
#define EXCLUSIVE_OK (POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | EPOLL_WAKEUP | EPOLL_EDGE | EPOLL_EXCLUSIVE)

static int64_t create(unsigned flags) {
    struct file *f;

    if (flags & ~O_CLOEXEC_)
        return -LINUX_EINVAL;
    inv_status_t s = epoll_create(&f);
    return s == INV_OK ? linux_fd_give(f, flags != 0) : linux_result(s);
}

int64_t linux_epoll_create(struct arch_frame *f) {
    return (int)LINUX_ARG(f, 0) <= 0 ? -LINUX_EINVAL : create(0);
}

int64_t linux_epoll_create1(struct arch_frame *f) {
    return create((unsigned)LINUX_ARG(f, 0));
}

// --- epoll_ctl ---

static int64_t control(struct file *epoll, struct file *f, int fd, int operation, struct epoll_report *wanted) {
    bool has_event = operation != EPOLL_CTL_DEL;

    if (f->ops->poll == NULL)
        return -LINUX_EPERM;
    if (has_event && !token_capable(linux_token(), CAP_BLOCK_SUSPEND))
        wanted->events &= ~EPOLL_WAKEUP;
    if (epoll == f || !epoll_is(epoll))
        return -LINUX_EINVAL;
    if (has_event && (wanted->events & EPOLL_EXCLUSIVE) != 0 &&
        (operation == EPOLL_CTL_MOD ||
         (operation == EPOLL_CTL_ADD && (epoll_is(f) || (wanted->events & ~EXCLUSIVE_OK) != 0))))
        return -LINUX_EINVAL;
    switch (operation) {
    case EPOLL_CTL_ADD: return linux_result(epoll_add(epoll, f, fd, wanted));
    case EPOLL_CTL_MOD: return linux_result(epoll_modify(epoll, f, fd, wanted));
    case EPOLL_CTL_DEL: return linux_result(epoll_remove(epoll, f, fd));
    default: return -LINUX_EINVAL;
    }
}

int64_t linux_epoll_ctl(struct arch_frame *f) {
    int operation = (int)LINUX_ARG(f, 1), fd = (int)LINUX_ARG(f, 2);
    struct epoll_report wanted = {0};
    struct fd_ref epoll, file;

    if (operation != EPOLL_CTL_DEL &&
        arch_copy_from_user(&wanted, (const void user_ptr *)LINUX_ARG(f, 3), sizeof(wanted)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &epoll);
    if (result != 0)
        return result;
    result = linux_fd((uint64_t)fd, &file);
    if (result == 0) {
        result = control(epoll.file, file.file, fd, operation, &wanted);
        fd_return(&file);
    }
    fd_return(&epoll);
    return result;
}

// --- waiting ---

static int64_t wait(struct arch_frame *f, nstime_t deadline) {
    int most = (int)LINUX_ARG(f, 2);
    unsigned n = 0;
    struct fd_ref epoll;

    if (most <= 0 || most > REPORTS_MAX)
        return -LINUX_EINVAL;
    if (LINUX_ARG(f, 1) > ARCH_USER_END ||
        (uint64_t)most * sizeof(struct epoll_report) > ARCH_USER_END - LINUX_ARG(f, 1))
        return -LINUX_EFAULT;
    int64_t result = linux_fd(LINUX_ARG(f, 0), &epoll);
    if (result != 0)
        return result;
    if (epoll_is(epoll.file)) {
        inv_status_t s = epoll_wait(epoll.file, (void user_ptr *)LINUX_ARG(f, 1), (unsigned)most, deadline, &n);
        result = s == INV_OK ? (int64_t)n : linux_result(s);
    } else {
        result = -LINUX_EINVAL;
    }
    fd_return(&epoll);
    return result;
}

static nstime_t deadline_of(int milliseconds) {
    if (milliseconds < 0)
        return NSTIME_NEVER;
    return milliseconds == 0 ? 0 : deadline_after((nstime_t)milliseconds * NSEC_PER_MSEC);
}

int64_t linux_epoll_wait(struct arch_frame *f) {
    return wait(f, deadline_of((int)LINUX_ARG(f, 3)));
}

static int64_t wait_masked(struct arch_frame *f, nstime_t deadline) {
    int64_t result = linux_sigmask_begin(LINUX_ARG(f, 4), LINUX_ARG(f, 5));

    if (result != 0)
        return result;
    result = wait(f, deadline);
    linux_sigmask_end(result == -LINUX_EINTR);
    return result;
}

int64_t linux_epoll_pwait(struct arch_frame *f) {
    return wait_masked(f, deadline_of((int)LINUX_ARG(f, 3)));
}

int64_t linux_epoll_pwait2(struct arch_frame *f) {
    nstime_t duration, deadline = NSTIME_NEVER;

    if (LINUX_ARG(f, 3) != 0) {
        int64_t result = linux_timespec_get(LINUX_ARG(f, 3), &duration);
        if (result != 0)
            return result;
        deadline = duration == 0 ? 0 : deadline_after(duration);
    }
    return wait_masked(f, deadline);
}
