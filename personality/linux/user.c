// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// How many threads and zombies each real user has, for RLIMIT_NPROC, and how many signals are queued for them, for RLIMIT_SIGPENDING; and how many threads
// the machine bears. A user's threads are one group of the fair class. A number in use (struct linux_pid) is charged to one user from
// clone to exit (a thread's) or wait (a process's); setuid moves the charge. The limits are what keeps a fork bomb an affair of the user who lit it.
//
// Invariants: an entry's tasks are the numbers that point to it, its signals the queue entries that do; one without tasks is in the table only as long as
// it has signals, and until somebody passes who holds the lock that it takes to remove it.
// Locking: linux_tree_lock. A thread reads its own entry's count without: its number keeps the entry. Signals are counted by atomics: an entry may lose its
// last one in any context.
#include "process.h"
#include "system.h"

#include <kernel/boot.h>
#include <kernel/page.h>
#include <kernel/slab.h>

#define USER_BUCKETS 64
// What Linux counts a thread as: half a dozen pages of stack and structures, rounded up so that programs find its limits.
#define THREAD_COST (16u << 10)

struct linux_tunable linux_thread_limit = {.minimum = 1, .maximum = 0x3fffffff}; // set at boot
static struct linux_user *buckets[USER_BUCKETS];

static bool idle(const struct linux_user *u) {
    return atomic_load_explicit(&u->tasks, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&u->signals, memory_order_acquire) == 0;
}

// Removes a bucket's entries that nothing points to.
static void bucket_sweep(struct linux_user **at) {
    while (*at != NULL) {
        struct linux_user *u = *at;
        if (!idle(u)) {
            at = &u->next;
            continue;
        }
        *at = u->next;
        if (u->uid != 0)
            sched_group_put(u->share);
        kfree(u);
    }
}

static struct linux_user *user_create(uint32_t uid) {
    struct linux_user *u = kzalloc(sizeof(*u));

    if (u == NULL)
        return NULL;
    u->share = uid == 0 ? sched_group_system() : sched_group_create();
    if (u->share == NULL) {
        kfree(u);
        return NULL;
    }
    u->uid = uid;
    return u;
}

struct linux_user *linux_user_get_locked(uint32_t uid) {
    struct linux_user **bucket = &buckets[uid % USER_BUCKETS], *u;

    for (u = *bucket; u != NULL && u->uid != uid; u = u->next) {}
    if (u == NULL) {
        bucket_sweep(bucket);
        u = user_create(uid);
        if (u == NULL)
            return NULL;
        u->next = *bucket;
        *bucket = u;
    }
    linux_user_charge_locked(u);
    return u;
}

void linux_user_put_locked(struct linux_user *u) {
    unsigned tasks = atomic_load_explicit(&u->tasks, memory_order_relaxed) - 1;

    atomic_store_explicit(&u->tasks, tasks, memory_order_relaxed);
    if (tasks == 0)
        bucket_sweep(&buckets[u->uid % USER_BUCKETS]);
}

bool linux_user_signal_charge(struct linux_user *u, uint64_t limit) {
    if (atomic_fetch_add_explicit(&u->signals, 1, memory_order_relaxed) < limit)
        return true;
    atomic_fetch_sub_explicit(&u->signals, 1, memory_order_relaxed);
    return false;
}

void linux_user_signal_uncharge(struct linux_user *u) {
    atomic_fetch_sub_explicit(&u->signals, 1, memory_order_release);
}

// An eighth of the memory may go to threads.
static inv_status_t threads_max_init(void) {
    struct page_stats stats;

    page_get_stats(&stats);
    atomic_store(&linux_thread_limit.value, MIN(MAX(stats.total * PAGE_SIZE / 8 / THREAD_COST, 20), LINUX_PID_MAX / 2));
    return INV_OK;
}
BOOT_CALL("linux users", BOOT_STAGE_EXECUTIVE, threads_max_init);

unsigned linux_threads_max(void) {
    return (unsigned)atomic_load_explicit(&linux_thread_limit.value, memory_order_relaxed);
}

static bool limit_exempt(const struct token *token) {
    return token->uid == 0 || token_capable(token, CAP_SYS_RESOURCE) || token_capable(token, CAP_SYS_ADMIN);
}

bool linux_user_may_clone(void) {
    const struct linux_user *u = linux_current()->pid->user;
    uint64_t limit = linux_limit(LINUX_RLIMIT_NPROC);

    if (atomic_load_explicit(&u->tasks, memory_order_relaxed) >= limit && !limit_exempt(linux_token()))
        return false;
    return linux_pid_count() < linux_threads_max();
}

int64_t linux_user_change(uint32_t uid) {
    struct linux_thread *t = linux_current();
    struct linux_user *u, *old;

    spin_lock(&linux_tree_lock);
    old = t->pid->user;
    u = old->uid == uid ? NULL : linux_user_get_locked(uid);
    if (u != NULL) {
        t->user_over_limit = uid != 0 && atomic_load_explicit(&u->tasks, memory_order_relaxed) - 1 >
                                             linux_limit(LINUX_RLIMIT_NPROC);
        irq_flags_t flags = spin_lock_irq(&t->process->lock);
        t->pid->user = u;
        spin_unlock_irq(&t->process->lock, flags);
        sched_set_group(t->thread, u->share);
        linux_user_put_locked(old);
    }
    spin_unlock(&linux_tree_lock);
    return u != NULL || old->uid == uid ? 0 : -LINUX_EAGAIN;
}

bool linux_user_may_execute(void) {
    struct linux_thread *t = linux_current();

    if (!t->user_over_limit)
        return true;
    t->user_over_limit = atomic_load_explicit(&t->pid->user->tasks, memory_order_relaxed) >
                         linux_limit(LINUX_RLIMIT_NPROC);
    return !t->user_over_limit;
}
