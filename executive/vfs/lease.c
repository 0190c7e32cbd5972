// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Leases: the holder of an open file is told before somebody else opens or cuts it, and may put things right first. Set by the personality's fcntl; broken by
// open.c and attributes.c. Thread context.
//
//    held ──conflict──► breaking (the owner is signalled; its end is set) ──► given back or lessened by the holder, or at the end of its time by whoever waits
//
// Who breaks a lease for reading asks for a lessening (to a read lease), who breaks it for writing for its end.
//
// Invariants: I1. An open counts itself (inode->writers, readers) before it looks for leases; a lease is on the list before the counts are looked at. So one
//                 of them sees the other.
// Locking: lease_table (VFS_SPIN) for all leases; owners are signalled under it.

#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/time.h>

#include "boot.h"
#include "file.h"
#include "inode.h"

#define LEASE_QUEUES 8
#define CAP_LEASE    28

struct lease {
    struct list_node node, all_node;
    struct file *file; // not counted: dropped with it
    int fd;
    unsigned type;                    // FILE_LOCK_READ or WRITE
    uint32_t pid;                     // for /proc/locks
    bool unlock, downgrade;           // asked for
    nstime_t unlock_at, downgrade_at; // 0: whenever the holder likes
    struct job *job;                  // charged; counted
};

_Atomic uint32_t file_lease_break_seconds = 45;

static struct spinlock lease_table = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct list_node all_leases = LIST_INIT(all_leases);
static struct waitq queues[LEASE_QUEUES];

void file_lease_init(void) {
    for (int i = 0; i < LEASE_QUEUES; i++)
        waitq_init(&queues[i]);
}

static struct waitq *queue_of(const struct inode *i) {
    return &queues[((uintptr_t)i >> 7) % LEASE_QUEUES];
}

static bool breaking(const struct lease *l) {
    return l->unlock || l->downgrade;
}

static bool conflicts(const struct lease *l, bool write) {
    return write || l->type == FILE_LOCK_WRITE;
}

// --- life -------------------------------------------------------------------------------------------------------------

static struct lease *lease_alloc(struct file *f, int fd, unsigned type, uint32_t pid) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct lease)) != INV_OK)
        return NULL;
    struct lease *l = kmalloc(sizeof(*l));
    if (l == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*l));
        return NULL;
    }
    object_get(&job->obj);
    *l = (struct lease){.file = f, .fd = fd, .type = type, .pid = pid, .job = job};
    list_init(&l->node);
    list_init(&l->all_node);
    return l;
}

static void lease_free(struct lease *l) {
    job_uncharge(l->job, JOB_MEMORY, sizeof(*l));
    object_put(&l->job->obj);
    kfree(l);
}

static void garbage_free(struct list_node *garbage) {
    while (!list_empty(garbage)) {
        struct lease *l = list_first(garbage, struct lease, node);
        list_remove(&l->node);
        lease_free(l);
    }
}

static struct lease *lease_of_locked(struct file *f) {
    struct lease *l;
    list_for_each(l, &f->inode->leases, node) {
        if (l->file == f)
            return l;
    }
    return NULL;
}

// What the holder has from now on. An ended lease takes the file's owner and signal along.
static void modify_locked(struct lease *l, unsigned type, struct list_node *garbage) {
    if (type == FILE_LOCK_UNLOCK) {
        list_remove(&l->node);
        list_remove(&l->all_node);
        list_push_back(garbage, &l->node);
        file_owner_forget(l->file);
        return;
    }
    l->type = type;
    if (type == FILE_LOCK_READ) { // it is lessened; an end that was asked for is still wanted
        l->downgrade = false;
        l->downgrade_at = 0;
    }
}

// Leases whose time is over end.
static void time_out_locked(struct inode *i, struct list_node *garbage) {
    struct lease *l, *next;
    nstime_t now = clock_monotonic();
    list_for_each_safe(l, next, &i->leases, node) {
        if (l->unlock && l->unlock_at != 0 && now >= l->unlock_at) {
            modify_locked(l, FILE_LOCK_UNLOCK, garbage);
        } else if (l->downgrade && l->downgrade_at != 0 && now >= l->downgrade_at) {
            l->type = FILE_LOCK_READ;
            l->downgrade = false;
            l->downgrade_at = 0;
        }
    }
}

// --- setting ----------------------------------------------------------------------------------------------------------

// Others that have the file open so that no such lease can be had.
static bool open_elsewhere(const struct file *f, unsigned type) {
    const struct inode *i = f->inode;
    int32_t writers = atomic_load(&i->writers);
    if (type == FILE_LOCK_READ)
        return writers > 0;
    uint32_t own_reads = file_readable(f) && !file_writable(f);
    return MAX(writers, 0) != file_writable(f) || atomic_load(&i->readers) != own_reads;
}

// fresh: on the list when it is taken; else it is the caller's.
static inv_status_t set_locked(struct file *f, struct lease **fresh, unsigned type, struct list_node *garbage) {
    struct lease *l, *mine = NULL;
    list_for_each(l, &f->inode->leases, node) {
        if (l->file == f)
            mine = l;
        else if (type == FILE_LOCK_WRITE || l->unlock)
            return INV_ERR_TRY_AGAIN;
    }
    if (open_elsewhere(f, type))
        return INV_ERR_TRY_AGAIN;
    if (mine != NULL) {
        modify_locked(mine, type, garbage);
        return INV_OK;
    }
    list_push_back(&f->inode->leases, &(*fresh)->node);
    atomic_thread_fence(memory_order_seq_cst); // I1
    if (open_elsewhere(f, type)) {
        list_remove(&(*fresh)->node);
        return INV_ERR_TRY_AGAIN;
    }
    list_push_back(&all_leases, &(*fresh)->all_node);
    atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_LEASE, memory_order_relaxed);
    *fresh = NULL;
    return INV_OK;
}

inv_status_t file_lease_set(struct file *f, int fd, unsigned type, const struct token *who, uint32_t pid) {
    struct list_node garbage = LIST_INIT(garbage);
    struct inode *i = f->inode;
    struct lease *fresh = NULL;
    if (type != FILE_LOCK_UNLOCK && type != FILE_LOCK_READ && type != FILE_LOCK_WRITE)
        return INV_ERR_INVALID;
    if (i->uid != who->fsuid && !token_capable(who, CAP_LEASE))
        return INV_ERR_ACCESS;
    if (!inode_is(i, MODE_REGULAR))
        return INV_ERR_INVALID;
    if (type != FILE_LOCK_UNLOCK) {
        fresh = lease_alloc(f, fd, type, pid);
        if (fresh == NULL || file_owner_claim(f) != INV_OK) {
            if (fresh != NULL)
                lease_free(fresh);
            return INV_ERR_NO_MEMORY;
        }
    }
    spin_lock(&lease_table);
    time_out_locked(i, &garbage);
    inv_status_t s = INV_OK;
    if (type != FILE_LOCK_UNLOCK) {
        s = set_locked(f, &fresh, type, &garbage);
    } else {
        struct lease *mine = lease_of_locked(f);
        s = mine != NULL ? INV_OK : INV_ERR_TRY_AGAIN;
        if (mine != NULL)
            modify_locked(mine, FILE_LOCK_UNLOCK, &garbage);
    }
    spin_unlock(&lease_table);
    if (fresh != NULL)
        lease_free(fresh);
    garbage_free(&garbage);
    waitq_wake(queue_of(i), UINT32_MAX, 0);
    return s;
}

unsigned file_lease_get(struct file *f) {
    struct list_node garbage = LIST_INIT(garbage);
    unsigned type = FILE_LOCK_UNLOCK;
    spin_lock(&lease_table);
    time_out_locked(f->inode, &garbage);
    struct lease *l = lease_of_locked(f);
    if (l != NULL)
        type = l->unlock ? FILE_LOCK_UNLOCK : l->downgrade ? FILE_LOCK_READ : l->type;
    spin_unlock(&lease_table);
    garbage_free(&garbage);
    return type;
}

void file_lease_drop(struct file *f) {
    struct list_node garbage = LIST_INIT(garbage);
    spin_lock(&lease_table);
    struct lease *l = lease_of_locked(f);
    if (l != NULL)
        modify_locked(l, FILE_LOCK_UNLOCK, &garbage);
    spin_unlock(&lease_table);
    if (list_empty(&garbage))
        return;
    garbage_free(&garbage);
    waitq_wake(queue_of(f->inode), UINT32_MAX, 0);
}

// --- breaking ---------------------------------------------------------------------------------------------------------

// Asks every holder in the way, once. True if there is one.
static bool ask_locked(struct inode *i, bool write) {
    uint32_t seconds = atomic_load_explicit(&file_lease_break_seconds, memory_order_relaxed);
    nstime_t at = seconds != 0 ? deadline_after(seconds * NSEC_PER_SEC) : 0;
    struct lease *l;
    bool any = false;
    list_for_each(l, &i->leases, node) {
        if (!conflicts(l, write))
            continue;
        any = true;
        if (write ? l->unlock : breaking(l))
            continue;
        if (write) {
            l->unlock = true;
            l->unlock_at = at;
        } else {
            l->downgrade = true;
            l->downgrade_at = at;
        }
        file_owner_signal(l->file, l->fd, ASYNC_MESSAGE);
    }
    return any;
}

// Is one in the way still there? *out_until: when the next of them ends.
static bool in_the_way(struct inode *i, bool write, nstime_t *out_until) {
    struct list_node garbage = LIST_INIT(garbage);
    struct lease *l;
    bool any = false;
    *out_until = NSTIME_NEVER;
    spin_lock(&lease_table);
    time_out_locked(i, &garbage);
    list_for_each(l, &i->leases, node) {
        if (!conflicts(l, write))
            continue;
        nstime_t at = l->unlock ? l->unlock_at : l->downgrade_at;
        any = true;
        if (at != 0)
            *out_until = MIN(*out_until, at);
    }
    spin_unlock(&lease_table);
    bool ended = !list_empty(&garbage);
    garbage_free(&garbage);
    if (ended)
        waitq_wake(queue_of(i), UINT32_MAX, 0);
    return any;
}

inv_status_t file_leases_break_slow(struct inode *i, bool write, bool nonblocking) {
    struct list_node garbage = LIST_INIT(garbage);
    nstime_t until;
    spin_lock(&lease_table);
    time_out_locked(i, &garbage);
    bool any = ask_locked(i, write);
    spin_unlock(&lease_table);
    garbage_free(&garbage);
    if (!any)
        return INV_OK;
    if (nonblocking)
        return INV_ERR_SHOULD_WAIT;
    while (in_the_way(i, write, &until)) {
        inv_status_t s;
        nstime_t ignored;
        WAIT_EVENT(queue_of(i), !in_the_way(i, write, &ignored), WAIT_INTERRUPTIBLE, until, s);
        if (s == INV_ERR_INTERRUPTED)
            return INV_ERR_RESTART;
    }
    return INV_OK;
}

// --- for /proc/locks --------------------------------------------------------------------------------------------------

bool file_lease_describe(const struct file *f, unsigned n, struct file_lock_description *out) {
    struct lease *l;
    bool found = false;
    spin_lock(&lease_table);
    list_for_each(l, &all_leases, all_node) {
        if ((f != NULL && l->file != f) || n-- != 0)
            continue;
        const struct inode *i = l->file->inode;
        *out = (struct file_lock_description){.kind = FILE_LOCK_KIND_LEASE,
                                              .type = l->unlock      ? FILE_LOCK_UNLOCK
                                                      : l->downgrade ? FILE_LOCK_READ
                                                                     : l->type,
                                              .pid = l->pid,
                                              .breaking = breaking(l),
                                              .device = i->superblock->device,
                                              .ino = i->ino,
                                              .end = INT64_MAX};
        found = true;
        break;
    }
    spin_unlock(&lease_table);
    return found;
}
