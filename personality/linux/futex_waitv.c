// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// futex_waitv: waits on up to 128 words at once, until one is woken. Context: system call. Each word has a waiter of its own, all of the calling thread.
#include "futex.h"

#include <arch/usercopy.h>
#include <kernel/slab.h>

#define WAITERS_MAX     128u
#define FUTEX_32        2u
#define CLOCK_REALTIME  0
#define CLOCK_MONOTONIC 1

struct waitv_word { // as user memory has it
    uint64_t value, address;
    uint32_t flags, reserved;
};
struct waitv_waiter {
    struct futex_waiter futex;
    struct futex_key key; // the first one: requeue changes the waiter's
    uint64_t address;
    uint32_t value;
    bool shared, counted;
};

static int64_t words_get(uint64_t user, struct waitv_waiter *w, unsigned n) {
    struct waitv_word word;

    for (unsigned i = 0; i < n; i++) {
        if (arch_copy_from_user(&word, (const void user_ptr *)(user + i * sizeof(word)), sizeof(word)) != INV_OK)
            return -LINUX_EFAULT;
        if ((word.flags & ~(FUTEX_32 | FUTEX_PRIVATE)) || word.reserved != 0 || !(word.flags & FUTEX_32))
            return -LINUX_EINVAL;
        w[i].address = word.address;
        w[i].value = (uint32_t)word.value;
        w[i].shared = !(word.flags & FUTEX_PRIVATE);
    }
    return 0;
}

// Leaves the first n. The last of them that was woken, or -1.
static int64_t leave(struct waitv_waiter *w, unsigned n) {
    int64_t woken = -1;

    for (unsigned i = 0; i < n; i++) {
        futex_leave(&w[i].futex);
        if (w[i].futex.woken)
            woken = i;
    }
    return woken;
}

static bool any_woken(const struct waitv_waiter *w, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (*(const volatile bool *)&w[i].futex.woken)
            return true;
    return false;
}

// All keys are there. The index of one that was woken, or an error.
static int64_t wait_on_all(struct waitv_waiter *w, unsigned n, nstime_t deadline) {
    inv_status_t s = INV_OK;

    for (unsigned i = 0; i < n; i++) {
        w[i].futex = (struct futex_waiter){.thread = current_thread(), .bits = FUTEX_MATCH_ANY, .key = w[i].key};
        int64_t result = futex_enter(&w[i].futex, w[i].address, w[i].value);
        if (result != 0) {
            int64_t woken = leave(w, i);
            return woken >= 0 ? woken : result;
        }
    }
    for (;;) {
        thread_sleep_prepare(WAIT_INTERRUPTIBLE);
        if (any_woken(w, n) || s != INV_OK)
            break;
        s = thread_sleep(deadline);
    }
    thread_sleep_finish();
    int64_t woken = leave(w, n);
    return woken >= 0 ? woken : s == INV_ERR_TIMED_OUT ? -LINUX_ETIMEDOUT : -LINUX_ERESTARTSYS;
}

static int64_t deadline_get(uint64_t user, int clock, nstime_t *out) {
    nstime_t t;

    *out = NSTIME_NEVER;
    if (user == 0)
        return 0;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return -LINUX_EINVAL;
    int64_t result = linux_timespec_get(user, &t);
    if (result == 0 && t != NSTIME_NEVER)
        *out = futex_deadline(t, clock == CLOCK_REALTIME);
    return result;
}

int64_t linux_futex_waitv(struct arch_frame *f) {
    unsigned n = (unsigned)LINUX_ARG(f, 1), keys = 0;
    nstime_t deadline;

    if ((unsigned)LINUX_ARG(f, 2) != 0 || n == 0 || n > WAITERS_MAX || LINUX_ARG(f, 0) == 0)
        return -LINUX_EINVAL;
    int64_t result = deadline_get(LINUX_ARG(f, 3), (int)LINUX_ARG(f, 4), &deadline);
    if (result != 0)
        return result;
    struct waitv_waiter *w = kzalloc(n * sizeof(*w));
    if (w == NULL)
        return -LINUX_ENOMEM;
    result = words_get(LINUX_ARG(f, 0), w, n);
    for (; result == 0 && keys < n; keys += result == 0)
        result = futex_key_get(w[keys].address, w[keys].shared, &w[keys].key, &w[keys].counted);
    if (result == 0)
        result = wait_on_all(w, n, deadline);
    for (unsigned i = 0; i < keys; i++)
        futex_key_put(&w[i].key, w[i].counted);
    kfree(w);
    return result;
}
