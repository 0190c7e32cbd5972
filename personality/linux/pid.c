// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Process numbers and what bears them: processes, threads, groups and sessions share one space of numbers. A table of two levels, found by index.
//
// Locking: linux_tree_lock for everything. Lookups that outlive the lock count what they found.
#include "pid_map.h"
#include "process.h"
#include "system.h"

#include <kernel/slab.h>

#define LEAF_SLOTS 512

struct spinlock linux_tree_lock = SPINLOCK_INIT(LOCK_RANK_PERSONALITY_SPIN);
struct list_node linux_processes = LIST_INIT(linux_processes);
struct linux_process *linux_init;

struct linux_tunable linux_pid_limit = {.value = LINUX_PID_MAX, .minimum = 301, .maximum = LINUX_PID_MAX};

/* tree lock: */
static struct pid_map map;
static uint64_t last_serial;
static struct linux_pid **leaves[PID_MAP_SIZE / LEAF_SLOTS]; // leaves are never freed

// Makes sure that the leaf of the next numbers is there; an allocation may not happen in the middle of the commit.
static bool leaf_prepare(int number) {
    struct linux_pid ***slot = &leaves[number / LEAF_SLOTS];

    if (*slot == NULL)
        *slot = kzalloc(LEAF_SLOTS * sizeof(struct linux_pid *));
    return *slot != NULL;
}

// exact 0: the next free one.
static int64_t number_take(int exact, struct linux_pid **out) {
    struct linux_pid *p = kzalloc(sizeof(*p));
    int64_t result = 0;

    if (p == NULL)
        return -LINUX_ENOMEM;
    spin_lock(&linux_tree_lock);
    if (exact == 0)
        p->number = pid_map_take(&map, (int)atomic_load_explicit(&linux_pid_limit.value, memory_order_relaxed));
    else if (pid_map_take_exact(&map, exact))
        p->number = exact;
    if (p->number == 0)
        result = exact != 0 ? -LINUX_EEXIST : -LINUX_EAGAIN;
    else if (!leaf_prepare(p->number))
        result = -LINUX_ENOMEM;
    if (result == 0) {
        p->users = 1;
        p->serial = ++last_serial;
        leaves[p->number / LEAF_SLOTS][p->number % LEAF_SLOTS] = p;
    } else if (p->number != 0) {
        pid_map_give_back(&map, p->number);
    }
    spin_unlock(&linux_tree_lock);
    if (result != 0)
        kfree(p);
    *out = p;
    return result;
}

struct linux_pid *linux_pid_alloc(void) {
    struct linux_pid *p;

    return number_take(0, &p) == 0 ? p : NULL;
}

int64_t linux_pid_alloc_exact(int number, struct linux_pid **out) {
    if (number < 1 || number >= (int)atomic_load(&linux_pid_limit.value))
        return -LINUX_EINVAL;
    return number_take(number, out);
}

void linux_pid_get_locked(struct linux_pid *p) {
    p->users++;
}

void linux_pid_put_locked(struct linux_pid *p) {
    if (--p->users > 0)
        return;
    leaves[p->number / LEAF_SLOTS][p->number % LEAF_SLOTS] = NULL;
    pid_map_give_back(&map, p->number);
    kfree(p);
}

struct linux_pid *linux_pid_find_locked(int number) {
    if (number <= 0 || number >= PID_MAP_SIZE || leaves[number / LEAF_SLOTS] == NULL)
        return NULL;
    return leaves[number / LEAF_SLOTS][number % LEAF_SLOTS];
}

struct linux_process *linux_process_find_locked(int number) {
    struct linux_pid *p = linux_pid_find_locked(number);
    return p != NULL ? p->process : NULL;
}

int linux_process_next_locked(int from) {
    for (int n = pid_map_next_used(&map, from); n != 0; n = pid_map_next_used(&map, n + 1))
        if (linux_process_find_locked(n) != NULL)
            return n;
    return 0;
}

struct linux_thread *linux_thread_find_locked(int number) {
    struct linux_pid *p = linux_pid_find_locked(number);
    return p != NULL ? p->thread : NULL;
}

struct linux_process *linux_process_find(int number) {
    struct linux_process *lp;

    if (number == 0) {
        lp = linux_current_process();
        linux_process_get(lp);
        return lp;
    }
    spin_lock(&linux_tree_lock);
    lp = linux_process_find_locked(number);
    if (lp != NULL)
        linux_process_get(lp);
    spin_unlock(&linux_tree_lock);
    return lp;
}

struct linux_process *linux_process_of_tid(int number) {
    struct linux_process *lp = NULL;
    struct linux_pid *p;

    if (number == 0)
        return linux_process_find(0);
    spin_lock(&linux_tree_lock);
    p = linux_pid_find_locked(number);
    if (p != NULL)
        lp = p->process != NULL ? p->process : p->thread != NULL ? p->thread->process : NULL;
    if (lp != NULL)
        linux_process_get(lp);
    spin_unlock(&linux_tree_lock);
    return lp;
}

int linux_pid_last(void) {
    return map.last;
}

unsigned linux_pid_count(void) {
    return map.count;
}
