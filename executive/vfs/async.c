// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Signals from files: the lists of who asked for O_ASYNC, and the way to the owner that the personality knows. Thread context.
//
// Invariants: I1. A file is on its list exactly while file->async is its entry; O_ASYNC stands in its flags then (open may put it there without). It leaves
//                 before its driver's release runs.
// Locking: the list's lock (VFS_SPIN) for entries, file->async and the flag. Owners are sent to under it: their locks come after it.

#include <executive/async.h>
#include <kernel/job.h>
#include <kernel/slab.h>

#include "file.h"
#include "inode.h"

struct async_entry {
    struct list_node node;
    struct file *file; // not counted: I1
    int fd;
    struct job *job; // charged; counted
};

static const struct async_owner_ops *owner_ops;

void async_register_owner_ops(const struct async_owner_ops *ops) {
    owner_ops = ops;
}

void async_list_init(struct async_list *l, bool directed) {
    spin_lock_init(&l->lock, LOCK_RANK_VFS_SPIN);
    list_init(&l->files);
    l->directed = directed;
}

void file_owner_signal(struct file *f, int fd, enum async_reason reason) {
    struct file_owner *o = atomic_load_explicit(&f->signal_owner, memory_order_acquire);
    if (o != NULL)
        owner_ops->send(o, fd, reason);
}

inv_status_t file_owner_claim(struct file *f) {
    return owner_ops != NULL ? owner_ops->claim(f) : INV_OK;
}

void file_owner_forget(struct file *f) {
    struct file_owner *o = atomic_load_explicit(&f->signal_owner, memory_order_acquire);
    if (o != NULL)
        owner_ops->forget(o);
}

static bool concerns(const struct async_list *l, const struct file *f, enum async_reason reason) {
    if (!l->directed)
        return true;
    return reason == ASYNC_OUT ? file_writable(f) : file_readable(f);
}

void async_notify_all(struct async_list *l, enum async_reason reason) {
    struct async_entry *e;
    spin_lock(&l->lock);
    list_for_each(e, &l->files, node) {
        if (concerns(l, e->file, reason))
            file_owner_signal(e->file, e->fd, reason);
    }
    spin_unlock(&l->lock);
}

static struct async_entry *entry_alloc(struct file *f, int fd) {
    struct job *job = vfs_current_job();
    if (job_charge(job, JOB_MEMORY, sizeof(struct async_entry)) != INV_OK)
        return NULL;
    struct async_entry *e = kmalloc(sizeof(*e));
    if (e == NULL) {
        job_uncharge(job, JOB_MEMORY, sizeof(*e));
        return NULL;
    }
    object_get(&job->obj);
    *e = (struct async_entry){.file = f, .fd = fd, .job = job};
    list_init(&e->node);
    return e;
}

static void entry_free(struct async_entry *e) {
    if (e == NULL)
        return;
    job_uncharge(e->job, JOB_MEMORY, sizeof(*e));
    object_put(&e->job->obj);
    kfree(e);
}

// Puts e in (NULL: takes the entry out); returns what is to be freed.
static struct async_entry *exchange_locked(struct async_list *l, struct file *f, struct async_entry *e) {
    struct async_entry *old = f->async;
    if (e != NULL && old != NULL) { // the number of the last call counts
        old->fd = e->fd;
        return e;
    }
    if (old != NULL)
        list_remove(&old->node);
    f->async = e;
    if (e != NULL) {
        list_push_back(&l->files, &e->node);
        atomic_fetch_or(&f->flags, O_ASYNC_);
    } else {
        atomic_fetch_and(&f->flags, ~O_ASYNC_);
    }
    return old;
}

inv_status_t file_async_set(struct file *f, int fd, bool on) {
    struct async_list *l = f->ops->async != NULL ? f->ops->async(f) : NULL;
    struct async_entry *e = NULL;
    if (l == NULL)
        return INV_OK;
    if (on) {
        e = entry_alloc(f, fd);
        if (e == NULL)
            return INV_ERR_NO_MEMORY;
    }
    spin_lock(&l->lock);
    e = exchange_locked(l, f, e);
    spin_unlock(&l->lock);
    entry_free(e);
    return INV_OK;
}

void file_async_drop(struct file *f) {
    if (f->async != NULL)
        (void)!file_async_set(f, -1, false); // never fails: nothing is made
    struct file_owner *o = atomic_load_explicit(&f->signal_owner, memory_order_relaxed);
    if (o != NULL)
        owner_ops->free(o);
}
