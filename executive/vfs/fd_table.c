// SPDX-License-Identifier: Apache-2.0
// Copyright The Invar Authors
//
// Descriptor tables: from a small number to an open file. Called by every call that takes or gives a descriptor, in thread context.
//
// A lookup takes no lock: inside an epoch it loads the table's array and the file's pointer, counts the file unless its count has fallen to 0 already, and
// looks again whether the number still means that file. Files and arrays are freed through the epoch. If the calling thread is the table's only user
// nobody can close the file during the call, and no count is taken at all (fd_borrow).
//
// Invariants:
// I1. A number is in use if its bit in open is set; its pointer is NULL while it is only reserved.
// I2. A set bit in cloexec implies one in open.
// I3. No number below next_free is free.
// Locking: lock (VFS_SPIN) for all changes; array and files[] are read without it.

#include <kernel/assert.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/slab.h>
#include <kernel/string.h>

#include "fd_bitmap.h"
#include "file.h"
#include "inode.h"

#define FD_FIRST_SIZE 64u
#define FD_MAX        (1u << 20)
#define COPY_STEP     256u // numbers that are copied under one hold of the lock: a multiple of 64

struct fd_array {
    struct epoch_node reclaim;
    unsigned size;            // multiple of 64
    uint64_t *open, *cloexec; // fd table's lock
    struct file *_Atomic files[];
};

struct fd_table {
    _Atomic uint32_t count;
    struct spinlock lock;
    struct fd_array *_Atomic array;
    unsigned next_free; // lock
    size_t charged;     // lock
    struct job *job;    // counted, immutable
};

// --- arrays -----------------------------------------------------------------------------------------------------------

static size_t array_bytes(unsigned size) {
    return sizeof(struct fd_array) + size * sizeof(struct file *) + size / 64 * 2 * sizeof(uint64_t);
}

static struct fd_array *array_alloc(unsigned size) {
    struct fd_array *a = kzalloc(array_bytes(size));
    if (a == NULL)
        return NULL;
    a->size = size;
    a->open = (uint64_t *)(uintptr_t)&a->files[size];
    a->cloexec = a->open + size / 64;
    return a;
}

static void array_reclaim(struct epoch_node *n) {
    kfree(container_of(n, struct fd_array, reclaim));
}

static struct fd_array *array_locked(struct fd_table *t) {
    return atomic_load_explicit(&t->array, memory_order_relaxed);
}

static void array_copy(struct fd_array *to, const struct fd_array *from, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        atomic_init(&to->files[i], atomic_load_explicit(&from->files[i], memory_order_relaxed));
    memcpy(to->open, from->open, size / 8);
    memcpy(to->cloexec, from->cloexec, size / 8);
}

// Makes room for number fd. Lock not held; on success somebody may have done it first.
static inv_status_t table_grow(struct fd_table *t, unsigned fd) {
    unsigned size = FD_FIRST_SIZE;
    while (size <= fd)
        size *= 2;
    size_t charge = array_bytes(size);
    if (job_charge(t->job, JOB_MEMORY, charge) != INV_OK)
        return INV_ERR_NO_MEMORY;
    struct fd_array *a = array_alloc(size), *old;
    if (a == NULL) {
        job_uncharge(t->job, JOB_MEMORY, charge);
        return INV_ERR_NO_MEMORY;
    }
    spin_lock(&t->lock);
    old = array_locked(t);
    if (old->size >= size) {
        old = a; // too late: ours goes
    } else {
        array_copy(a, old, old->size);
        atomic_store_explicit(&t->array, a, memory_order_release);
        size_t ours = charge;
        charge = t->charged;
        t->charged = ours;
    }
    spin_unlock(&t->lock);
    job_uncharge(t->job, JOB_MEMORY, charge);
    epoch_defer(&old->reclaim, array_reclaim);
    return INV_OK;
}

// --- tables -----------------------------------------------------------------------------------------------------------

static inv_status_t table_alloc(struct job *job, unsigned size, struct fd_table **out) {
    size_t charge = array_bytes(size);
    if (job_charge(job, JOB_MEMORY, charge + sizeof(struct fd_table)) != INV_OK)
        return INV_ERR_NO_MEMORY;
    struct fd_table *t = kzalloc(sizeof(*t));
    struct fd_array *a = array_alloc(size);
    if (t == NULL || a == NULL) {
        kfree(t);
        kfree(a);
        job_uncharge(job, JOB_MEMORY, charge + sizeof(struct fd_table));
        return INV_ERR_NO_MEMORY;
    }
    object_get(&job->obj);
    t->count = 1;
    spin_lock_init(&t->lock, LOCK_RANK_VFS_SPIN);
    t->array = a;
    t->charged = charge;
    t->job = job;
    *out = t;
    return INV_OK;
}

inv_status_t fd_table_create(struct job *job, struct fd_table **out) {
    return table_alloc(job != NULL ? job : &root_job, FD_FIRST_SIZE, out);
}

// Highest number in use + 1, rounded up to what an array may have.
static unsigned size_used(const struct fd_array *a) {
    unsigned words = a->size / 64;
    while (words > 1 && a->open[words - 1] == 0)
        words--;
    unsigned size = FD_FIRST_SIZE;
    while (size < words * 64)
        size *= 2;
    return size;
}

// Copies numbers [first, first + COPY_STEP) of what is open, counting it; reserved numbers stay behind. Lock of the source held.
static void copy_step_locked(struct fd_array *to, const struct fd_array *from, unsigned first) {
    unsigned end = MIN(first + COPY_STEP, MIN(to->size, from->size));
    for (unsigned fd = bitmap_find(from->open, end, first, true); fd < end;
         fd = bitmap_find(from->open, end, fd + 1, true)) {
        struct file *f = atomic_load_explicit(&from->files[fd], memory_order_relaxed);
        if (f == NULL)
            continue;
        file_get(f);
        atomic_init(&to->files[fd], f);
        bitmap_set(to->open, fd);
        if (bitmap_get(from->cloexec, fd))
            bitmap_set(to->cloexec, fd);
    }
}

// What other threads open or close meanwhile is in the copy or is not, number by number.
inv_status_t fd_table_copy(struct fd_table *from, struct job *job, struct fd_table **out) {
    spin_lock(&from->lock);
    unsigned size = size_used(array_locked(from));
    spin_unlock(&from->lock);
    inv_status_t s = table_alloc(job != NULL ? job : &root_job, size, out);
    if (s != INV_OK)
        return s;
    for (unsigned fd = 0; fd < size; fd += COPY_STEP) {
        spin_lock(&from->lock);
        copy_step_locked(array_locked(*out), array_locked(from), fd);
        spin_unlock(&from->lock);
    }
    return INV_OK;
}

void fd_table_get(struct fd_table *t) {
    atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
}

void fd_table_put(struct fd_table *t) {
    if (atomic_fetch_sub_explicit(&t->count, 1, memory_order_release) != 1)
        return;
    atomic_thread_fence(memory_order_acquire);
    struct fd_array *a = array_locked(t);
    for (unsigned fd = bitmap_find(a->open, a->size, 0, true); fd < a->size;
         fd = bitmap_find(a->open, a->size, fd + 1, true)) {
        struct file *f = atomic_load_explicit(&a->files[fd], memory_order_relaxed);
        if (f != NULL) {
            file_closed(f, t);
            file_put(f);
        }
    }
    job_uncharge(t->job, JOB_MEMORY, t->charged + sizeof(struct fd_table));
    object_put(&t->job->obj);
    kfree(a);
    kfree(t);
}

bool fd_table_shared(struct fd_table *t) {
    return atomic_load_explicit(&t->count, memory_order_acquire) != 1;
}

// --- lookups ----------------------------------------------------------------------------------------------------------

inv_status_t fd_get(struct fd_table *t, int fd, struct file **out) {
    inv_status_t s = INV_ERR_BAD_FD;
    epoch_enter();
    for (;;) {
        struct fd_array *a = atomic_load_explicit(&t->array, memory_order_acquire);
        if ((unsigned)fd >= a->size)
            break;
        struct file *f = atomic_load_explicit(&a->files[fd], memory_order_acquire);
        if (f == NULL)
            break;
        if (!file_try_get(f))
            continue; // closed at this moment: the pointer is gone or another
        if (likely(atomic_load_explicit(&a->files[fd], memory_order_acquire) == f)) {
            *out = f;
            s = INV_OK;
            break;
        }
        epoch_exit();
        file_put(f); // may be the last by now
        epoch_enter();
    }
    epoch_exit();
    return s;
}

inv_status_t fd_borrow(struct fd_table *t, int fd, struct fd_ref *out) {
    if (unlikely(fd_table_shared(t))) {
        out->counted = true;
        return fd_get(t, fd, &out->file);
    }
    struct fd_array *a = array_locked(t);
    out->counted = false;
    if ((unsigned)fd >= a->size)
        return INV_ERR_BAD_FD;
    out->file = atomic_load_explicit(&a->files[fd], memory_order_relaxed);
    return out->file != NULL ? INV_OK : INV_ERR_BAD_FD;
}

unsigned fd_table_size(struct fd_table *t) {
    epoch_enter();
    unsigned size = atomic_load_explicit(&t->array, memory_order_acquire)->size;
    epoch_exit();
    return size;
}

int fd_next(struct fd_table *t, int from) {
    int found = -1;
    spin_lock(&t->lock);
    struct fd_array *a = array_locked(t);
    for (unsigned fd = (unsigned)MAX(from, 0); fd < a->size; fd++) {
        fd = bitmap_find(a->open, a->size, fd, true);
        if (fd < a->size && a->files[fd] != NULL) {
            found = (int)fd;
            break;
        }
    }
    spin_unlock(&t->lock);
    return found;
}

// --- changes ----------------------------------------------------------------------------------------------------------

static void mark_locked(struct fd_table *t, struct fd_array *a, unsigned fd, bool close_on_exec) {
    bitmap_set(a->open, fd);
    if (close_on_exec)
        bitmap_set(a->cloexec, fd);
    else
        bitmap_clear(a->cloexec, fd);
    if (fd == t->next_free)
        t->next_free = fd + 1;
}

static void unmark_locked(struct fd_table *t, struct fd_array *a, unsigned fd) {
    bitmap_clear(a->open, fd);
    bitmap_clear(a->cloexec, fd);
    if (fd < t->next_free)
        t->next_free = fd;
}

inv_status_t fd_reserve(struct fd_table *t, int lowest, uint64_t limit, bool close_on_exec, int *out_fd) {
    unsigned end = (unsigned)MIN(limit, (uint64_t)FD_MAX);
    if (lowest < 0 || (lowest > 0 && (uint64_t)lowest >= limit))
        return INV_ERR_INVALID;
    for (;;) {
        spin_lock(&t->lock);
        struct fd_array *a = array_locked(t);
        unsigned from = MAX((unsigned)lowest, t->next_free);
        unsigned fd = from < a->size ? bitmap_find(a->open, a->size, from, false) : from;
        if (fd < a->size && fd < end) {
            if ((unsigned)lowest <= t->next_free)
                t->next_free = fd;
            mark_locked(t, a, fd, close_on_exec);
            spin_unlock(&t->lock);
            *out_fd = (int)fd;
            return INV_OK;
        }
        spin_unlock(&t->lock);
        if (fd >= end)
            return INV_ERR_TOO_MANY_FILES;
        inv_status_t s = table_grow(t, fd);
        if (s != INV_OK)
            return s;
    }
}

void fd_fill(struct fd_table *t, int fd, struct file *f) {
    spin_lock(&t->lock);
    struct fd_array *a = array_locked(t);
    DEBUG_ASSERT(bitmap_get(a->open, (unsigned)fd) && a->files[fd] == NULL);
    atomic_store_explicit(&a->files[fd], f, memory_order_release);
    spin_unlock(&t->lock);
}

void fd_unreserve(struct fd_table *t, int fd) {
    spin_lock(&t->lock);
    unmark_locked(t, array_locked(t), (unsigned)fd);
    spin_unlock(&t->lock);
}

inv_status_t fd_install(struct fd_table *t, struct file *f, int lowest, uint64_t limit, bool close_on_exec,
                        int *out_fd) {
    inv_status_t s = fd_reserve(t, lowest, limit, close_on_exec, out_fd);
    if (s == INV_OK)
        fd_fill(t, *out_fd, f);
    return s;
}

inv_status_t fd_install_at(struct fd_table *t, struct file *f, int fd, uint64_t limit, bool close_on_exec) {
    if (fd < 0 || (uint64_t)fd >= limit || (unsigned)fd >= FD_MAX)
        return INV_ERR_BAD_FD;
    for (;;) {
        spin_lock(&t->lock);
        struct fd_array *a = array_locked(t);
        if ((unsigned)fd < a->size) {
            struct file *old = atomic_load_explicit(&a->files[fd], memory_order_relaxed);
            if (old == NULL && bitmap_get(a->open, (unsigned)fd)) {
                spin_unlock(&t->lock);
                return INV_ERR_BUSY; // another thread's open has reserved it
            }
            mark_locked(t, a, (unsigned)fd, close_on_exec);
            atomic_store_explicit(&a->files[fd], f, memory_order_release);
            spin_unlock(&t->lock);
            if (old != NULL) {
                file_closed(old, t);
                file_put(old);
            }
            return INV_OK;
        }
        spin_unlock(&t->lock);
        inv_status_t s = table_grow(t, (unsigned)fd);
        if (s != INV_OK)
            return s;
    }
}

// Takes the file out; the caller closes it. NULL: the number is not open.
static struct file *take_locked(struct fd_table *t, unsigned fd) {
    struct fd_array *a = array_locked(t);
    if (fd >= a->size)
        return NULL;
    struct file *f = atomic_load_explicit(&a->files[fd], memory_order_relaxed);
    if (f == NULL)
        return NULL;
    atomic_store_explicit(&a->files[fd], NULL, memory_order_release);
    unmark_locked(t, a, fd);
    return f;
}

inv_status_t fd_close(struct fd_table *t, int fd) {
    spin_lock(&t->lock);
    struct file *f = take_locked(t, (unsigned)fd);
    spin_unlock(&t->lock);
    if (f == NULL)
        return INV_ERR_BAD_FD;
    file_closed(f, t);
    file_put(f);
    return INV_OK;
}

void fd_table_close_on_exec(struct fd_table *t) {
    unsigned fd = 0;
    for (;;) {
        spin_lock(&t->lock);
        struct fd_array *a = array_locked(t);
        fd = bitmap_find(a->cloexec, a->size, fd, true);
        if (fd >= a->size) {
            spin_unlock(&t->lock);
            return;
        }
        struct file *f = take_locked(t, fd);
        spin_unlock(&t->lock);
        fd++;
        if (f != NULL) {
            file_closed(f, t);
            file_put(f);
        }
    }
}

inv_status_t fd_get_flags(struct fd_table *t, int fd, bool *out_close_on_exec) {
    spin_lock(&t->lock);
    struct fd_array *a = array_locked(t);
    bool open = (unsigned)fd < a->size && a->files[fd] != NULL;
    if (open)
        *out_close_on_exec = bitmap_get(a->cloexec, (unsigned)fd);
    spin_unlock(&t->lock);
    return open ? INV_OK : INV_ERR_BAD_FD;
}

inv_status_t fd_set_flags(struct fd_table *t, int fd, bool close_on_exec) {
    spin_lock(&t->lock);
    struct fd_array *a = array_locked(t);
    bool open = (unsigned)fd < a->size && a->files[fd] != NULL;
    if (open && close_on_exec)
        bitmap_set(a->cloexec, (unsigned)fd);
    else if (open)
        bitmap_clear(a->cloexec, (unsigned)fd);
    spin_unlock(&t->lock);
    return open ? INV_OK : INV_ERR_BAD_FD;
}
