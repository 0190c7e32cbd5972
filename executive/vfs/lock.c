// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Record locks: fcntl's (owner: the descriptor table), open file description locks and flock (owner: the file). Thread context.
//
// The locks of a file are a list on its inode, sorted by start for each owner; a lock that is set splits, joins and replaces those of its owner. Who must wait
// sleeps on a queue chosen by the inode, and tries again. A circle of fcntl owners who wait for each other is found when the last of them would sleep.
// A flock that changes its type is given back first, as on Linux: who fails to convert it has lost it.
//
// Invariants: I1. Locks of one owner and kind do not overlap, and those that touch differ in type. I2. Locks of different owners overlap only if both are for reading.
// Locking: lock_table (VFS_SPIN) for all lists. Memory is allocated before it is taken.

#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>

#include "boot.h"
#include "file.h"
#include "inode.h"

#define LOCK_QUEUES    16
#define DEADLOCK_STEPS 32

struct record_lock {
    struct list_node node, all_node;
    struct inode *inode; // counted by the file through which it was set
    uint64_t start, end; // inclusive
    const void *owner;
    const struct file *file; // through which it was set: compared only
    uint32_t pid;
    uint8_t type;
    bool flock, description;
    struct job *job; // charged; counted
};

// A thread that sleeps for a lock, for finding circles and for /proc/locks.
struct blocked {
    struct list_node node;
    const struct file_lock_request *request;
    const void *waits_for;            // the owner
    const struct record_lock *in_way; // compared only: it may be gone
};

static struct spinlock lock_table = SPINLOCK_INIT(LOCK_RANK_VFS_SPIN);
static struct list_node blocked_list = LIST_INIT(blocked_list);
static struct list_node all_locks = LIST_INIT(all_locks);
static struct waitq queues[LOCK_QUEUES];

void file_lock_init(void) {
    for (int i = 0; i < LOCK_QUEUES; i++)
        waitq_init(&queues[i]);
}

static struct waitq *queue_of(const struct inode *i) {
    return &queues[((uintptr_t)i >> 7) % LOCK_QUEUES];
}

static bool overlaps(const struct record_lock *l, uint64_t start, uint64_t end) {
    return l->start <= end && start <= l->end;
}

// A lock of somebody else that stands in the way.
static struct record_lock *conflict_locked(struct inode *i, const struct file_lock_request *r) {
    struct record_lock *l;
    list_for_each(l, &i->locks, node) {
        if (l->flock == r->flock && l->owner != r->owner && overlaps(l, r->start, r->end) &&
            (l->type == FILE_LOCK_WRITE || r->type == FILE_LOCK_WRITE))
            return l;
    }
    return NULL;
}

static void insert_locked(struct inode *i, struct record_lock *l) {
    struct record_lock *at;
    l->inode = i;
    if (list_empty(&l->all_node))
        list_push_back(&all_locks, &l->all_node);
    list_for_each(at, &i->locks, node) {
        if (at->start > l->start)
            break;
    }
    list_push_back(&at->node, &l->node); // before at, or at the end
}

static void discard_locked(struct record_lock *l, struct list_node *garbage) {
    list_remove(&l->node);
    list_remove(&l->all_node);
    list_push_back(garbage, &l->node);
}

// Sets or clears the range for the owner. spare: two locks from the caller, for the range itself and for a split; those used become NULL.
// Locks that are no longer needed go to garbage. True if something was loosened (sleepers may try again).
static bool apply_locked(struct file *f, const struct file_lock_request *r, struct record_lock *spare[2],
                         struct list_node *garbage) {
    struct inode *i = f->inode;
    struct record_lock *l, *next, *joined = NULL;
    uint64_t start = r->start, end = r->end;
    bool loosened = false;
    list_for_each_safe(l, next, &i->locks, node) {
        if (l->flock != r->flock || l->owner != r->owner)
            continue;
        bool touches = r->type == l->type && (l->end + 1 == start || end + 1 == l->start);
        if (!touches && !overlaps(l, start, end))
            continue;
        if (r->type == l->type) { // grow over it
            start = MIN(start, l->start);
            end = MAX(end, l->end);
            discard_locked(l, garbage);
            continue;
        }
        loosened = loosened || l->type == FILE_LOCK_WRITE || r->type == FILE_LOCK_UNLOCK;
        if (l->start < start && l->end > end) { // cut in two
            struct record_lock *right = spare[1];
            struct job *job = right->job;
            spare[1] = NULL;
            *right = *l;
            right->job = job;
            right->start = end + 1;
            l->end = start - 1;
            list_init(&right->node);
            list_init(&right->all_node);
            insert_locked(i, right);
        } else if (l->start < start) {
            l->end = start - 1;
        } else if (l->end > end) {
            list_remove(&l->node);
            l->start = end + 1;
            insert_locked(i, l);
        } else {
            discard_locked(l, garbage);
        }
    }
    if (r->type != FILE_LOCK_UNLOCK) {
        joined = spare[0];
        spare[0] = NULL;
        *joined = (struct record_lock){.start = start,
                                       .job = joined->job,
                                       .end = end,
                                       .owner = r->owner,
                                       .file = f,
                                       .pid = r->pid,
                                       .type = (uint8_t)r->type,
                                       .flock = r->flock,
                                       .description = r->description};
        list_init(&joined->node);
        list_init(&joined->all_node);
        insert_locked(i, joined);
    }
    return loosened;
}

static struct record_lock *record_alloc(void) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct record_lock)) != INV_OK)
        return NULL;
    struct record_lock *l = kmalloc(sizeof(*l));
    if (l == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(struct record_lock));
        return NULL;
    }
    object_get(&job->obj);
    l->job = job;
    list_init(&l->node);
    list_init(&l->all_node);
    return l;
}

static void record_free(struct record_lock *l) {
    if (l == NULL)
        return;
    job_uncharge(l->job, JOB_MEMORY, sizeof(struct record_lock));
    object_put(&l->job->obj);
    kfree(l);
}

static void garbage_free(struct list_node *garbage) {
    while (!list_empty(garbage)) {
        struct record_lock *l = list_first(garbage, struct record_lock, node);
        list_remove(&l->node);
        record_free(l);
    }
}

// Would owner's waiting for blocker close a circle?
static bool deadlock_locked(const void *owner, const void *blocker) {
    for (int i = 0; i < DEADLOCK_STEPS; i++) {
        const struct blocked *b, *found = NULL;
        if (blocker == owner)
            return true;
        list_for_each(b, &blocked_list, node) {
            if (b->request->owner == blocker && !b->request->flock && !b->request->description) {
                found = b;
                break;
            }
        }
        if (found == NULL)
            return false;
        blocker = found->waits_for;
    }
    return false;
}

// A flock of another type goes before the new one is tried.
static void flock_give_back_locked(struct inode *i, const struct file_lock_request *r, struct list_node *garbage) {
    struct record_lock *l, *next;
    list_for_each_safe(l, next, &i->locks, node) {
        if (l->flock && l->owner == r->owner && l->type != r->type)
            discard_locked(l, garbage);
    }
}

// Tries once. SHOULD_WAIT: b is on the list of the blocked.
static inv_status_t try_locked(struct file *f, const struct file_lock_request *r, struct record_lock *spare[2],
                               struct list_node *garbage, struct blocked *b, bool *out_loosened) {
    struct inode *i = f->inode;
    if (r->flock)
        flock_give_back_locked(i, r, garbage);
    *out_loosened = !list_empty(garbage);
    struct record_lock *l = r->type != FILE_LOCK_UNLOCK ? conflict_locked(i, r) : NULL;
    if (l == NULL) {
        *out_loosened |= apply_locked(f, r, spare, garbage);
        return INV_OK;
    }
    if (!r->wait)
        return INV_ERR_TRY_AGAIN;
    if (!r->flock && !r->description && !l->description && deadlock_locked(r->owner, l->owner))
        return INV_ERR_DEADLOCK;
    b->waits_for = l->owner;
    b->in_way = l;
    if (list_empty(&b->node))
        list_push_back(&blocked_list, &b->node);
    return INV_ERR_SHOULD_WAIT;
}

static inv_status_t try_once(struct file *f, const struct file_lock_request *r, struct record_lock *spare[2],
                             struct blocked *b) {
    struct list_node garbage = LIST_INIT(garbage);
    bool loosened = false;
    spin_lock(&lock_table);
    inv_status_t s = try_locked(f, r, spare, &garbage, b, &loosened);
    if (s != INV_ERR_SHOULD_WAIT)
        list_remove(&b->node);
    spin_unlock(&lock_table);
    garbage_free(&garbage);
    if (loosened)
        waitq_wake(queue_of(f->inode), UINT32_MAX, 0);
    return s;
}

inv_status_t file_lock(struct file *f, const struct file_lock_request *r) {
    struct inode *i = f->inode;
    struct record_lock *spare[2] = {record_alloc(), record_alloc()};
    struct blocked b = {.node = LIST_INIT(b.node), .request = r};
    inv_status_t s = INV_ERR_NO_MEMORY, waited = INV_OK;
    if (spare[0] != NULL && spare[1] != NULL) {
        atomic_fetch_or_explicit(&f->holds, FILE_HOLDS_LOCKS, memory_order_relaxed);
        WAIT_EVENT(queue_of(i), (s = try_once(f, r, spare, &b)) != INV_ERR_SHOULD_WAIT, WAIT_INTERRUPTIBLE,
                   NSTIME_NEVER, waited);
        if (waited != INV_OK) {
            s = INV_ERR_RESTART;
            spin_lock(&lock_table);
            list_remove(&b.node);
            spin_unlock(&lock_table);
        }
    }
    record_free(spare[0]);
    record_free(spare[1]);
    return s;
}

void file_lock_test(struct file *f, struct file_lock_request *r) {
    spin_lock(&lock_table);
    struct record_lock *l = conflict_locked(f->inode, r);
    if (l == NULL) {
        r->type = FILE_LOCK_UNLOCK;
    } else {
        r->type = l->type;
        r->start = l->start;
        r->end = l->end;
        r->pid = l->pid;
    }
    spin_unlock(&lock_table);
}

void file_locks_drop(struct file *f, const void *owner, bool flock) {
    struct list_node garbage = LIST_INIT(garbage);
    struct record_lock *l, *next;
    spin_lock(&lock_table);
    list_for_each_safe(l, next, &f->inode->locks, node) {
        if (l->owner == owner && l->flock == flock)
            discard_locked(l, &garbage);
    }
    spin_unlock(&lock_table);
    if (list_empty(&garbage))
        return;
    garbage_free(&garbage);
    waitq_wake(queue_of(f->inode), UINT32_MAX, 0);
}

// --- for /proc --------------------------------------------------------------------------------------------------------

static enum file_lock_kind kind_of(bool flock, bool description) {
    return flock ? FILE_LOCK_KIND_FLOCK : description ? FILE_LOCK_KIND_DESCRIPTION : FILE_LOCK_KIND_RECORD;
}

static void describe_lock(const struct record_lock *l, struct file_lock_description *out) {
    *out = (struct file_lock_description){.kind = kind_of(l->flock, l->description),
                                          .type = l->type,
                                          .pid = l->pid,
                                          .device = l->inode->superblock->device,
                                          .ino = l->inode->ino,
                                          .start = l->start,
                                          .end = l->end};
}

// Who waits for a lock is told as on its file, which is that of the lock.
static void describe_blocked(const struct file_lock_request *r, struct file_lock_description *inout) {
    inout->kind = kind_of(r->flock, r->description);
    inout->blocked = true;
    inout->type = r->type;
    inout->pid = r->pid;
    inout->start = r->start;
    inout->end = r->end;
}

// Lines go to out from the one with number *skip on (which is counted down), as many as it holds.
struct lines {
    struct file_lock_description *out;
    unsigned skip, room, used, number; // number: of the last lock
};

// The place of the next line, which is that of a lock or of one that waits for it; NULL: it is left out.
static struct file_lock_description *line_next(struct lines *l) {
    if (l->skip != 0) {
        l->skip--;
        return NULL;
    }
    return &l->out[l->used++];
}

static void describe_all_locked(struct lines *lines) {
    const struct record_lock *l;
    const struct blocked *b;
    struct file_lock_description *d;
    list_for_each(l, &all_locks, all_node) {
        if (lines->used == lines->room)
            return;
        lines->number++;
        if ((d = line_next(lines)) != NULL) {
            describe_lock(l, d);
            d->number = lines->number;
        }
        list_for_each(b, &blocked_list, node) {
            if (b->in_way != l || lines->used == lines->room || (d = line_next(lines)) == NULL)
                continue;
            describe_lock(l, d);
            describe_blocked(b->request, d);
            d->number = lines->number;
        }
    }
}

static void describe_file_locked(const struct file *f, const void *table, bool flock, struct lines *lines) {
    const struct record_lock *l;
    struct file_lock_description *d;
    list_for_each(l, &f->inode->locks, node) {
        if (lines->used == lines->room)
            return;
        if (l->file != f || l->flock != flock || (l->owner != f && l->owner != table))
            continue;
        lines->number++;
        if ((d = line_next(lines)) != NULL) {
            describe_lock(l, d);
            d->number = lines->number;
        }
    }
}

unsigned file_lock_describe(const struct file *f, const void *table, unsigned from, struct file_lock_description *out,
                            unsigned count) {
    struct lines lines = {.out = out, .skip = from, .room = count};
    spin_lock(&lock_table);
    if (f != NULL) {
        describe_file_locked(f, table, true, &lines);
        describe_file_locked(f, table, false, &lines);
    } else {
        describe_all_locked(&lines);
    }
    spin_unlock(&lock_table);
    for (unsigned n = lines.skip; lines.used < count && file_lease_describe(f, n, &out[lines.used]); n++)
        out[lines.used++].number = lines.number + n + 1;
    return lines.used;
}
