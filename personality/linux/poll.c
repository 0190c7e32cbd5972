// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// poll, ppoll, select, pselect6. A first round asks each file without registering; only if nothing is ready a poll set is made and a second round registers with
// every queue, after which no event is missed.

#include <kernel/slab.h>
#include <kernel/string.h>
#include <kernel/time.h>

#include "files.h"

struct linux_pollfd {
    int32_t fd;
    int16_t events, revents;
};

struct polled {
    struct fd_ref ref; // file NULL: not open
    struct linux_pollfd user;
    unsigned wanted; // what counts: a wait goes on over everything else
};

#define POLL_ALWAYS (POLL_ERR | POLL_HUP)

// --- the rounds -------------------------------------------------------------------------------------------------------

// Asks all; returns how many have something to tell.
static unsigned poll_round(struct polled *p, unsigned n, struct poll_set *set) {
    unsigned ready = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned mask = 0;
        if (p[i].ref.file != NULL) {
            if (set != NULL)
                set->key = p[i].wanted;
            mask = file_poll(p[i].ref.file, ready == 0 ? set : NULL) & p[i].wanted;
        } else if (p[i].user.fd >= 0) {
            mask = POLL_NVAL;
        }
        p[i].user.revents = (int16_t)mask;
        ready += mask != 0;
    }
    return ready;
}

// deadline 0: no wait. Number ready (0: time is up) or -errno; -ERESTARTNOHAND when interrupted.
static int64_t poll_wait(struct polled *p, unsigned n, nstime_t deadline) {
    unsigned ready = poll_round(p, n, NULL);
    if (ready != 0 || deadline == 0)
        return ready;
    struct poll_set *set = poll_set_create(n);
    if (set == NULL)
        return -LINUX_ENOMEM;
    inv_status_t s = INV_OK;
    ready = poll_round(p, n, set);
    while (ready == 0 && s == INV_OK) {
        s = poll_set_wait(set, deadline);
        if (s == INV_OK || s == INV_ERR_TIMED_OUT)
            ready = poll_round(p, n, NULL);
    }
    poll_set_destroy(set);
    if (ready != 0 || s == INV_ERR_TIMED_OUT)
        return ready;
    return s == INV_ERR_INTERRUPTED ? -LINUX_ERESTARTNOHAND : linux_result(s);
}

// False: no such descriptor. One that only names a file is there, but has no file to be asked.
static bool poll_open(struct polled *p) {
    if (p->user.fd < 0 || linux_fd_raw((uint64_t)p->user.fd, &p->ref) != 0) {
        p->ref.file = NULL;
        return false;
    }
    if ((p->ref.file->flags & O_PATH_) != 0) {
        fd_return(&p->ref);
        p->ref.file = NULL;
    }
    return true;
}

static void poll_close(struct polled *p, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (p[i].ref.file != NULL)
            fd_return(&p[i].ref);
    kfree(p);
}

// --- poll -------------------------------------------------------------------------------------------------------------

static int64_t poll_copy_in(uint64_t user, struct polled *p, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (arch_copy_from_user(&p[i].user, (const void user_ptr *)(uintptr_t)(user + i * sizeof(struct linux_pollfd)),
                                sizeof(struct linux_pollfd)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return 0;
}

static int64_t poll_copy_out(uint64_t user, const struct polled *p, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = user + i * sizeof(struct linux_pollfd) + offsetof(struct linux_pollfd, revents);
        if (arch_copy_to_user((void user_ptr *)(uintptr_t)at, &p[i].user.revents, sizeof(int16_t)) != INV_OK)
            return -LINUX_EFAULT;
    }
    return 0;
}

static int64_t poll_user(uint64_t user, uint64_t count, nstime_t deadline) {
    if (count > linux_limit(LINUX_RLIMIT_NOFILE))
        return -LINUX_EINVAL;
    unsigned n = (unsigned)count;
    struct polled *p = kmalloc(MAX(n, 1u) * sizeof(*p));
    if (p == NULL)
        return -LINUX_ENOMEM;
    int64_t result = poll_copy_in(user, p, n);
    if (result != 0) {
        kfree(p);
        return result;
    }
    for (unsigned i = 0; i < n; i++) {
        p[i].wanted = (uint16_t)p[i].user.events | POLL_ALWAYS;
        (void)poll_open(&p[i]);
    }
    result = poll_wait(p, n, deadline);
    if (result >= 0) {
        int64_t copied = poll_copy_out(user, p, n);
        if (copied != 0)
            result = copied;
    }
    poll_close(p, n);
    return result;
}

static int64_t poll_again(struct linux_restart *r) {
    int64_t result = poll_user(r->args[0], r->args[1], r->args[2]);
    return result == -LINUX_ERESTARTNOHAND ? linux_set_restart(r) : result;
}

// Milliseconds; negative: for ever. 0 as a deadline means: do not wait.
static nstime_t deadline_of_milliseconds(int timeout) {
    if (timeout < 0)
        return NSTIME_NEVER;
    return timeout == 0 ? 0 : deadline_after((nstime_t)timeout * NSEC_PER_MSEC);
}

int64_t linux_poll(struct arch_frame *f) {
    struct linux_restart r = {
        .fn = poll_again,
        .args = {LINUX_ARG(f, 0), (uint32_t)LINUX_ARG(f, 1), deadline_of_milliseconds((int)LINUX_ARG(f, 2))}};
    return poll_again(&r);
}

// --- times of ppoll and select ----------------------------------------------------------------------------------------

// *out_deadline from a timespec in user memory (0: for ever).
static int64_t deadline_get(uint64_t user, nstime_t *out_deadline) {
    nstime_t duration;
    *out_deadline = NSTIME_NEVER;
    if (user == 0)
        return 0;
    int64_t result = linux_timespec_get(user, &duration);
    if (result == 0)
        *out_deadline = duration == 0 ? 0 : deadline_after(duration);
    return result;
}

static nstime_t time_left(nstime_t deadline) {
    nstime_t now = clock_monotonic();
    return deadline > now ? deadline - now : 0;
}

// What is left goes back to the program, in units of a second's fraction; a program that cannot take it goes without.
static void left_put(uint64_t user, nstime_t deadline, nstime_t unit) {
    if (user == 0 || deadline == NSTIME_NEVER)
        return;
    nstime_t left = deadline == 0 ? 0 : time_left(deadline);
    int64_t pair[2] = {(int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC / unit)};
    (void)!arch_copy_to_user((void user_ptr *)(uintptr_t)user, pair, sizeof(pair));
}

int64_t linux_ppoll(struct arch_frame *f) {
    nstime_t deadline;
    int64_t result = deadline_get(LINUX_ARG(f, 2), &deadline);
    if (result != 0)
        return result;
    result = linux_sigmask_begin(LINUX_ARG(f, 3), LINUX_ARG(f, 4));
    if (result != 0)
        return result;
    result = poll_user(LINUX_ARG(f, 0), (uint32_t)LINUX_ARG(f, 1), deadline);
    linux_sigmask_end(result == -LINUX_ERESTARTNOHAND);
    left_put(LINUX_ARG(f, 2), deadline, 1);
    return result;
}

// --- select -----------------------------------------------------------------------------------------------------------

#define SELECT_IN  (POLL_RDNORM | POLL_RDBAND | POLL_IN | POLL_HUP | POLL_ERR | POLL_NVAL)
#define SELECT_OUT (POLL_WRBAND | POLL_WRNORM | POLL_OUT | POLL_ERR | POLL_NVAL)
#define SELECT_EX  (POLL_PRI | POLL_NVAL)

struct select_sets {
    uint64_t user[3]; // addresses, 0: not given
    uint64_t *wanted[3], *result[3];
    size_t words;
    uint64_t *memory;
};
static const unsigned select_masks[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

static int64_t sets_get(struct select_sets *s, unsigned n) {
    s->words = (n + 63) / 64;
    s->memory = kzalloc(MAX(s->words, (size_t)1) * 6 * sizeof(uint64_t));
    if (s->memory == NULL)
        return -LINUX_ENOMEM;
    for (int i = 0; i < 3; i++) {
        s->wanted[i] = s->memory + (size_t)i * s->words;
        s->result[i] = s->memory + (size_t)(3 + i) * s->words;
        if (s->user[i] != 0 && arch_copy_from_user(s->wanted[i], (const void user_ptr *)(uintptr_t)s->user[i],
                                                   s->words * sizeof(uint64_t)) != INV_OK) {
            kfree(s->memory);
            return -LINUX_EFAULT;
        }
        if (n % 64 != 0)
            s->wanted[i][s->words - 1] &= (1ull << (n % 64)) - 1; // the others are not looked at
    }
    return 0;
}

static int64_t sets_put(const struct select_sets *s) {
    for (int i = 0; i < 3; i++)
        if (s->user[i] != 0 && arch_copy_to_user((void user_ptr *)(uintptr_t)s->user[i], s->result[i],
                                                 s->words * sizeof(uint64_t)) != INV_OK)
            return -LINUX_EFAULT;
    return 0;
}

// The descriptors of one word that stand in any set.
static uint64_t sets_word(const struct select_sets *s, size_t word) {
    return s->wanted[0][word] | s->wanted[1][word] | s->wanted[2][word];
}

static unsigned sets_count(const struct select_sets *s) {
    unsigned count = 0;
    for (size_t word = 0; word < s->words; word++)
        for (uint64_t left = sets_word(s, word); left != 0; left &= left - 1)
            count++;
    return count;
}

// What is waited for at a descriptor: events of poll.
static unsigned sets_events(const struct select_sets *s, size_t word, uint64_t bit) {
    unsigned events = 0;
    for (int i = 0; i < 3; i++)
        events |= (s->wanted[i][word] & bit) != 0 ? select_masks[i] : 0;
    return events;
}

// One entry for each descriptor in any set. EBADF if one of them is not open.
static int64_t sets_open(const struct select_sets *s, struct polled *p, unsigned *out_count) {
    unsigned count = 0;
    int64_t result = 0;
    for (size_t word = 0; word < s->words && result == 0; word++) {
        for (uint64_t left = sets_word(s, word); left != 0 && result == 0; left &= left - 1) {
            unsigned at = (unsigned)__builtin_ctzll(left);
            p[count].user.fd = (int32_t)(word * 64 + at);
            p[count].wanted = sets_events(s, word, 1ull << at);
            if (!poll_open(&p[count]))
                result = -LINUX_EBADF;
            count++;
        }
    }
    *out_count = count;
    return result;
}

// ERR and HUP are always reported by poll, but count here only for the sets they belong to.
static unsigned sets_fill(struct select_sets *s, const struct polled *p, unsigned count) {
    unsigned bits = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned fd = (unsigned)p[i].user.fd, ready = (uint16_t)p[i].user.revents;
        uint64_t bit = 1ull << (fd % 64);
        if (ready == 0)
            continue;
        for (int k = 0; k < 3; k++) {
            if ((s->wanted[k][fd / 64] & bit) != 0 && (ready & select_masks[k]) != 0) {
                s->result[k][fd / 64] |= bit;
                bits++;
            }
        }
    }
    return bits;
}

static int64_t select_sets_wait(struct select_sets *s, nstime_t deadline) {
    unsigned count = sets_count(s);
    struct polled *p = kmalloc(MAX(count, 1u) * sizeof(*p));
    if (p == NULL)
        return -LINUX_ENOMEM;
    int64_t result = sets_open(s, p, &count);
    if (result == 0)
        result = poll_wait(p, count, deadline);
    if (result > 0)
        result = sets_fill(s, p, count);
    poll_close(p, count);
    return result;
}

static int64_t select_user(struct arch_frame *f, nstime_t deadline) {
    int n = (int)LINUX_ARG(f, 0);
    struct select_sets s = {.user = {LINUX_ARG(f, 1), LINUX_ARG(f, 2), LINUX_ARG(f, 3)}};
    if (n < 0)
        return -LINUX_EINVAL;
    unsigned most = (unsigned)MIN((unsigned)n, fd_table_size(linux_fds()));
    int64_t result = sets_get(&s, most);
    if (result != 0)
        return result;
    result = select_sets_wait(&s, deadline);
    if (result >= 0) {
        int64_t copied = sets_put(&s);
        if (copied != 0)
            result = copied;
    }
    kfree(s.memory);
    return result;
}

int64_t linux_select(struct arch_frame *f) {
    int64_t t[2];
    nstime_t deadline = NSTIME_NEVER;
    uint64_t user = LINUX_ARG(f, 4);
    if (user != 0) {
        if (arch_copy_from_user(t, (const void user_ptr *)(uintptr_t)user, sizeof(t)) != INV_OK)
            return -LINUX_EFAULT;
        // Microseconds of a second and more are carried over, as Linux does.
        struct linux_timespec ts = {.nanoseconds = t[1] % 1000000 * 1000};
        if (__builtin_add_overflow(t[0], t[1] / 1000000, &ts.seconds))
            return -LINUX_EINVAL;
        nstime_t duration;
        int64_t result = linux_timespec_check(&ts, &duration);
        if (result != 0)
            return result;
        deadline = duration == 0 ? 0 : deadline_after(duration);
    }
    int64_t result = select_user(f, deadline);
    left_put(user, deadline, NSEC_PER_USEC);
    return result;
}

int64_t linux_pselect6(struct arch_frame *f) {
    uint64_t mask[2] = {0, 0}; // address and size of the signal set
    nstime_t deadline;
    if (LINUX_ARG(f, 5) != 0 &&
        arch_copy_from_user(mask, (const void user_ptr *)(uintptr_t)LINUX_ARG(f, 5), sizeof(mask)) != INV_OK)
        return -LINUX_EFAULT;
    int64_t result = deadline_get(LINUX_ARG(f, 4), &deadline);
    if (result != 0)
        return result;
    result = linux_sigmask_begin(mask[0], mask[1]);
    if (result != 0)
        return result;
    result = select_user(f, deadline);
    linux_sigmask_end(result == -LINUX_ERESTARTNOHAND);
    left_put(LINUX_ARG(f, 4), deadline, 1);
    return result;
}
